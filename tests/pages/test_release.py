"""Release of a plan: nothing reaches the patient that a named person did not choose."""

from __future__ import annotations

import pytest

from pages import site
from redcell import clock
from redcell.clinic import releases

PATH = "/patients/okafor/release"


def filled(page) -> None:
    """A plan with one of everything."""
    page.get_by_label("One line for each thing").fill("Rest breaks. Short walks.\n\nCall us.")
    page.get_by_label("Day of the next blood test").fill("2026-11-24")
    page.get_by_label("Time of the next blood test").fill("08:00")
    page.get_by_label("Your team talks about blood").fill("8")
    page.get_by_label("Not tested").check()
    page.get_by_label("Sleep").check()
    page.get_by_label("Palliative care").check()


def current(clinic) -> releases.Release | None:
    """What is released now."""
    with clinic.database.read() as connection:
        return releases.current(connection, ["okafor"])


@pytest.mark.trust("S7.2")
def test_preview_then_release_then_take_back(work):
    page = work(PATH, "doctor", js=False)
    filled(page)
    page.get_by_role("button", name="See it as the patient will").click()
    assert current(work.clinic) is None
    plan = page.locator("section:has(#h-plan)").inner_text()
    assert "From Dr. A. Rao" in plan
    assert "Rest breaks. Short walks." in plan
    assert "November 24, 2026, 08:00" in plan
    assert "at 8." in page.locator("section:has(#h-count)").inner_text()
    page.get_by_role("button", name="See it in Spanish").click()
    assert page.locator("html").get_attribute("lang") == "es"
    page.get_by_role("button", name="Release with my name").click()
    made = current(work.clinic)
    assert made is not None
    assert (made.name, made.lines) == ("Dr. A. Rao", ("Rest breaks. Short walks.", "Call us."))
    assert (made.next_test, made.iron, made.talk_at) == ("2026-11-24T08:00", "untested", 8.0)
    assert (made.self_care, made.education) == (("sleep",), ("palliative-care",))
    assert made.assessment
    own = work("/me", "joy", js=False)
    assert "Rest breaks. Short walks." in own.locator("main").inner_text()
    page.get_by_text("Take it back").click()
    page.get_by_label("The plan has changed").check()
    page.get_by_role("button", name="Take back").click()
    assert current(work.clinic) is None
    assert "taken back by Dr. A. Rao: The plan has changed" in page.locator("main").inner_text()
    own.reload()
    assert "Rest breaks" not in own.locator("main").inner_text()


@pytest.mark.trust("H12.1")
def test_iron_must_be_chosen(work):
    page = work(PATH, js=False)
    assert page.locator("input[name=iron]:checked").count() == 0
    page.get_by_label("One line for each thing").fill("Rest.")
    page.get_by_role("button", name="See it as the patient will").click()
    assert "Choose which text about iron" in page.locator("[role=alert]").inner_text()
    assert page.get_by_label("One line for each thing").input_value() == "Rest."


def test_change_in_the_preview_keeps_what_was_filled_in(work):
    page = work(PATH, js=False)
    filled(page)
    page.get_by_role("button", name="See it as the patient will").click()
    page.get_by_role("button", name="Change it").click()
    assert page.get_by_label("Sleep").is_checked()
    assert page.get_by_label("Not tested").is_checked()
    assert page.get_by_label("Day of the next blood test").input_value() == "2026-11-24"


@pytest.mark.parametrize(
    ("label", "value", "said"),
    [
        ("Your team talks about blood", "80", "A count from"),
        ("Day of the next blood test", "2026-11-02", "This day is over"),
        ("One line for each thing", "\n".join("abcdefghijklm"), "At most 12 lines"),
        ("One line for each thing", "x" * 301, "at most 300 characters"),
    ],
)
def test_what_is_refused(work, label, value, said):
    page = work(PATH, js=False)
    page.get_by_label("Show no text about iron").check()
    page.get_by_label(label).fill(value)
    page.get_by_role("button", name="See it as the patient will").click()
    assert said in page.locator("[role=alert]").inner_text()


def test_a_plan_with_nothing_in_it_is_refused(work):
    page = work(PATH, js=False)
    page.get_by_label("Show no text about iron").check()
    page.get_by_role("button", name="See it as the patient will").click()
    assert "there is no plan to release" in page.locator("[role=alert]").inner_text()


def test_an_assessment_that_changed_meanwhile_is_said(work):
    page = work(PATH, js=False)
    filled(page)
    page.get_by_role("button", name="See it as the patient will").click()
    later = clock.now() + clock.HOUR
    count = site.hemoglobin("new", "okafor", 6.6, clock.when(later - clock.MINUTE))
    site.take(work.clinic, [count], "new-count", later)
    site.assess(work.clinic, "okafor", later)
    page.get_by_role("button", name="Release with my name").click()
    assert "The assessment has changed since" in page.locator("p[role=alert]").inner_text()
    assert current(work.clinic) is None
    page.get_by_role("button", name="See it as the patient will").click()
    page.get_by_role("button", name="Release with my name").click()
    assert current(work.clinic) is not None


def test_a_change_since_the_last_release_is_said(work):
    page = work(PATH, js=False)
    filled(page)
    page.get_by_role("button", name="See it as the patient will").click()
    page.get_by_role("button", name="Release with my name").click()
    assert page.locator(".note.warn").count() == 0
    later = clock.now() + clock.HOUR
    count = site.hemoglobin("new", "okafor", 6.6, clock.when(later - clock.MINUTE))
    site.take(work.clinic, [count], "new-count", later)
    site.assess(work.clinic, "okafor", later)
    page.goto(work.address + PATH)
    said = page.locator(".note.warn").inner_text()
    assert "The assessment has changed since the last release" in said
    assert "now 6.6" in said


@pytest.mark.trust("U1", "X1")
def test_axe_of_form_and_preview(work, axe):
    page = work()
    for width in (1280, 320):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(work.address + PATH)
        assert axe(page) == []
        filled(page)
        page.get_by_role("button", name="See it as the patient will").click()
        assert axe(page) == []
        sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(sideways) <= 0


@pytest.mark.parametrize("who", ["joy", "admin"])
def test_not_for_others(look, who):
    page = look("", who)
    assert page.goto(look.address + PATH).status == 404
