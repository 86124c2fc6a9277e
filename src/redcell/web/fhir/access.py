"""Whose data a caller may see, and the audit of what was seen or written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fastapi import Request
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic.intake import Sender
from redcell.identity.caller import STAFF, STRANGER, Caller
from redcell.identity.scopes import allows
from redcell.store import audit, persons
from redcell.store.audit import Entry
from redcell.web.fhir.outcome import FhirError

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic
    from redcell.web.fhir.respond import Json

FEED = "fhir"
"""The feed and the form of what comes over this API."""


def caller_of(request: Request) -> Caller:
    """Who asks."""
    found: Caller = getattr(request.state, "caller", STRANGER)
    return found


def clinic_of(request: Request) -> Clinic:
    """The clinic that is served."""
    found: Clinic = request.app.state.clinic
    return found


def visible(connection: Connection, caller: Caller) -> frozenset[str] | None:
    """The patient ids that a caller may see; `None` for everybody's."""
    if caller.launched:
        people: frozenset[str] = frozenset({caller.launched})
    elif caller.everyone or (caller.scopes is None and caller.has(*STAFF)):
        return None
    else:
        people = caller.people | caller.glass
    found = (persons.patients_of(connection, p) for p in people if caller.sees(p))
    return frozenset(patient for some in found for patient in some)


def may_see(connection: Connection, caller: Caller, patient: str | None) -> bool:
    """May the caller see something of this patient? What is of nobody: whoever sees everybody."""
    if patient is None:
        return visible(connection, caller) is None
    return caller.sees(persons.person_of(connection, patient))


def grant(caller: Caller, kind: str, letter: str, resource: Json | None = None) -> bool:
    """Do the scopes of the caller's token allow this?"""
    return allows(caller, kind, letter, resource)


def require(caller: Caller, kind: str, letter: str) -> None:
    """Refuse what the caller's token does not grant.

    Raises:
        FhirError: 403.
    """
    if not grant(caller, kind, letter):
        raise FhirError(403, "forbidden", f"the token does not grant {letter} on {kind}.")


def people_of(connection: Connection, patients: Iterable[str | None]) -> list[str]:
    """The persons behind patient ids."""
    wanted = {patient for patient in patients if patient}
    return sorted({persons.person_of(connection, patient) for patient in wanted})


def sender(caller: Caller) -> Sender:
    """The caller as one who sends."""
    return Sender(caller.account, caller.role, caller.origin)


async def tell(
    clinic: Clinic,
    caller: Caller,
    action: str,
    what: str,
    people: Iterable[str] = (),
    detail: str = "",
    outcome: str = "ok",
) -> None:
    """Write into the audit what was seen, before it is sent."""
    named: list[str | None] = [*dict.fromkeys(people)]
    at = clock.now()
    entries = [
        Entry(
            at=at,
            actor=caller.account,
            role=caller.role,
            action=action,
            what=what,
            person=person,
            origin=caller.origin,
            detail=detail,
            outcome=outcome,
        )
        for person in named or [None]
    ]
    await asyncio.wrap_future(clinic.writer.submit(lambda c: audit.append(c, entries)))
