"""Search and read of the audit: for those who may see it, and for patients about themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redcell.clinic.audit_event import resource_of
from redcell.store import persons, search
from redcell.store.search import Act, Key
from redcell.web.fhir import suppress
from redcell.web.fhir.access import may_see, visible
from redcell.web.fhir.criteria import Criteria
from redcell.web.fhir.find import Asked, Page
from redcell.web.fhir.outcome import FhirError, unknown

Json = dict[str, Any]


def events(asked: Asked, c: Criteria) -> Page:
    """Audit entries of a patient, or of everybody for those who see everybody, newest first."""
    people, patients = _people(asked, c)
    if people is not None and not people:
        return Page(total=0)
    low, high = _between(c)
    before = c.after.value if c.after is not None and isinstance(c.after.value, int) else None
    rows = search.acts(
        asked.connection,
        person=people,
        number=_number(c),
        between=(low, high),
        action=next((m.code or "" for group in c.anyof for m in group), ""),
        before=before,
        limit=c.count + 1,
    )
    shown = rows[: c.count]
    more = Key(shown[-1].seq, "x") if shown and len(rows) > len(shown) else None
    total = len(rows) if before is None and more is None else None
    return Page(tuple(resource_of(row) for row in _told(asked, shown)), total, more, patients)


def _told(asked: Asked, rows: Sequence[Act]) -> list[Act]:
    """What of entries is told: whoever answers for the audit of everybody sees all of it."""
    everybody = visible(asked.connection, asked.caller) is None
    return list(rows) if everybody else suppress.told_of(asked, rows)


def _people(asked: Asked, c: Criteria) -> tuple[list[str] | None, tuple[str | None, ...]]:
    """The persons asked about who may be seen; nobody named: `None` for those who see everybody."""
    connection = asked.connection
    limits = visible(connection, asked.caller)
    if not c.patients:
        if limits is None:
            return None, ()
        return sorted({persons.person_of(connection, p) for p in limits}), tuple(sorted(limits))
    named = {persons.person_of(connection, p) for group in c.patients for p in group}
    every = [p for one in sorted(named) for p in persons.patients_of(connection, one)]
    return [p for p in every if may_see(connection, asked.caller, p)], tuple(every)


def _number(c: Criteria) -> int | None:
    for group in c.ids:
        rid = group[0]
        if (
            len(group) > 1
            or not rid.isascii()
            or not rid.isdecimal()
            or len(rid) > len(str(1 << 59))
        ):
            raise FhirError(400, "value", "_id: expected one number.", "http._id")
        return int(rid)
    return None


def _between(c: Criteria) -> tuple[int | None, int | None]:
    lows: list[int] = []
    highs: list[int] = []
    for dated in c.dates:
        if len(dated.values) > 1 or dated.values[0].prefix in ("ne", "ap"):
            text = "date: one of eq, gt, ge, sa, lt, le, eb for each date."
            raise FhirError(400, "not-supported", text, "http.date")
        value = dated.values[0]
        match value.prefix:
            case "eq":
                lows.append(value.span.low)
                highs.append(value.span.high)
            case "ge":
                lows.append(value.span.low)
            case "gt" | "sa":
                lows.append(value.span.high)
            case "le":
                highs.append(value.span.high)
            case _:
                highs.append(value.span.low)
    return max(lows, default=None), min(highs, default=None)


def event(asked: Asked, rid: str) -> tuple[Json, tuple[str | None, ...]]:
    """One audit entry by its number.

    Raises:
        FhirError: 404 when it is not there, or about somebody whom the caller does not see.
    """
    plain = rid.isascii() and rid.isdecimal() and len(rid) < len(str(1 << 60))
    rows = search.acts(asked.connection, number=int(rid), limit=1) if plain else []
    if not rows or not may_see(asked.connection, asked.caller, rows[0].person):
        raise unknown("AuditEvent", rid)
    return resource_of(_told(asked, rows)[0]), (rows[0].person,)
