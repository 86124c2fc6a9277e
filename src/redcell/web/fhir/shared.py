"""What the routes share: addresses, preferences, reading and writing with their audit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request, Response
from sqlalchemy.engine import Connection
from starlette.concurrency import run_in_threadpool

from redcell import clock
from redcell.clinic.resources import read_json
from redcell.clinic.versions import RefusedResourceError
from redcell.web.fhir import write
from redcell.web.fhir.access import caller_of, clinic_of, people_of, tell
from redcell.web.fhir.body import json_body
from redcell.web.fhir.find import Asked
from redcell.web.fhir.outcome import FhirError, Issue, outcome
from redcell.web.fhir.read import Read
from redcell.web.fhir.respond import answer, resource_of, version_headers
from redcell.web.fhir.suppress import NOTICE, SuppressedError
from redcell.web.fhir.write import Written

T = TypeVar("T")
Json = dict[str, Any]
NOT_MODIFIED, BAD = 304, 400


def base_of(request: Request) -> str:
    """The address of the FHIR API as others reach it."""
    own = clinic_of(request).settings.base_url.rstrip("/")
    return f"{own or str(request.base_url).rstrip('/')}/fhir"


def preferred(request: Request, name: str) -> str:
    """A preference of the Prefer header, such as `handling`."""
    sent = ",".join(request.headers.getlist("prefer")).replace(";", ",")
    pairs = (part.strip().partition("=") for part in sent.split(","))
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")


def strict(request: Request) -> bool:
    """Is what is not understood to be refused?"""
    return preferred(request, "handling") == "strict"


def pretty(request: Request) -> bool:
    """Is the answer to be indented?"""
    return request.query_params.get("_pretty") == "true"


async def reading(request: Request, work: Callable[[Asked], Read], action: str) -> Read:
    """Read in a thread, then write into the audit what was read."""
    clinic, caller = clinic_of(request), caller_of(request)

    def run() -> tuple[Read, list[str]]:
        with clinic.database.read() as connection:
            found = work(Asked(clinic, connection, caller, clock.now()))
            return found, people_of(connection, found.patients)

    try:
        found, people = await run_in_threadpool(run)
    except SuppressedError as error:
        await _tell_refused(request, action, error)
        raise
    await tell(clinic, caller, action, _path(request), people)
    return found


async def _tell_refused(request: Request, action: str, error: SuppressedError) -> None:
    """Write into the audit who was refused what is restricted."""
    clinic, caller = clinic_of(request), caller_of(request)

    def run() -> list[str]:
        with clinic.database.read() as connection:
            return people_of(connection, error.patients)

    people = await run_in_threadpool(run)
    await tell(clinic, caller, action, _path(request), people, outcome="refused")


def _path(request: Request) -> str:
    """The path without the query, which may hold names."""
    return request.url.path.removeprefix("/")[:200]


async def writing(request: Request, payload: bytes, work: Callable[[Asked], T]) -> T:
    """Write in the writer's transaction; what cannot be kept is kept as refused."""
    clinic, caller = clinic_of(request), caller_of(request)
    now = clock.now()

    def run(connection: Connection) -> T:
        return work(Asked(clinic, connection, caller, now))

    try:
        return await asyncio.wrap_future(clinic.writer.submit(run))
    except RefusedResourceError as error:
        await refuse(request, payload, error.code, error.text)
        raise
    except FhirError as error:
        if error.status == BAD:
            await refuse(request, payload, error.issues[0].code, error.issues[0].text)
        raise


async def refuse(request: Request, payload: bytes, code: str, text: str) -> None:
    """Keep a payload that cannot be used; it is listed and can be replayed."""
    clinic, caller = clinic_of(request), caller_of(request)
    now = clock.now()

    def keep(connection: Connection) -> None:
        asked = Asked(clinic, connection, caller, now)
        write.refuse(asked, payload, code, text)

    await asyncio.wrap_future(clinic.writer.submit(keep))


async def payload_of(request: Request) -> tuple[bytes, Json]:
    """The body as it came, and as JSON; what is no JSON is kept as refused."""
    payload = await json_body(request)
    try:
        return payload, read_json(payload)
    except RefusedResourceError as error:
        await refuse(request, payload, error.code, error.text)
        raise


def shown(request: Request, found: Read) -> Response:
    """The answer to a read; 304 for the version that the client has."""
    if request.headers.get("if-none-match", "").strip() == found.headers.get("ETag", "-"):
        return answer(None, NOT_MODIFIED, found.headers)
    return answer(found.body, 200, found.headers, pretty=pretty(request))


def stored(request: Request, written: Written) -> Response:
    """The answer to a write: headers always, the resource unless it is not wanted."""
    place = f"{base_of(request)}/{written.kind}/{written.rid}/_history/{written.stored}"
    headers = {"Location": place, **version_headers(written.fact)}
    wanted = preferred(request, "return")
    if written.hidden:
        return answer(outcome([NOTICE]), written.status, headers)
    if wanted == "minimal":
        return answer(None, written.status, headers)
    if wanted == "OperationOutcome":
        said = Issue("informational", "kept.", severity="information")
        return answer(outcome([said]), written.status, headers)
    return answer(resource_of(written.fact), written.status, headers, pretty=pretty(request))
