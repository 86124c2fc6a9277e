"""Create and update: conditions first, then one transaction with the arrival as it came."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import replace

from redcell import clock
from redcell.clinic import intake
from redcell.clinic.intake import arrived
from redcell.clinic.resources import kept
from redcell.clinic.sensitivity.labels import labeled_as
from redcell.clinic.versions import KINDS, decode_json
from redcell.store import facts, persons, search
from redcell.store.facts import Fact, Version
from redcell.store.search import Key
from redcell.web.fhir.access import FEED, grant, may_see, sender
from redcell.web.fhir.criteria import criteria
from redcell.web.fhir.find import CHUNK, Asked, fits, query_of
from redcell.web.fhir.outcome import FhirError, unknown

Json = dict[str, Any]
IF_NONE_EXIST = "http.If-None-Exist"
IF_MATCH = re.compile(r'\s*(?:W/)?"(\d{1,12})"\s*')


class Change(Struct, frozen=True):
    """What is to be written."""

    kind: str
    resource: Json
    rid: str = ""
    """Where to; empty for a create."""
    if_none_exist: str = ""
    if_match: int | None = None
    place: str = ""
    """Where it stands in a Bundle."""
    letter: str = "c"
    """What a token must grant: c(reate) or u(pdate)."""


class Written(Struct, frozen=True):
    """What became of it."""

    kind: str
    rid: str
    status: int
    stored: int
    """Number of the version that was sent."""
    fact: Fact
    """The version that counts now."""
    hidden: bool = False
    """Is that version withheld from who wrote?"""


def change(asked: Asked, payload: bytes, one: Change) -> Written:
    """Write one resource; inside a writing transaction.

    Raises:
        FhirError: a condition is not met, or it is not for this caller.
        RefusedResourceError: it cannot be kept.
    """
    if one.if_none_exist:
        found = only(asked, one)
        if found is not None:
            return existing(asked, one.kind, found)
    version = prepared(asked, one)
    return keep(asked, payload, [version])[0]


def only(asked: Asked, one: Change) -> str | None:
    """The id of the only resource that meets the condition; `None` when there is none.

    Raises:
        FhirError: 412 when there are several.
    """
    found = matching(asked, one.kind, one.if_none_exist)
    if len(found) > 1:
        text = "several resources meet the condition; nothing was written."
        raise FhirError(412, "multiple-matches", text, one.place or IF_NONE_EXIST)
    return found[0] if found else None


def existing(asked: Asked, kind: str, rid: str) -> Written:
    """What is there already."""
    fact = facts.read_one(asked.connection, kind, rid)
    if fact is None or not may_see(asked.connection, asked.caller, fact.patient):
        raise unknown(kind, rid)
    return Written(kind, rid, 200, fact.version, fact, _hidden(asked, fact))


def _hidden(asked: Asked, fact: Fact) -> bool:
    return asked.sight.hides(fact.patient, decode_json(fact.body))


def matching(asked: Asked, kind: str, query: str) -> list[str]:
    """Ids of the resources that meet a condition; two are enough to know that there are several.

    Raises:
        FhirError: the condition is empty or not understood.
    """
    address, mark, condition = query.partition("?")
    if mark and address.rpartition("/")[2] not in ("", kind):
        raise FhirError(400, "invalid", "the condition is about another type.", IF_NONE_EXIST)
    c = criteria(kind, parse_qsl(condition if mark else query), strict=True)
    if not c.used:
        raise FhirError(412, "required", "the condition is empty.", IF_NONE_EXIST)
    if any(m.param == "identifier" and not m.code for group in c.anyof for m in group):
        text = "the condition names a system and no value: it could mean anybody."
        raise FhirError(412, "required", text, IF_NONE_EXIST)
    patients: frozenset[str] | None = None
    for group in c.patients:
        own = [persons.person_of(asked.connection, named) for named in group]
        every = frozenset(p for one in own for p in persons.patients_of(asked.connection, one))
        patients = every if patients is None else patients & every
    wide = replace(asked, caller=replace(asked.caller, scopes=None))
    found: list[str] = []
    after: Key | None = None
    while len(found) < 2:  # noqa: PLR2004  (several)
        rows = search.find(asked.connection, query_of(c, patients), after=after, limit=CHUNK)
        found += [row.rid for row in rows if fits(wide, c, decode_json(row.body), row.received)]
        if len(rows) < CHUNK:
            break
        after = Key(rows[-1].key, rows[-1].rid)
    return found[:2]


def prepared(asked: Asked, one: Change) -> Version:
    """The version to keep, after every check.

    Raises:
        FhirError: 403 or 404 for another's patient, 412 when `If-Match` names another version.
        RefusedResourceError: it cannot be kept.
    """
    resource = {**one.resource, "id": one.rid or str(uuid4())}
    before = facts.read_one(asked.connection, one.kind, one.rid) if one.rid else None
    if before is not None and not may_see(asked.connection, asked.caller, before.patient):
        raise unknown(one.kind, one.rid)
    if one.if_match is not None and (before is None or before.version != one.if_match):
        now = f"version {before.version}" if before else "not there"
        text = f"If-Match names version {one.if_match}; {one.kind}/{one.rid} is {now}."
        raise FhirError(412, "conflict", text, one.place or "http.If-Match")
    if before is not None:
        resource = _untimed(asked, one, resource)
        if _hidden(asked, before):
            resource = labeled_as(resource, decode_json(before.body))
    version = kept(resource, asked.now)
    if not grant(asked.caller, one.kind, one.letter, resource):
        raise FhirError(403, "forbidden", "the token does not grant this.", one.place)
    if not may_see(asked.connection, asked.caller, version.patient) and version.patient:
        text = "you may not write for this patient."
        raise FhirError(403, "forbidden", text, one.place or f"{one.kind}.subject")
    return version


def _untimed(asked: Asked, one: Change, resource: Json) -> Json:
    """Without a `meta.lastUpdated` that we gave out: who sends it back means now.

    Another time is the sender's own and orders the versions, as in every feed.
    """
    meta = resource.get("meta")
    if not isinstance(meta, dict) or "lastUpdated" not in meta:
        return resource
    past = search.versions(asked.connection, one.kind, one.rid)
    ours = {clock.iso(version.received) for version in past}
    if one.if_match is None and meta["lastUpdated"] not in ours:
        return resource
    return {**resource, "meta": {k: v for k, v in meta.items() if k != "lastUpdated"}}


def keep(asked: Asked, payload: bytes, versions: Sequence[Version]) -> list[Written]:
    """Keep versions that came together, with the payload as it came."""
    arrival = arrived(FEED, FEED, str(uuid4()), payload, asked.now)
    taken = intake.take_versions(asked.connection, arrival, versions, sender(asked.caller))
    written = []
    for version, became in zip(versions, taken.kept, strict=True):
        fact = facts.read_one(asked.connection, version.kind, version.rid)
        assert fact is not None  # noqa: S101  (it was just kept)
        status = 201 if became.new and became.version == 1 else 200
        hidden = _hidden(asked, fact)
        written.append(Written(version.kind, version.rid, status, became.version, fact, hidden))
    return written


def refuse(asked: Asked, payload: bytes, code: str, text: str) -> None:
    """Keep a payload that was refused; it is listed and can be replayed."""
    arrival = arrived(FEED, FEED, str(uuid4()), payload, asked.now)
    intake.put_by(asked.connection, arrival, "refused", code, text, sender(asked.caller))


def wanted_version(header: str | None) -> int | None:
    """The version that an `If-Match` names.

    Raises:
        FhirError: 400 for anything else.
    """
    if header is None or header.strip() == "*":
        return None
    found = IF_MATCH.fullmatch(header)
    if found is None:
        text = 'If-Match is not a version; expected W/"3".'
        raise FhirError(400, "value", text, "http.If-Match")
    return int(found[1])


def require_kept(kind: str) -> None:
    """Refuse a type of resource that is not kept.

    Raises:
        FhirError: 404.
    """
    if kind not in KINDS:
        shown = kind if kind.isalpha() and kind.isascii() else "this type"
        known = ", ".join(sorted(KINDS))
        raise FhirError(404, "not-supported", f"{shown[:60]} is not kept. redcell keeps: {known}.")
