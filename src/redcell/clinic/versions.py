"""A FHIR resource as a version to keep: whose it is, which version counts, how it is found."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from redcell.clinic.sensitivity.labels import Level, level_of
from redcell.clock import micros
from redcell.errors import RedcellError
from redcell.record.moment import utc
from redcell.sources.fhir.read import READERS, UNOWNED
from redcell.sources.fhir.reading import tail
from redcell.sources.fhir.times import BadTimeError, moment
from redcell.store.facts import Reading, Token, Version
from redcell.store.persons import IDENTIFIER, LINK

Json = dict[str, Any]

KINDS = frozenset(
    {
        *READERS,
        *UNOWNED,
        "Appointment",
        "Communication",
        "DiagnosticReport",
        "FamilyMemberHistory",
        "Practitioner",
        "Specimen",
    }
)
"""The types of resource that are kept: those that are read, and those that are shown."""

ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
PLAIN, REPLACING, WITHDRAWN = 1, 2, 3
RANKED = frozenset({"Observation", "DiagnosticReport"})
RANKS = {
    "registered": -1,  # an announcement never takes the place of a result
    "preliminary": 0,
    "partial": 0,
    "amended": REPLACING,
    "corrected": REPLACING,
    "appended": REPLACING,
}
ONE_PERSON = frozenset({"", "MR", "MRN", "PI", "PT", "PN", "RI", "U"})
"""Types of identifier that name one human being; the others never join two Patients."""

decode_json = msgspec.json.Decoder(float_hook=Decimal).decode
"""JSON with decimals kept as they were written: 7.60 stays 7.60."""
encode_json = msgspec.json.Encoder(decimal_format="number").encode
_sorted = msgspec.json.Encoder(decimal_format="number", order="sorted").encode


class RefusedResourceError(RedcellError):
    """The resource cannot be kept. `path` is where the problem stands, as a FHIRPath."""

    def __init__(self, code: str, path: str, text: str) -> None:
        super().__init__(text)
        self.code, self.path, self.text = code, path, text


def version_of(resource: Json, received: int) -> Version:
    """The version of a resource that came in at `received`.

    Raises:
        RefusedResourceError: it is of no kind that is kept, or has no usable id.
    """
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in KINDS:
        shown = kind if isinstance(kind, str) and kind.isalpha() else "missing or no text"
        raise RefusedResourceError(
            "not-supported",
            "resourceType",
            f"resourceType is {shown[:60]}; redcell keeps: {', '.join(sorted(KINDS))}.",
        )
    rid = resource.get("id")
    if not isinstance(rid, str) or not ID.fullmatch(rid):
        raise RefusedResourceError(
            "value", f"{kind}.id", f"{kind}.id is not an id: 1 to 64 of A-Z a-z 0-9 - and dot."
        )
    meta = resource.get("meta")
    asserted = _asserted(meta if isinstance(meta, dict) else {}, received)
    plain = {name: value for name, value in resource.items() if name != "meta"}
    kept_meta = _without_server_parts(meta) if isinstance(meta, dict) else {}
    if kept_meta:
        plain["meta"] = kept_meta
    whole = {"resourceType": kind, "id": rid, **plain}
    body = encode_json(whole)
    if b"\\u0000" in body and NUL.search(body):
        raise RefusedResourceError("value", kind, "a text holds a NUL, which FHIR does not allow.")
    return Version(
        kind=kind,
        rid=rid,
        patient=owner_of(resource),
        rank=_rank(kind, resource.get("status"), own_time=asserted is not None),
        asserted=asserted if asserted is not None else received,
        received=received,
        hash=_sealed(whole, body),
        body=body,
        own_time=asserted is not None,
        tokens=_tokens(kind, resource),
        reading=_reading(resource) if kind == "Observation" else None,
    )


NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def seal(body: bytes) -> str:
    """A hash over what a kept body says, whatever the order of its names."""
    return hashlib.sha256(_sorted(decode_json(body))).hexdigest()


def is_sealed(body: bytes, hash_: str) -> bool:
    """Does a body still say what it said when it was kept?"""
    try:
        return seal(body) == hash_
    except (msgspec.DecodeError, ValueError):
        return False


def _sealed(whole: Json, body: bytes) -> str:
    """`seal` of the body of this resource, without reading it again where that says the same."""
    text = _sorted(whole)
    if any(form.search(text) for form in WRITTEN_OTHERWISE):
        return seal(body)
    return hashlib.sha256(text).hexdigest()


WRITTEN_OTHERWISE = tuple(
    re.compile(before + rb"-?(?:[0-9][0-9.]*e|0[,}\]])") for before in (b":", b",", rb"\[")
)
"""Numbers that change their form when they are read: 1e22 becomes 1E+22, and -0 becomes 0.

By what stands before them, each alone: a search for one character is much the quicker one.
"""


def _asserted(meta: Json, received: int) -> int | None:
    """The sender's own time of this version; one in the future is not believed."""
    text = meta.get("lastUpdated")
    if not isinstance(text, str):
        return None
    at = _micros(text)
    return at if at is not None and at <= received else None


def _without_server_parts(meta: Json) -> Json:
    return {k: v for k, v in meta.items() if k not in ("versionId", "lastUpdated")}


def _rank(kind: str, status: object, *, own_time: bool) -> int:
    """What a version counts for before its time does.

    Of versions with the sender's own times a correction after a withdrawal counts again; without
    such times nothing says which came last, and the withdrawal stands: the safe reading.
    """
    if status == "entered-in-error":
        return REPLACING if own_time else WITHDRAWN
    if kind in RANKED and isinstance(status, str):
        return RANKS.get(status, PLAIN)
    return PLAIN


def owner_of(resource: Json) -> str | None:
    """The patient id that a resource names as its subject; a Patient is its own."""
    if resource.get("resourceType") == "Patient":
        rid = resource.get("id")
        return rid if isinstance(rid, str) else None
    for name in ("subject", "patient"):
        found = _referred(resource.get(name))
        if found:
            return found
    for participant in _objects(resource.get("participant")):
        found = _referred(participant.get("actor"))
        if found:
            return found
    return None


def _referred(reference: object) -> str | None:
    """The id of a Patient that a reference names."""
    text = reference.get("reference") if isinstance(reference, dict) else None
    if not isinstance(text, str):
        return None
    kind, _, rid = tail(text).rpartition("/")
    return rid if kind == "Patient" and ID.fullmatch(rid) else None


# -- how it is found -----------------------------------------------------------------------------


def _objects(value: object) -> Sequence[Json]:
    if isinstance(value, dict):
        return (value,)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else ()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


CONCEPTS = {
    "code": "code",
    "category": "category",
    "medicationCodeableConcept": "code",
    "vaccineCode": "code",
    "clinicalStatus": "clinical-status",
    "verificationStatus": "verification-status",
    "type": "type",
}
CODES = {"status": "status", "intent": "intent", "gender": "gender", "birthDate": "birthdate"}


def _codings(value: object) -> list[Json]:
    found = [c for concept in _objects(value) for c in _objects(concept.get("coding"))]
    return [c for c in found if _text(c.get("code"))]


LONGEST_TIME = 64
"""Characters of a time whose meaning is kept in memory."""
LONGEST_TOKEN = 255
"""Characters of a code that can be searched for; a longer one is kept, but not found by."""


def _tokens(kind: str, resource: Json) -> tuple[Token, ...]:
    """Each once."""
    found = dict.fromkeys(_all_tokens(kind, resource))
    return tuple(t for t in found if max(len(t.system), len(t.code)) <= LONGEST_TOKEN)


def _all_tokens(kind: str, resource: Json) -> list[Token]:
    found: list[Token] = []
    for element, value in resource.items():
        if element in CONCEPTS:
            param = CONCEPTS[element]
            found += [Token(param, _text(c.get("system")), c["code"]) for c in _codings(value)]
        elif element in CODES and _text(value):
            found.append(Token(CODES[element], "", value))
        elif element == "identifier":
            found += (t for one in _objects(value) for t in _identifier(kind, one))
    if kind == "Patient":
        for link in _objects(resource.get("link")):
            other = _referred(link.get("other"))
            if other:
                found.append(Token(LINK, _text(link.get("type")), other))
    if kind == "Observation" and _spans(resource):
        found.append(Token(SPANS, "", "yes"))
    level = level_of(resource)
    if level > Level.OPEN:
        found.append(Token(RESTRICTED, "", level.name))
    return found


RESTRICTED = "restricted"
"""Token of a resource with a label that restricts it; its code is the level."""
SPANS = "effective-spans"
"""Token of an Observation that is about longer than a moment or a day."""


def _spans(resource: Json) -> bool:
    day = len("2026-11-28")
    time = _text(resource.get("effectiveDateTime"))
    return "effectivePeriod" in resource or 0 < len(time) < day


def _identifier(kind: str, identifier: Json) -> Iterator[Token]:
    system, value = _text(identifier.get("system")), _text(identifier.get("value"))
    if not value:
        return
    yield Token("identifier", system, value)
    if kind == "Patient" and system and identifier.get("use") != "old":
        kinds = {coding["code"] for coding in _codings(identifier.get("type"))} or {""}
        if kinds & ONE_PERSON:
            yield Token(IDENTIFIER, system, value)


TIMES = ("effectiveDateTime", "effectiveInstant", "issued")


def _reading(resource: Json) -> Reading | None:
    codings = _codings(resource.get("code"))
    code = codings[0]["code"] if codings else ""
    time = _time(resource)
    if time is None:
        return None
    value: float | None = None
    unit = ""
    for quantity in _objects(resource.get("valueQuantity")):
        number = quantity.get("value")
        if isinstance(number, (int, float, Decimal)) and not quantity.get("comparator"):
            value = float(number)
        unit = _text(quantity.get("code")) or _text(quantity.get("unit"))
    return Reading(code[:LONGEST_TOKEN], time, value, unit[:LONGEST_TOKEN])


def _time(resource: Json) -> int | None:
    period = resource.get("effectivePeriod")
    start = period.get("start") if isinstance(period, dict) else None
    for text in (*(resource.get(name) for name in TIMES), start):
        if isinstance(text, str) and text:
            return _micros(text) if len(text) <= LONGEST_TIME else _micros.__wrapped__(text)
    return None


@lru_cache(maxsize=256)
def _micros(text: str) -> int | None:
    """A time as written; the results of one message have the same."""
    try:
        return micros(utc(moment(text)[0].time).time)
    except BadTimeError:
        return None
