"""Staff entry of a symptom report: the patient's questions, and what to read out."""

from __future__ import annotations

import pytest

from redcell.clinic import messages
from redcell.store import facts

PATH = "/patients/okafor/report"


def items(clinic) -> list[messages.Item]:
    """The inbox's items about Okafor."""
    with clinic.database.read() as connection:
        return messages.items(connection, ["okafor"])


@pytest.mark.trust("H4.1", "U4")
def test_a_red_flag_is_read_out_at_once_and_kept(work):
    page = work(PATH, js=False)
    script = page.locator(".ask-one .on-emergency .script")
    assert not script.is_visible()
    page.get_by_label("Even when I sit still").check()
    assert "Call 911" in script.inner_text(), "before anything is sent, without a script"
    page.get_by_role("radiogroup", name="Feeling tired").get_by_text("Moderate").click()
    page.get_by_label("Something else").fill("Since this morning.")
    page.get_by_role("button", name="Keep the report").click()
    assert "Call 911" in page.locator("[role=alert]").inner_text()
    (item,) = items(work.clinic)
    assert (item.pressure, item.taken_at is not None) == ("emergency", True)
    with work.clinic.database.read() as connection:
        (form,) = facts.by_names(connection, [tuple(item.resource.split("/"))])
    assert b"taken down by staff" in form.body
    page.get_by_role("link", name="To the chart").click()
    assert page.url.endswith("/patients/okafor")


def test_it_can_be_left_among_those_waiting(work):
    page = work(PATH, js=False)
    page.get_by_label("None of these, or none of the others").check()
    page.get_by_label("I am dealing with it").uncheck()
    page.get_by_role("button", name="Keep the report").click()
    assert "None of the answers asks for a call" in page.locator("main").inner_text()
    (item,) = items(work.clinic)
    assert item.waits


def test_an_empty_report_is_refused(work):
    page = work(PATH, js=False)
    page.get_by_role("button", name="Keep the report").click()
    assert "the report is empty" in page.locator("[role=alert]").inner_text()
    assert items(work.clinic) == []


@pytest.mark.trust("U2", "X7")
def test_by_keyboard_alone(work):
    page = work(PATH)
    page.locator("input[name=breath]").first.focus()
    page.keyboard.press("0")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.locator("input[name=s-fatigue]").first.focus()
    for key in "3", "w", "Enter", "2", "Enter", "0":
        page.keyboard.press(key)
    page.locator("#note").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/report/*")
    (item,) = items(work.clinic)
    assert "3 (worse)" in item.text
    assert "2" in item.text


def test_spanish_questions(work):
    page = work(PATH + "?language=es", js=False)
    assert page.locator(".ask-one legend span[lang=es]").count() == 1
    page.get_by_role("link", name="Ask in English").click()
    assert "Are you short of breath?" in page.locator(".ask-one legend").inner_text()


@pytest.mark.trust("U1", "X1")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe(look, axe, scheme):
    page = look(PATH, color_scheme=scheme)
    for width in (1280, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        assert axe(page) == [], width
        sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(sideways) <= 0, width


@pytest.mark.parametrize("who", ["joy", "admin"])
def test_not_for_others(look, who):
    page = look("", who)
    assert page.goto(look.address + PATH).status == 404
