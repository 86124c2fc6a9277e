"""The team's inbox: who waits for whom, and what is done about it."""

from __future__ import annotations

import pytest

from pages import site
from redcell import clock
from redcell.clinic import inbox, messages
from redcell.clinic.refresh import CHANGED
from redcell.clinic.settings import Notice
from redcell.clock import MINUTE
from redcell.identity import accounts
from redcell.store import events, jobs, search


def fill(clinic) -> dict[str, int]:
    """A red flag, a call, a question: their numbers."""

    def write(connection) -> None:
        at = clock.now()
        for person, pressure, key in (("okafor", "emergency", "a"), ("alvarez", "now", "b")):
            messages.report_came(
                connection, person=person, actor="someone", at=at - 20 * MINUTE, key=key,
                resource=f"QuestionnaireResponse/report-{key}", pressure=pressure,
                text="Shortness of breath at rest 3 (new); Fatigue 2", call="emergency_breath",
            )  # fmt: skip
        messages.send(
            connection, person="brown", actor="someone", text="May I come later?", at=at - MINUTE
        )

    clinic.writer.write(write)
    with clinic.database.read() as connection:
        return {item.person: item.id for item in messages.items(connection)}


def item_of(clinic, number: int) -> messages.Item:
    """An item as it stands."""
    with clinic.database.read() as connection:
        return next(item for item in inbox.items(clinic, connection) if item.id == number)


@pytest.mark.trust("H4.3")
def test_red_flags_stand_first_and_the_timer_is_in_words(work):
    fill(work.clinic)
    page = work("/messages", js=False)
    assert page.locator(".mail h2").all_inner_texts() == [
        "OKAFOR, Joy",
        "ALVAREZ, Rosa",
        "BROWN, T.",
    ]
    assert "Overdue by 5 min" in page.locator(".mail").first.inner_text()
    assert "Escalates in" in page.locator(".mail").last.inner_text()
    assert "2 with a red flag" in page.locator(".title").inner_text()


@pytest.mark.trust("S7.1")
def test_open_take_answer_close(work):
    numbers = fill(work.clinic)
    page = work(f"/messages/{numbers['okafor']}", js=False)
    assert item_of(work.clinic, numbers["okafor"]).opened_by
    assert "Call 911" in page.locator(".note.alarm").inner_text()
    page.get_by_role("button", name="Take it").click()
    assert item_of(work.clinic, numbers["okafor"]).taken_at
    page.get_by_label("The patient reads this").fill("Please go to the emergency room now.")
    page.get_by_role("button", name="Send the answer").click()
    page.get_by_label("Called the patient").check()
    page.get_by_role("button", name="Close", exact=True).click()
    item = item_of(work.clinic, numbers["okafor"])
    assert (item.closed_why, len(item.answers)) == ("Called the patient", 1)
    assert "Closed by M. Chen RN" in page.locator("main").inner_text()
    with work.clinic.database.read() as connection:
        acts = [a.what for a in search.acts(connection, person=["okafor"], limit=9)]
    assert f"message {numbers['okafor']}: close" in acts


def test_the_patient_reads_the_answer(work):
    numbers = fill(work.clinic)
    page = work(f"/messages/{numbers['brown']}", js=False)
    page.get_by_label("The patient reads this").fill("Yes, Wednesday at 8.")
    page.get_by_role("button", name="Send the answer").click()
    item = item_of(work.clinic, numbers["brown"])
    assert [a.body["text"] for a in item.answers] == ["Yes, Wednesday at 8."]
    assert not item.waits


def test_give_to_a_colleague_and_back(work):
    numbers = fill(work.clinic)
    site.sign_in(work.clinic, "doctor")
    page = work(f"/messages/{numbers['alvarez']}", js=False)
    page.get_by_label("Colleague").select_option(label="Dr. A. Rao")
    page.get_by_role("button", name="Give", exact=True).click()
    item = item_of(work.clinic, numbers["alvarez"])
    with work.clinic.database.read() as connection:
        doctor = accounts.by_login(connection, "doctor")
    assert doctor is not None
    assert item.to == doctor.id
    assert item.waits, "the timer goes on until the colleague takes it"
    theirs = work("/messages?tab=mine", "doctor", js=False)
    assert theirs.locator(".mail h2").all_inner_texts() == ["ALVAREZ, Rosa"]
    theirs.get_by_role("button", name="Take").click()
    page.reload()
    page.get_by_role("button", name="Put it back for everybody").click()
    assert item_of(work.clinic, numbers["alvarez"]).waits


def test_what_a_colleague_has_cannot_be_taken(work):
    numbers = fill(work.clinic)
    stale = work("/messages", js=False)
    work("/messages", "doctor", js=False).get_by_role("button", name="Take").first.click()
    stale.get_by_role("button", name="Take").first.click()
    assert "A colleague has taken this on" in stale.locator("[role=alert]").inner_text()
    item = item_of(work.clinic, numbers["okafor"])
    with work.clinic.database.read() as connection:
        assert inbox.names(connection, {item.taken_by}) == {item.taken_by: "Dr. A. Rao"}


def test_write_to_a_patient(work):
    page = work("/messages", js=False)
    page.get_by_role("link", name="Write to a patient").first.click()
    page.get_by_label("Name or MRN").fill("okaf")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="OKAFOR, Joy").click()
    page.get_by_label("Message").fill("Please come on Tuesday.\nAt 8.")
    page.get_by_role("button", name="Send").click()
    assert "Please come on Tuesday." in page.locator(".said.ours").inner_text()
    with work.clinic.database.read() as connection:
        (item,) = messages.items(connection, ["okafor"])
    assert item.from_team
    assert not item.waits


def test_an_empty_answer_is_refused(work):
    numbers = fill(work.clinic)
    page = work(f"/messages/{numbers['brown']}", js=False)
    page.locator("#answer textarea").evaluate("area => area.required = false")
    page.get_by_role("button", name="Send the answer").click()
    assert "Write the answer first." in page.locator("[role=alert]").inner_text()


@pytest.mark.trust("H4.3", "S7.1")
def test_escalation_goes_step_by_step_and_tells_the_destinations(own):
    clinic, _ = own
    numbers = fill(clinic)
    settings = clinic.settings
    pager = Notice("pager", url="https://pager.example.org")
    clinic.settings = type(settings)(site=settings.site, notices=(pager,))
    first = clock.now()
    assert inbox.escalate(clinic, at=first) == 1
    assert inbox.escalate(clinic, at=first) == 0
    assert item_of(clinic, numbers["okafor"]).steps == 1
    assert inbox.escalate(clinic, at=first + 50 * MINUTE) == 2
    with clinic.database.write() as connection:
        waiting = jobs.claim(connection, "w", at=first + 60 * MINUTE, kinds=("notice",), most=9)
        told = events.select(connection, messages.ESCALATED)
    assert {job.key for job in waiting} == {
        f"item-{numbers['okafor']}-step-1 pager", f"item-{numbers['okafor']}-step-2 pager",
        f"item-{numbers['alvarez']}-step-1 pager",
    }  # fmt: skip
    assert len(told) == 3
    assert CHANGED not in {e.kind for e in told}


@pytest.mark.parametrize("who", ["admin", "joy"])
@pytest.mark.parametrize("path", ["/messages", "/patients/brown/messages", "/messages/new"])
def test_not_for_others(look, who, path):
    page = look("", who)
    answer = page.goto(look.address + path)
    assert answer.status in (403, 404)


def test_nobody_waits(look):
    page = look("/messages", js=False)
    assert "Nobody is waiting" in page.locator(".state").inner_text()


@pytest.mark.trust("U1", "X1")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe(work, axe, scheme):
    numbers = fill(work.clinic)
    page = work(color_scheme=scheme)
    for path in ("/messages", f"/messages/{numbers['okafor']}", "/patients/okafor/messages"):
        for width in (1280, 390, 320):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(work.address + path)
            assert axe(page) == [], (path, width)
            assert page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            ) <= 0, (path, width)  # fmt: skip
