"""A small clinic of invented people, and a server over it: for the tests and the screenshots."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn

from redcell import clock
from redcell.clinic import intake, refresh
from redcell.clinic.intake import Sender, arrived
from redcell.clinic.service import Clinic, make_store
from redcell.clinic.settings import Feed, Settings, Site
from redcell.clinic.versions import decode_json
from redcell.identity import accounts, sessions
from redcell.record.moment import utc
from redcell.sources.read import EXAMPLES
from redcell.web.app import Options, create_app

NOW = datetime(2026, 11, 22, 9, 42, tzinfo=UTC)
AT = clock.micros(NOW)
LAB = Sender("lab", "feed")
PHONE = "555-0100"
PEOPLE = {
    "nurse": ("M. Chen RN", {"nurse"}, None),
    "doctor": ("Dr. A. Rao", {"physician"}, None),
    "admin": ("T. Vance", {"admin"}, None),
    "second": ("N. Ito", {"admin"}, None),
    "chair": ("L. Gomez", {"infusion"}, None),
    "bank": ("B. Bank", {"blood-bank"}, None),
    "joy": ("Joy", {"patient"}, "okafor"),
}
EVIL = "<script>window.hacked=1</script>"
"""Somebody whose record tries to run scripts."""


def settings(**more: Any) -> Settings:
    """The settings of the test site."""
    site = Site(name="Main Campus", environment="DEMO", phone=PHONE, time_zone="UTC", **more)
    return Settings(site=site, feeds=(Feed("lab"),), secure_cookies=False)


def bundled(name: str = "okafor") -> list[dict[str, Any]]:
    """The resources of a bundled example."""
    found = decode_json((EXAMPLES / f"{name}.json").read_bytes())
    return [entry["resource"] for entry in found["entry"]]


def named(resources: list[dict[str, Any]], family: str, given: str, mrn: str) -> list[Any]:
    """Give the person a name and a record number."""
    for one in resources:
        if one["resourceType"] == "Patient":
            one["name"] = [{"use": "official", "family": family, "given": [given]}]
            kind = {"coding": [{"code": "MR"}]}
            one["identifier"] = [{"type": kind, "system": "urn:mrn", "value": mrn}]
    return resources


def built(rid: str, family: str, given: str, mrn: str, **words: Any) -> list[dict[str, Any]]:
    """Somebody in the words of the tests' builder, under ids of their own."""
    from builder import bundle

    resources = [entry["resource"] for entry in bundle(**words)["entry"]]
    new = {}
    for one in resources:
        kind, old = one["resourceType"], one["id"]
        new[f"{kind}/{old}"] = f"{kind}/{rid}" if kind == "Patient" else f"{kind}/{rid}.{old}"
    made = _renamed(resources, new)
    for one, old in zip(made, resources, strict=True):
        one["id"] = new[f"{old['resourceType']}/{old['id']}"].partition("/")[2]
    return named(made, family, given, mrn)


def _renamed(value: Any, new: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(inner, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, new) for inner in value]
    return new.get(value, value) if isinstance(value, str) else value


def hemoglobin(rid: str, who: str, value: float, at: datetime, **more: Any) -> dict[str, Any]:
    """One count."""
    return {
        "resourceType": "Observation",
        "id": rid,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": f"Patient/{who}"},
        "effectiveDateTime": at.isoformat(),
        "valueQuantity": {"value": value, "unit": "g/dL", "code": "g/dL"},
        **more,
    }


def take(clinic: Clinic, resources: list[Any], key: str, at: int = AT) -> tuple[str, ...]:
    """Take resources in; the persons whom they are about."""
    body = json.dumps(resources, default=float).encode()
    arrival = arrived("lab", "fhir", key, body, at)
    taken = clinic.writer.write(lambda c: intake.take(c, arrival, resources, LAB))
    return taken.persons


def assess(clinic: Clinic, person: str, at: int = AT) -> None:
    """Assess a person, as the background worker does."""
    basis = clinic.basis()
    with clinic.database.read() as connection:
        found = refresh.assess(connection, person, basis, at=at)
    assert found is not None
    clinic.writer.write(lambda c: refresh.keep(c, found, basis))


EARLIER = (63, 35, 21)
"""Days before now at which Okafor was assessed, with a forecast each time."""


def few() -> Iterator[list[dict[str, Any]]]:
    """A handful of people, one for each thing that the list can say."""
    from builder import new, taken

    yield built("alvarez", "Alvarez", "Rosa", "00400001", hemoglobin=[(0, 6.9), (-7, 7.7)],
                symptoms={"dyspnea-at-rest": new(3)}, therapy={"capecitabine": taken()})  # fmt: skip
    yield built("patel", "Patel", "S.", "00400002", hemoglobin=[(0, 11.9), (-1.2, 8.5)])
    yield built("brown", "Brown", "T.", "00400003", hemoglobin=[(-45, 9.6)],
                therapy={"capecitabine": taken()})  # fmt: skip
    yield built("lindqvist", "Lindqvist", "A.", "00400004", hemoglobin=[(0, 8.8), (-14, 9.0)])
    yield built("quiet", "Quiet", "Q.", "00400005", hemoglobin=[(0, 12.6), (-20, 12.5)])
    yield built("evil", EVIL, 'x"><img src=x onerror=window.hacked=1>', "0040'\"<6",
                hemoglobin=[(0, 9.9), (-10, 10.4)])  # fmt: skip


def fill(clinic: Clinic, count: int = 0) -> None:
    """Okafor with her history, a handful around her, and `count` people of the generator."""
    take(clinic, named(bundled(), "Okafor", "Joy", "00417733"), "okafor")
    for days in EARLIER:
        assess(clinic, "okafor", AT - days * clock.DAY)
    assess(clinic, "okafor")
    for number, resources in enumerate(few()):
        for person in take(clinic, resources, f"few-{number}"):
            assess(clinic, person)
    if count:
        from redcell.population.synthesize.generate import people

        for number, one in enumerate(people(count, seed=7, at=utc(NOW))):
            for person in take(clinic, list(one.resources), f"made-{number}"):
                assess(clinic, person)


def crowd(clinic: Clinic, count: int = 10) -> None:
    """People who will soon need red cells."""
    from builder import taken

    for n in range(count):
        counts = [(-1, 7.0 + n / 10), (-15, 7.8 + n / 10), (-29, 8.4 + n / 10)]
        made = built(f"soon{n}", f"Soon{n}", "X.", f"00600{n}", hemoglobin=counts,
                     therapy={"capecitabine": taken()})  # fmt: skip
        for person in take(clinic, made, f"soon-{n}"):
            assess(clinic, person)


PLAYS = {
    "nurse": "nurse",
    "physician": "doctor",
    "infusion": "chair",
    "blood-bank": "bank",
    "admin": "admin",
}
"""Who of this site plays whom of the demonstration."""


def live(clinic: Clinic) -> None:
    """The days of a clinic at work: messages, a released plan, chairs and stock, administration."""
    from redcell.clinic import background, chairs, demo_days

    for who in PEOPLE:
        sign_in(clinic, who)
    known = clinic.basis().knowledge
    people = ("okafor", "alvarez", "brown", "lindqvist", "patel", "quiet", "soon1")

    def write(connection: Any) -> None:
        found = {role: accounts.by_login(connection, who) for role, who in PLAYS.items()}
        logins = {role: one.id for role, one in found.items() if one is not None}
        demo_days.live(connection, logins, people, known, at=AT, today=NOW.date())
        week = chairs.Week((1,) * 5 + (0, 0), (5.0,) * 5 + (0, 0))
        chairs.set_week(connection, week, actor=logins["infusion"], at=AT)
        few = {NOW.date() + timedelta(days=n): chairs.Single(booked=n % 3 / 2) for n in range(12)}
        few[NOW.date() + timedelta(days=4)] = chairs.Single(closed=True)
        chairs.set_days(connection, few, actor=logins["infusion"], at=AT)

    clinic.writer.write(write)
    put_by(clinic, hemoglobin("late", "okafor", 7.4, clock.when(AT)), "held", "one")
    put_by(clinic, {"resourceType": "Nonsense<script>", "id": "x"}, "refused", "two")
    worker = background.assessor(clinic)
    with clock_at(AT + demo_days.LATER):
        while worker.step():
            pass


def put_by(clinic: Clinic, resources: Any, outcome: str, key: str) -> int:
    """Something that was not used; its number."""
    body = json.dumps(resources, default=float).encode()
    arrival = arrived("lab", "fhir", key, body, AT)
    return clinic.writer.write(
        lambda c: intake.put_by(c, arrival, outcome, "unit-not-understood", "unit 'x'", LAB)
    ).arrival


TRUE, CLOCKS = clock.now, []
"""The machine's clock, and those that stand in for it now, the last one in force."""


@contextmanager
def clock_at(at: int) -> Iterator[None]:
    """The service's clock runs on from a fixed moment; contexts may end in any order."""
    start = time.monotonic()

    def now() -> int:
        return at + int((time.monotonic() - start) * clock.SECOND)

    CLOCKS.append(now)
    clock.now = now
    try:
        yield
    finally:
        CLOCKS.remove(now)
        clock.now = CLOCKS[-1] if CLOCKS else TRUE


def sign_in(clinic: Clinic, who: str, at: int | None = None) -> str:
    """A session's cookie for somebody of the team, or for Joy."""
    name, roles, person = PEOPLE[who]
    now = clock.now() if at is None else at

    def write(connection: Any) -> str:
        known = accounts.by_login(connection, who)
        if known is None:
            accounts.add(connection, who, name, roles, at=now, person=person)
            known = accounts.by_login(connection, who)
        assert known is not None
        return sessions.start(connection, known, at=now, times=clinic.settings.sign_in)

    return clinic.writer.write(write)


@contextmanager
def served(clinic: Clinic) -> Iterator[str]:
    """A running server; its address."""
    config = uvicorn.Config(
        create_app(clinic, Options(works=False)), host="127.0.0.1", port=0, log_level="error",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(400):
        if server.started:
            break
        time.sleep(0.025)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


def make(folder: Path, **more: Any) -> Clinic:
    """An empty clinic in a folder."""
    found = settings(**more)
    make_store(folder, found)
    return Clinic(folder, found)


def numbers(clinic: Clinic) -> dict[str, str]:
    """What stands for the places in an address, in a clinic at work."""
    from redcell.clinic import held, messages, policies

    with clinic.database.read() as connection:
        items = messages.waiting(connection)
        waiting = held.waiting(connection)
        proposals = policies.open_proposals(connection)
        known = accounts.by_login(connection, "nurse")
    assert known is not None
    return {
        "item": str(items[0].id),
        "held": str(waiting[0].number),
        "proposal": str(proposals[0].id),
        "account": known.id,
    }
