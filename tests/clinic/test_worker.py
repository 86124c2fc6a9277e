"""The worker: each person assessed again after a change, once, whatever dies meanwhile."""

from __future__ import annotations

import json
import time

import pytest

from redcell import clock
from redcell.clinic import intake
from redcell.clinic.intake import Sender, arrived
from redcell.clinic.service import POLICY, Clinic
from redcell.clinic.settings import Settings, Site
from redcell.clinic.versions import decode_json
from redcell.clinic.worker import Worker
from redcell.sources.read import EXAMPLES
from redcell.store import assessments, events, jobs
from redcell.store.events import Event


@pytest.fixture
def clinic(database, store_address, tmp_path):
    address = store_address if "://" in store_address else ""
    settings = Settings(site=Site(forecast=False), database=address)
    found = Clinic(tmp_path / "data", settings)
    yield found
    found.close()


def fill(clinic, name: str = "okafor") -> None:
    bundle = decode_json((EXAMPLES / f"{name}.json").read_bytes())
    resources = [entry["resource"] for entry in bundle["entry"]]
    body = json.dumps(resources, default=float).encode()
    clinic.writer.write(
        lambda c: intake.take(
            c, arrived("lab", "fhir", name, body, clock.now()), resources, Sender("lab", "feed")
        )
    )


def line(clinic, person: str = "okafor"):
    with clinic.database.read() as connection:
        return assessments.line_of(connection, person)


def test_a_change_shows_on_the_worklist(clinic, moving):
    worker = Worker(clinic)
    worker.start()
    fill(clinic)
    deadline = time.monotonic() + 20
    while line(clinic) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    worker.stop()
    assert line(clinic).hemoglobin == 7.6


@pytest.mark.trust("D8", "H7.1")
@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"status": "corrected", "valueQuantity": {"value": 9.4, "unit": "g/dL"}}, 9.4),
        ({"status": "amended", "valueQuantity": {"value": 5.8, "unit": "g/dL"}}, 5.8),
        ({"status": "entered-in-error"}, 7.6),
    ],
    ids=["corrected", "amended", "entered in error"],
)
def test_a_correction_makes_a_new_assessment(clinic, change, shown):
    """The newest count is corrected or withdrawn: its old value decides nothing any more."""
    worker, at = Worker(clinic), clock.now()
    count = {
        "resourceType": "Observation", "id": "hb-x", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": "Patient/okafor"}, "effectiveDateTime": clock.iso(at),
        "valueQuantity": {"value": 7.1, "unit": "g/dL"},
    }  # fmt: skip

    def take(number: int, one: dict) -> tuple[int, float | None]:
        arrival = arrived("lab", "fhir", f"k{number}", b"{}", at + number)
        clinic.writer.write(lambda c: intake.take(c, arrival, [one], Sender("lab", "feed")))
        while worker.step():
            pass
        with clinic.database.read() as connection:
            return assessments.newest(connection, "okafor").id, line(clinic).hemoglobin

    fill(clinic)
    before, seen = take(1, count)
    assert seen == 7.1
    after, seen = take(2, count | change)
    assert (after > before, seen) == (True, shown)


def test_nothing_new_makes_no_new_assessment(clinic):
    worker = Worker(clinic)
    fill(clinic)
    worker.step()
    first = line(clinic).assessment
    clinic.writer.write(lambda c: jobs.request(c, intake.ASSESS, ["okafor"], at=clock.now()))
    assert worker.step() == 1
    assert line(clinic).assessment == first
    assert worker.step() == 0


def test_a_new_policy_makes_a_new_assessment(clinic):
    worker = Worker(clinic)
    fill(clinic)
    worker.step()
    text = (
        '[policy]\nname = "T"\nversion = "1"\n'
        '[transfusion.restrictive_hb]\nvalue = 7.5\nsource = "T, section 3"\n'
    )
    clinic.writer.write(lambda c: events.add(c, [Event(POLICY, 1, "rao", body={"text": text})]))
    clinic.writer.write(lambda c: jobs.request(c, intake.ASSESS, ["okafor"], at=clock.now()))
    first = line(clinic).assessment
    worker.step()
    assert line(clinic).assessment > first


@pytest.mark.trust("L8")
def test_a_job_that_fails_is_kept_and_said(clinic):
    def boom(_clinic, _job):
        raise RuntimeError("the name of Joy Okafor")

    worker = Worker(clinic, {intake.ASSESS: boom})
    fill(clinic)
    worker.step()
    with clinic.database.read() as connection:
        later = clock.now() + clock.MINUTE
        assert jobs.backlog(connection, at=later).failing == 1
    (job,) = clinic.writer.write(lambda c: jobs.claim(c, "w", at=later))
    assert job.attempts == 2
