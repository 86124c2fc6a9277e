"""The worklist: who needs action, taking and finishing a line, by mouse, by keys, without script."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from pages import site
from redcell import clock
from redcell.clinic import refresh, worklist
from redcell.store import assessments, audit, events
from redcell.store.schema import audit as audit_table

FIRST = "ol.lines > li:first-child"


def until(page, claim: str) -> None:
    """Wait for a claim to hold; asked from outside, because the policy lets no page evaluate it."""
    for _ in range(100):
        if page.evaluate(claim):
            return
        page.wait_for_timeout(100)
    raise AssertionError(claim)


def until_kept(page, clinic, *expected: str) -> None:
    """Wait until these are the events of the person: a line may go before its answer is kept."""
    for _ in range(100):
        if kinds(clinic) == list(expected):
            return
        page.wait_for_timeout(100)
    assert kinds(clinic) == list(expected)


def line(page, person: str):
    return page.locator(f"#line-{person}")


def kinds(clinic, person: str = "okafor") -> list[str]:
    with clinic.database.read() as connection:
        found = events.select(connection, *worklist.KINDS, person=person)
    return [event.kind for event in found]


# -- what is on the list ---------------------------------------------------------------------------


@pytest.mark.trust("H2.3", "S1.5")
def test_the_list_is_in_the_order_of_need(look):
    page = look("/today")
    names = page.locator("ol.lines h2").all_inner_texts()
    assert names[:3] == ["ALVAREZ, Rosa", "PATEL, S.", "OKAFOR, Joy"]
    assert "BROWN, T." in names, "an overdue count needs action"
    assert "QUIET, Q." not in names
    marks = page.locator("ol.lines .urgency-mark").all_inner_texts()
    assert marks[0] == "Emergency"


def test_a_line_says_all_of_it(look):
    text = line(look("/today"), "okafor").inner_text()
    for wanted in (
        "7.6",
        "0.8",
        "grade 3",
        "62 F",
        "MRN 00417733",
        "fatigue 2",
        "S-R9",
        "tomorrow",
    ):
        assert wanted in text, wanted
    assert re.search(r"6\d %", text), "the probability of red cells"
    page = look("/today")
    course = line(page, "okafor").locator("svg.spark").get_attribute("aria-label")
    assert course == "9.2 to 7.6 in 12 weeks, 8 counts"


@pytest.mark.trust("H2.2", "H2.3", "S1.1")
def test_held_withheld_and_overdue_are_said(look):
    page = look("/today")
    assert "withheld" in line(page, "patel").inner_text()
    assert "Held, not used" in line(page, "patel").inner_text()
    assert "result held" in line(page, "patel").inner_text()
    assert "overdue" in line(page, "brown").inner_text()


def test_tabs_carry_their_counts(look):
    page = look("/today")
    tabs = page.locator(".list-tabs a").all_inner_texts()
    assert tabs[0].split() == ["Needs", "action", "today", "4"]
    page.get_by_role("link", name=re.compile("Held for review")).click()
    assert page.locator("ol.lines h2").all_inner_texts() == ["PATEL, S."]
    page.get_by_role("link", name=re.compile("^All")).click()
    assert page.locator("ol.lines > li").count() == 7


def test_search_by_name_and_number(look):
    page = look("/today?tab=all")
    page.get_by_label("Name or MRN").fill("okáfor joy")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.locator("ol.lines h2").all_inner_texts() == ["OKAFOR, Joy"]
    page.goto(look.address + "/today?tab=all&q=00400003")
    assert page.locator("ol.lines h2").all_inner_texts() == ["BROWN, T."]
    page.goto(look.address + "/today?tab=all&q=xyz")
    assert page.get_by_role("heading", name="Nobody fits").is_visible()
    page.goto(look.address + "/today?tab=all&grade=3")
    assert "OKAFOR, Joy" in page.locator("ol.lines h2").all_inner_texts()


@pytest.mark.trust("S6")
def test_a_name_that_is_a_script_does_nothing(look):
    page = look("/today?tab=all")
    assert "<SCRIPT>WINDOW.HACKED=1</SCRIPT>" in page.content().replace("&lt;", "<").replace(
        "&gt;", ">"
    )
    assert page.evaluate("window.hacked") is None


@pytest.mark.trust("P7")
def test_the_list_and_its_people_are_in_the_audit(look):
    look("/today?tab=held")
    with look.clinic.database.read() as connection:
        newest = connection.execute(
            audit_table.select().order_by(audit_table.c.seq.desc()).limit(1)
        ).one()
        audit.verify(connection)
    assert (newest.what, newest.detail) == ("today held", "1 people: patel")


# -- acting, by mouse ------------------------------------------------------------------------------


def test_take_and_finish_a_line_by_mouse(work):
    page = work("/today")
    line(page, "okafor").get_by_role("button", name="Take").click()
    page.wait_for_selector("#line-okafor .owner >> text=You")
    line(page, "okafor").get_by_role("link", name="Snooze, done").click()
    panel = page.locator("#panel-okafor")
    panel.get_by_text("Red cells arranged").click()
    panel.get_by_role("button", name="Done").click()
    line(page, "okafor").wait_for(state="detached")
    assert kinds(work.clinic) == ["claimed", "done"]
    page.goto(work.address + "/today?tab=watching")
    assert "Done" in line(page, "okafor").inner_text()
    line(page, "okafor").get_by_role("button", name="Put back").click()
    line(page, "okafor").wait_for(state="detached")
    page.goto(work.address + "/today")
    assert line(page, "okafor").is_visible()


def test_a_snooze_needs_an_end_and_a_reason(work):
    page = work("/today")
    line(page, "okafor").get_by_role("link", name="Snooze, done").click()
    panel = page.locator("#panel-okafor")
    panel.get_by_role("button", name="Snooze").click()
    panel.get_by_role("alert").wait_for()
    assert "when the snooze ends" in panel.get_by_role("alert").inner_text()
    panel.get_by_text("4 hours").click()
    panel.get_by_role("button", name="Snooze").click()
    until(page, "document.querySelector('#panel-okafor [role=alert]').innerText.includes('why')")
    panel.get_by_text("4 hours").click()
    panel.get_by_text("Waiting for a result").click()
    panel.get_by_role("button", name="Snooze").click()
    line(page, "okafor").wait_for(state="detached")
    with work.clinic.database.read() as connection:
        (event,) = events.select(connection, "snoozed")
    assert event.body["reason"] == "Waiting for a result"


# -- acting, by keys only --------------------------------------------------------------------------


@pytest.mark.trust("U2", "X7")
def test_take_and_finish_a_line_by_single_keys(work):
    page = work("/today")
    page.wait_for_selector("#keys:visible")
    for key in ("j", "j", "j"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.innerText") == "OKAFOR, Joy"
    page.keyboard.press("t")
    page.wait_for_selector("#line-okafor .owner >> text=You")
    until(page, "document.activeElement.innerText === 'OKAFOR, Joy'")
    page.keyboard.press("d")
    until(page, "document.activeElement.type === 'radio'")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    line(page, "okafor").wait_for(state="detached")
    until_kept(page, work.clinic, "claimed", "done")


def test_enter_opens_the_chart_and_keys_can_be_turned_off(look):
    page = look("/today")
    page.wait_for_selector("#keys:visible")
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.get_by_label("Single keys are on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.tagName") != "A"
    page.locator("#keys").click()
    page.get_by_label("Single keys are on").check()
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/patients/alvarez")


def test_single_keys_leave_the_browser_its_own(look):
    page = look("/today")
    page.wait_for_selector("#keys:visible")
    page.keyboard.press("Control+j")
    page.keyboard.press("Alt+t")
    assert page.evaluate("document.activeElement.tagName") != "A"
    page.get_by_label("Name or MRN").focus()
    page.keyboard.type("jtzd?")
    assert page.get_by_label("Name or MRN").input_value() == "jtzd?"


@pytest.mark.trust("U2", "X7")
@pytest.mark.parametrize("js", [True, False])
def test_take_and_finish_a_line_by_tab_and_enter(work, js):
    page = work("/today", js=js)
    tab_to(page, "Take", "okafor")
    page.keyboard.press("Enter")
    page.wait_for_selector("#line-okafor .owner >> text=You")
    tab_to(page, "Snooze, done", "okafor")
    page.keyboard.press("Enter")
    page.wait_for_selector("input[value='Called, no change']")
    page.locator("input[name=why]").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**/today**")
    line(page, "okafor").wait_for(state="detached")
    assert kinds(work.clinic) == ["claimed", "done"]


def tab_to(page, words: str, person: str) -> None:
    inside = f"document.activeElement.closest('#line-{person}') && document.activeElement.innerText"
    for _ in range(120):
        page.keyboard.press("Tab")
        if words in (page.evaluate(inside) or ""):
            return
    raise AssertionError(f"{words} is not reached by Tab")


# -- without a script ------------------------------------------------------------------------------


@pytest.mark.trust("X3")
def test_everything_is_done_without_a_script(work):
    page = work("/today?tab=action", js=False)
    line(page, "okafor").get_by_role("button", name="Take").click()
    assert "You" in line(page, "okafor").locator(".owner").inner_text()
    line(page, "okafor").get_by_role("link", name="Snooze, done").click()
    page.get_by_text("2 hours").click()
    page.get_by_role("button", name="Snooze", exact=True).click()
    assert "Say why" in page.get_by_role("alert").inner_text()
    page.get_by_text("2 hours").click()
    page.get_by_text("Patient will be called").click()
    page.get_by_role("button", name="Snooze", exact=True).click()
    assert line(page, "okafor").count() == 0
    page.get_by_role("link", name=re.compile("Watching")).click()
    assert "Snoozed to" in line(page, "okafor").inner_text()
    line(page, "okafor").get_by_role("button", name="Put back").click()
    page.goto(work.address + "/today/line/okafor")
    page.get_by_role("button", name="Give it back").click()
    assert kinds(work.clinic) == ["claimed", "snoozed", "reopened", "unclaimed"]


@pytest.mark.trust("U11", "H1.5")
def test_a_form_of_another_patient_is_refused_and_audited(work):
    page = work("/today", js=False)
    page.goto(work.address + "/today/line/okafor")
    form = page.locator("form", has=page.get_by_role("button", name="Take"))
    token = form.locator("input[name=csrf]").get_attribute("value")
    answer = page.request.post(
        work.address + "/today/line/okafor/claim",
        form={"csrf": token, "for_person": "brown", "state": "x"},
        headers={"accept": "text/html"},
    )
    assert answer.status == 409
    assert "another patient" in answer.text()
    assert kinds(work.clinic) == []
    with work.clinic.database.read() as connection:
        refused = connection.execute(
            audit_table.select().where(audit_table.c.outcome == "refused")
        ).one()
    assert refused.person == "okafor"


@pytest.mark.trust("S5")
def test_without_a_token_nothing_is_done(work):
    page = work("/today", js=False)
    answer = page.request.post(
        work.address + "/today/line/okafor/claim", form={"for_person": "okafor"}
    )
    assert answer.status == 403
    assert kinds(work.clinic) == []


# -- what changes ----------------------------------------------------------------------------------


def drop(clinic, value: float, minutes: int = 1) -> None:
    """Somebody's next count comes in and is assessed."""
    when = site.NOW + timedelta(minutes=minutes)
    at = clock.micros(when)
    count = site.hemoglobin(f"new-{minutes}", "lindqvist", value, when)
    site.take(clinic, [count], f"new-{minutes}", at)
    site.assess(clinic, "lindqvist", at)


@pytest.mark.trust("D8", "H7.1")
def test_a_new_result_appears_within_seconds_and_a_red_flag_is_told(work):
    page = work("/today")
    until(page, "document.querySelectorAll('.line').length === 4")
    page.wait_for_timeout(1500)
    drop(work.clinic, 6.4)
    line(page, "lindqvist").wait_for(timeout=6000)
    until(page, "document.getElementById('news').innerText.includes('LINDQVIST')")
    assert page.locator("#news").get_attribute("aria-live") == "polite"


def test_a_finished_line_returns_only_on_a_change_of_state(work):
    page = work("/today", js=False)
    page.goto(work.address + "/today/line/lindqvist")
    page.get_by_text("Known to the team").click()
    page.get_by_role("button", name="Done").click()
    assert kinds(work.clinic, "lindqvist") == ["done"]
    drop(work.clinic, 8.8, 1)
    page.goto(work.address + "/today?tab=watching")
    assert "Done" in line(page, "lindqvist").inner_text(), "the same state: still done"
    drop(work.clinic, 7.1, 2)
    page.goto(work.address + "/today")
    assert line(page, "lindqvist").get_by_role("button", name="Take").is_visible()


def test_a_line_that_changed_while_it_was_looked_at_is_not_finished(work):
    page = work("/today/line/lindqvist", js=False)
    drop(work.clinic, 6.9)
    page.get_by_text("Known to the team").click()
    page.get_by_role("button", name="Done").click()
    assert "has changed" in page.get_by_role("alert").inner_text()
    assert kinds(work.clinic, "lindqvist") == []


@pytest.mark.trust("U9", "P5", "H2.1")
def test_a_silent_feed_is_on_every_page(chromium, tmp_path):
    from pages.conftest import Looker

    clinic = site.make(tmp_path / "stale", silence_hours=2.0)
    site.take(clinic, site.named(site.bundled(), "Okafor", "Joy", "1"), "k", site.AT - clock.DAY)
    with site.clock_at(site.AT), site.served(clinic) as address:
        site.assess(clinic, "okafor")
        looker = Looker(chromium, clinic, address, [], [], [])
        for path in ("/today", "/patients/okafor", "/patients/okafor/results", "/nowhere"):
            page = looker(path)
            said = page.get_by_role("region", name="Data may be out of date").inner_text()
            assert "lab feed has been silent since" in said
            assert site.PHONE in said
        page = looker("/today?tab=overdue")
        assert "May be incomplete." in page.locator("main").inner_text()
    clinic.close()


def test_an_empty_clinic_says_what_to_do_next(chromium, tmp_path):
    from pages.conftest import Looker

    clinic = site.make(tmp_path / "empty")
    with site.clock_at(site.AT), site.served(clinic) as address:
        page = Looker(chromium, clinic, address, [], [], [])("/today")
        assert page.get_by_role("heading", name="No patients yet").is_visible()
        assert "No feed has sent anything yet" in page.content()
    clinic.close()


# -- the huddle sheet, strangers -------------------------------------------------------------------


@pytest.mark.trust("U3")
def test_the_huddle_sheet_prints_on_two_pages_at_most(look):
    page = look("/today/huddle")
    assert page.locator("table.huddle tbody tr").count() == 4
    pages = page.pdf(format="Letter").count(b"/Type /Page\n")
    assert 1 <= pages <= 2


@pytest.mark.trust("S1")
def test_strangers_and_patients_see_no_list(look):
    assert look("/today", who="").url.endswith("/sign-in?next=/today")
    page = look(who="joy")
    assert page.goto(look.address + "/today").status == 404
    assert "ALVAREZ" not in page.content()


def test_one_look_a_second_serves_every_page(work):
    for _ in range(3):
        work("/today")
    page = work("/today")
    page.wait_for_timeout(3000)
    with work.clinic.database.read() as connection:
        assert worklist.mark_of(connection)[0] == assessments.newest(connection, "evil").id
    assert refresh.CHANGED == "state-changed"
