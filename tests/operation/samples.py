"""What the tests of operation take in, and how they let the background work finish."""

from __future__ import annotations

import asyncio
import json

import httpx

from redcell import clock
from redcell.clinic import corrections, intake, notices
from redcell.clinic.intake import ASSESS, Sender, arrived
from redcell.clinic.service import Clinic
from redcell.clinic.versions import decode_json
from redcell.sources.read import EXAMPLES
from redcell.store import jobs

BY = Sender("lab", "feed")
HANDLERS = {ASSESS: corrections.assess, **notices.HANDLERS}


def bundled(name: str = "okafor") -> list[dict]:
    """The resources of an example patient."""
    bundle = decode_json((EXAMPLES / f"{name}.json").read_bytes())
    return [entry["resource"] for entry in bundle["entry"]]


def take(clinic: Clinic, *resources: dict, key: str = "k", at: int | None = None) -> None:
    """Take resources in."""
    when = at or clock.now()
    body = json.dumps(resources, default=float).encode()
    arrival = arrived("lab", "fhir", key, body, when)
    clinic.writer.write(lambda c: intake.take(c, arrival, resources, BY))


def fill(clinic: Clinic) -> None:
    """Take in the example patient."""
    take(clinic, *bundled(), key="okafor")


def hemoglobin(rid: str, who: str, value: float, status: str = "final", **more) -> dict:
    """One result of two days ago."""
    day = clock.iso(clock.now() - 2 * clock.DAY)
    return {
        "resourceType": "Observation",
        "id": rid,
        "status": status,
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": f"Patient/{who}"},
        "effectiveDateTime": day[:10],
        "valueQuantity": {"value": value, "unit": "g/dL", "code": "g/dL"},
        **more,
    }


def settle(clinic: Clinic, at: int | None = None) -> None:
    """Do every job that is due, those that they ask for too; as the worker does it."""
    for _ in range(50):
        now = at or clock.now()
        found = clinic.writer.write(
            lambda c, now=now: jobs.claim(c, "test", at=now, kinds=tuple(HANDLERS), most=20)
        )
        if not found:
            return
        for job in found:
            _do(clinic, job, now)


def _do(clinic: Clinic, job: jobs.Job, at: int) -> None:
    try:
        effect = HANDLERS[job.kind](clinic, job)
    except Exception as error:
        said = type(error).__name__
        clinic.writer.write(lambda c: jobs.fail(c, job, said, at=at))
        return

    def finish(connection) -> None:
        if effect is not None:
            effect(connection)
        jobs.finish(connection, job, at=at)

    clinic.writer.write(finish)


def calls(app, method: str, path: str) -> httpx.Response:
    """One request to an application in this process."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://redcell") as client:
            return await client.request(method, path)

    return asyncio.run(ask())
