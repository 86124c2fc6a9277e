"""The demonstration's days: what patients wrote, what the team did, chairs and stock. Invented.

It is kept once, as events, beside the people that the generator made, so that no page of a
demonstration is empty. Each part is skipped where the folder has nobody to play it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic import chairs, messages, policies, releases, reports, safety
from redcell.clinic.chairs import Single, Week
from redcell.clinic.intake import Sender
from redcell.clinic.messages import Item
from redcell.clinic.policies import Proposal, ProposalError
from redcell.clinic.releases import Release
from redcell.clinic.reports import Answer, Report
from redcell.clock import DAY, HOUR, MINUTE
from redcell.knowledge.load import Knowledge
from redcell.store import events, jobs
from redcell.store.events import Event

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic
    from redcell.clinic.worker import Effect, Handler
    from redcell.store.jobs import Job

LIVED = "demo-lived"
"""The kind of event that says that the days of a demonstration were made."""
PROPOSE = "demo-propose"
"""The kind of job that proposes a change of the rules: it tries them for a sample of the people."""
LATER = 2 * MINUTE
WEEK = Week((5, 5, 5, 5, 5, 2, 0), (9, 9, 9, 9, 9, 5, 0))
BOOKED = (31.0, 35.5, 27.0, 38.0, 40.5, 6.0)
"""Chair hours that others have booked, Monday to Saturday."""
STOCK = {"O": 22, "A": 18, "B": 6, "AB": 2}
HOLIDAY = 8
"""About how many days ahead the center is closed for a day."""
THRESHOLD, VALUE = "transfusion.restrictive_hb", 7.5
COMMITTEE = "Transfusion committee, invented example"


class Scene(Struct, frozen=True):
    """What one patient reported or wrote, and how long ago."""

    ago: int
    answers: tuple[Answer, ...] = ()
    temperature_c: float | None = None
    text: str = ""
    """A message instead of a report; or the note of a report."""
    taken: str = ""
    """Who of the team has taken it on: a login."""
    answer: str = ""
    closed: str = ""


SCENES = (
    Scene(
        2 * DAY, text="May I have my next blood test at the clinic near my home?", taken="nurse",
        answer="Yes. We have sent the order there. Please go on Tuesday morning.",
    ),
    Scene(11 * MINUTE, (Answer("dyspnea-at-rest", 3, course="new"), Answer("fatigue", 3))),
    Scene(38 * MINUTE, (Answer("rigors", 2, course="new"), Answer("fatigue", 2)), 38.4),
    Scene(3 * HOUR, text="My tablets are running low. Can somebody renew them this week?"),
    Scene(
        5 * HOUR, (Answer("fatigue", 2, course="worse"), Answer("dizziness", 1)),
        text="I get tired on the stairs now.", taken="physician",
    ),
    Scene(26 * HOUR, text="Thank you for the call. I feel better now.", closed="Nothing to do"),
    Scene(7 * HOUR, text="Is it safe to travel for two days next week?"),
)  # fmt: skip
"""The first one is the patient's whose account the demonstration has."""


def live(
    connection: Connection,
    accounts: Mapping[str, str],
    people: Sequence[str],
    knowledge: Knowledge,
    *,
    at: int,
    today: date,
) -> bool:
    """Make the days, once; false when they are there. `accounts`: the account of each login."""
    if not events.add(connection, [Event(LIVED, at, "redcell", key="lived")]):
        return False
    for number, (person, scene) in enumerate(zip(people, SCENES, strict=False)):
        _play(connection, scene, person, f"demo-scene-{number}", accounts, knowledge, at)
    if people and "physician" in accounts:
        _release(connection, people[0], accounts["physician"], today, at)
    if "infusion" in accounts:
        _chairs(connection, accounts, today, at)
    if "admin" in accounts:
        _log(connection, accounts["admin"], at)
        jobs.request(connection, PROPOSE, [accounts["admin"]], at=at, run_after=at + LATER)
    return True


def _play(
    connection: Connection,
    scene: Scene,
    person: str,
    key: str,
    accounts: Mapping[str, str],
    knowledge: Knowledge,
    at: int,
) -> None:
    then = at - scene.ago
    if scene.answers:
        by = Sender(person, "patient", "demo")
        made = Report(
            key, person, then, person, scene.answers,
            temperature_c=scene.temperature_c, note=scene.text,
        )  # fmt: skip
        reports.check(made, knowledge)
        reports.keep(connection, made, knowledge, by)
    else:
        messages.send(
            connection, person=person, actor=person, text=scene.text, at=then, key=key
        )  # fmt: skip
    item = messages.items(connection, [person])[0]
    _treat(connection, scene, item, accounts, then)


def _treat(
    connection: Connection, scene: Scene, item: Item, accounts: Mapping[str, str], then: int
) -> None:
    """What the team did about it."""
    who = accounts.get(scene.taken or "nurse", "")
    if not who or not (scene.taken or scene.closed):
        return
    messages.act(connection, messages.OPENED, item, actor=who, at=then + 9 * MINUTE)
    if scene.closed:
        messages.act(
            connection, messages.CLOSED, item, actor=who, at=then + HOUR, text=scene.closed
        )  # fmt: skip
        return
    messages.act(connection, messages.TAKEN, item, actor=who, at=then + 10 * MINUTE)
    if scene.answer:
        messages.act(
            connection, messages.ANSWERED, item, actor=who, at=then + HOUR, text=scene.answer
        )  # fmt: skip


def _release(connection: Connection, person: str, by: str, today: date, at: int) -> None:
    plan = Release(
        person, by, "Dr. Anand Rao", at - DAY,
        lines=("Rest breaks. Short walks.", "Bring your list of tablets."),
        next_test=f"{(today + timedelta(days=3)).isoformat()}T08:00",
        talk_at=8.0, iron="untested", self_care=("sleep", "take-breaks"),
    )  # fmt: skip
    releases.release(connection, plan)


def _chairs(connection: Connection, accounts: Mapping[str, str], today: date, at: int) -> None:
    by = accounts["infusion"]
    chairs.set_week(connection, WEEK, actor=by, at=at - 6 * DAY)
    ahead = [d for d in chairs.days_ahead(today, 14) if d.weekday() < len(BOOKED)]
    days = {d: Single(booked=BOOKED[d.weekday()]) for d in ahead}
    closed = next(d for d in ahead if d >= today + timedelta(days=HOLIDAY) and d.weekday() < 5)  # noqa: PLR2004
    days[closed] = Single(closed=True)
    after = next(d for d in ahead if d > closed)
    days[after] = Single(booked=WEEK.open_hours(after))
    chairs.set_days(connection, days, actor=by, at=at - 3 * HOUR)
    stock = accounts.get("blood-bank", by)
    chairs.set_stock(connection, STOCK, actor=stock, at=at - 2 * HOUR)


def _log(connection: Connection, by: str, at: int) -> None:
    entry = safety.Entry(
        what="A count reached the list 40 minutes late: the interface of the laboratory was down.",
        harm="near miss", hazard="H2", done="The interface was restarted; the lab was called.",
        by=by, at=at - 4 * DAY,
    )  # fmt: skip
    safety.add(connection, entry, key="demo-safety")


def _propose(clinic: Clinic, job: Job) -> Effect:
    """The job: a change of a threshold that waits for its second reader."""
    with clinic.database.read() as connection:
        before = policies.in_force(clinic, connection).text
        name = clinic.settings.site.name
        text = policies.with_number(before, THRESHOLD, VALUE, COMMITTEE, site=name)
        predicted = policies.predict(clinic, connection, text, at=job.wanted)
    made = Proposal(
        text, "The committee asks for a higher threshold", COMMITTEE, before,
        by=job.key, at=job.wanted, predicted=predicted,
    )  # fmt: skip

    def effect(connection: Connection) -> None:
        try:
            policies.propose(connection, clinic, made, key="demo-proposal")
        except ProposalError:  # somebody changed the rules meanwhile
            return

    return effect


HANDLERS: dict[str, Handler] = {PROPOSE: _propose}
