"""The eight main tasks by Tab, Enter, Space and arrows alone: no mouse, no focus put by a script."""

from __future__ import annotations

import re

import pytest

from pages import site
from pages.test_release import current
from redcell.clinic import messages, worklist
from redcell.store import events

pytestmark = pytest.mark.trust("U2", "X7")
MOST = 250
SEEN = """e => {
  const marked = one => {
    const style = getComputedStyle(one);
    return style.outlineStyle !== "none" || style.boxShadow !== "none";
  };
  return [e, e.parentElement, ...(e.labels || [])].some(marked);
}"""
"""Does one see where the focus is?"""

WIDTHS = pytest.mark.parametrize("width", [1280, 390, 320])


def reach(page, wanted) -> None:
    """Press Tab until this has the focus, and see that it has."""
    for _ in range(MOST):
        page.keyboard.press("Tab")
        if wanted.evaluate("e => e === document.activeElement"):
            assert wanted.evaluate(SEEN), "the focus is not seen"
            assert wanted.is_visible()
            return
    raise AssertionError(f"Tab does not lead to {wanted}")


def use(page, wanted, key: str = "Enter") -> None:
    """Go there and press it."""
    reach(page, wanted)
    page.keyboard.press(key)


@WIDTHS
def test_find_who_needs_action_and_see_why_a_number_is_low(look, width):
    page = look("/today", width=width)
    line = page.locator("#line-okafor")
    use(page, line.get_by_role("link", name="OKAFOR, Joy", exact=True))
    page.wait_for_url("**/patients/okafor")
    low = page.locator("a", has_text="S-R9").first
    use(page, low)
    page.wait_for_url("**/why/**")
    assert "7.6" in page.locator("main").inner_text()


@WIDTHS
def test_take_and_finish_a_line(work, width):
    page = work("/today", width=width)
    line = page.locator("#line-okafor")
    use(page, line.get_by_role("button", name="Take"))
    page.wait_for_selector("#line-okafor .owner >> text=You")
    use(page, line.get_by_role("link", name="Snooze, done"))
    panel = page.locator("#panel-okafor")
    panel.wait_for()
    use(page, panel.locator("input[name=why]").first, "Space")
    use(page, panel.get_by_role("button", name="Done"))
    line.wait_for(state="detached")
    with work.clinic.database.read() as connection:
        found = events.select(connection, *worklist.KINDS, person="okafor")
    assert [event.kind for event in found] == ["claimed", "done"]


@WIDTHS
def test_accept_an_option_with_a_reason(work, width):
    page = work("/patients/okafor", width=width)
    option = page.locator("details.decide").first
    use(page, option.locator("summary"))
    use(page, option.get_by_label("Accept"), "Space")
    reach(page, option.get_by_label("Reason"))
    page.keyboard.type("Talked over with her.")
    use(page, option.locator("button.main"))
    page.wait_for_selector("text=Talked over with her.")
    assert "accepted" in page.locator("p.kept").first.inner_text()


@WIDTHS
def test_release_a_plan(work, width):
    page = work("/patients/okafor/release", "doctor", width=width)
    reach(page, page.get_by_label("One line for each thing"))
    page.keyboard.type("Rest breaks.")
    use(page, page.get_by_label("Not tested"), "Space")
    use(page, page.get_by_role("button", name="See it as the patient will"))
    page.wait_for_selector("#h-plan")
    assert current(work.clinic) is None
    use(page, page.get_by_role("button", name="Release with my name"))
    page.wait_for_selector("text=Take it back")
    made = current(work.clinic)
    assert made is not None
    assert made.lines == ("Rest breaks.",)


@WIDTHS
def test_review_a_held_result(look, width):
    page = look("/today", width=width)
    use(page, page.get_by_role("link", name=re.compile("Held for review")))
    page.wait_for_url("**tab=held**")
    use(page, page.get_by_role("link", name="PATEL, S.", exact=True))
    page.wait_for_url("**/patients/patel")
    use(page, page.get_by_role("link", name="Results", exact=True).first)
    page.wait_for_url("**/results**")
    assert "held" in page.locator("main").inner_text().lower()


@WIDTHS
def test_report_symptoms(work, width):
    page = work("/me", "joy", width=width)
    use(page, page.get_by_role("link", name=re.compile("Tell us")))
    page.wait_for_url("**/me/report**")
    reach(page, page.locator("input[name=breath]").first)
    page.keyboard.press("ArrowDown")
    reach(page, page.locator("#s-fatigue-0"))
    page.keyboard.press("ArrowRight")
    use(page, page.get_by_role("button", name="Send"))
    page.wait_for_url("**/me/report/*")
    with work.clinic.database.read() as connection:
        (item,) = messages.items(connection, ["okafor"])
    assert "fatigue 1" in item.text


@WIDTHS
@pytest.mark.parametrize(("path", "who"), [("/me", "joy"), ("/today", "nurse")])
def test_find_the_phone_number(look, path, who, width):
    page = look(path, who, width=width)
    number = page.locator(f"a[href^='tel:']:has-text('{site.PHONE}')").first
    reach(page, number)
