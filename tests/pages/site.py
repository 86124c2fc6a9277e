"""A small clinic of invented people, and a server over it: for the tests and the screenshots."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
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
    """Somebody in the words of the tests' builder, under an id of their own."""
    from builder import bundle

    text = json.dumps(bundle(**words))
    for entry in json.loads(text)["entry"]:
        old = entry["resource"]["id"]
        if entry["resource"]["resourceType"] == "Patient":
            text = text.replace(f"Patient/{old}", f"Patient/{rid}")
            text = text.replace(f'"id": "{old}"', f'"id": "{rid}"')
    resources = [entry["resource"] for entry in json.loads(text)["entry"]]
    for one in resources:
        if one["resourceType"] != "Patient":
            new = f"{rid}-{one['id']}"[:64]
            text = json.dumps(resources)
            one["id"] = new
    return named(resources, family, given, mrn)


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


def fill(clinic: Clinic, count: int = 12) -> None:
    """Okafor, and invented people around her."""
    from redcell.population.synthesize.generate import people

    take(clinic, named(bundled(), "Okafor", "Joy", "00417733"), "okafor")
    assess(clinic, "okafor")
    for number, one in enumerate(people(count, seed=7, at=utc(NOW))):
        for person in take(clinic, list(one.resources), f"made-{number}"):
            assess(clinic, person)


@contextmanager
def clock_at(at: int) -> Iterator[None]:
    """The service's clock runs on from a fixed moment."""
    real, start = clock.now, time.monotonic()
    clock.now = lambda: at + int((time.monotonic() - start) * clock.SECOND)
    try:
        yield
    finally:
        clock.now = real


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
