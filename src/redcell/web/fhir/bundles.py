"""Batches and transactions: entries by their methods, links and conditions resolved.

A transaction is kept whole or not at all, and its arrival holds the Bundle as it came. In a batch
each entry stands for itself. Types that redcell does not keep are left out and said so: EHR exports
carry claims and organizations beside what matters here.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

from msgspec import Struct
from msgspec.structs import replace

from redcell.clinic.resources import URN, linked, parts_of
from redcell.clinic.versions import (
    ID,
    KINDS,
    RefusedResourceError,
    decode_json,
    encode_json,
    version_of,
)
from redcell.store import facts
from redcell.store.facts import Version
from redcell.web.fhir import write
from redcell.web.fhir.access import require
from redcell.web.fhir.find import Asked
from redcell.web.fhir.outcome import FhirError, Issue, outcome, refused, within
from redcell.web.fhir.respond import etag, resource_of
from redcell.web.fhir.write import Change, Written

Json = dict[str, Any]
CREATED = 201
TYPES = ("transaction", "batch", "collection")
OPTIONAL = frozenset({"Practitioner", "Specimen"})
"""Types to which a conditional reference may stay unresolved: nothing is concluded from them."""
MOST = 5000


class Entry(Struct, frozen=True):
    """One entry of a Bundle."""

    number: int
    method: str
    url: str
    full_url: str = ""
    resource: Json | None = None
    if_none_exist: str = ""
    if_match: int | None = None

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"Bundle.entry[{self.number}]"

    @property
    def kind(self) -> str:
        """The type that the address names."""
        return self.url.partition("?")[0].partition("/")[0]

    @property
    def left_out(self) -> bool:
        """Is it of a type that is not kept?"""
        named = self.resource.get("resourceType") if self.resource else self.kind
        return self.method in ("POST", "PUT") and self.kind == named and self.kind not in KINDS


class Answered(Struct, frozen=True):
    """What became of a Bundle's entries, by number; what it asks for is read after the commit."""

    kind: str
    done: dict[int, Json]
    asked_for: dict[int, str]

    def bundle(self, read: dict[int, Json]) -> Json:
        """The Bundle of responses, with what was read."""
        shown = self.done | read
        found = {"resourceType": "Bundle", "type": self.kind}
        return found | ({"entry": [shown[n] for n in sorted(shown)]} if shown else {})


def entries(bundle: Json) -> list[Any]:
    """The entries of a Bundle, not yet looked at.

    Raises:
        FhirError: they are no list, or too many.
    """
    found = bundle.get("entry", [])
    if not isinstance(found, list):
        raise FhirError(400, "structure", "Bundle.entry is not a list.", "Bundle.entry")
    if len(found) > MOST:
        raise FhirError(413, "too-costly", f"more than {MOST} entries.", "Bundle.entry")
    return found


def _entry(number: int, one: Any) -> Entry:
    place = f"Bundle.entry[{number}]"
    request = one.get("request") if isinstance(one, dict) else None
    if not isinstance(request, dict):
        raise FhirError(400, "required", "an entry has no request.", f"{place}.request")
    method, url = request.get("method"), request.get("url")
    if not isinstance(method, str) or not isinstance(url, str) or not url:
        raise FhirError(400, "required", "method or url is missing.", f"{place}.request")
    if method not in ("GET", "POST", "PUT"):
        text = f"{method[:10] if method.isalpha() else 'this method'} is not offered: {APPEND_ONLY}"
        raise FhirError(400, "not-supported", text, f"{place}.request.method")
    resource = one.get("resource")
    if method != "GET" and not isinstance(resource, dict):
        raise FhirError(400, "required", "an entry has no resource.", f"{place}.resource")
    return Entry(
        number,
        method,
        url.lstrip("/"),
        _text(one.get("fullUrl")),
        resource if isinstance(resource, dict) else None,
        _condition(request, "ifNoneExist", place) or "",
        write.wanted_version(_condition(request, "ifMatch", place)),
    )


def _condition(request: Json, name: str, place: str) -> str | None:
    """A condition of an entry; one that is there and says nothing is never passed over."""
    found = request.get(name)
    if found is None or (isinstance(found, str) and found.strip()):
        return found
    raise FhirError(400, "value", f"{name} is not a condition.", f"{place}.request.{name}")


APPEND_ONLY = (
    "the store is append-only. To withdraw a resource, update it with the status entered-in-error."
)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


# -- all or nothing --------------------------------------------------------------------------------


def transaction(asked: Asked, payload: bytes, bundle: Json) -> Answered:
    """Keep a transaction; inside a writing transaction.

    Raises:
        FhirError: something of it cannot be done; then nothing is.
        RefusedResourceError: something of it cannot be kept; then nothing is.
    """
    found = [_entry(number, one) for number, one in enumerate(entries(bundle))]
    done: dict[int, Written] = {}
    changes: dict[int, Change] = {}
    names: dict[str, str] = {}
    for one in found:
        if one.method == "GET" or one.left_out:
            continue
        change = _addressed(asked, one)
        there = write.only(asked, change) if change.if_none_exist else None
        if there is not None:
            done[one.number] = write.existing(asked, change.kind, there)
        else:
            change = replace(change, rid=change.rid or _new_id(asked, one, change))
            changes[one.number] = change
        if one.full_url:
            if one.full_url in names:
                text = "two entries have this fullUrl."
                raise FhirError(400, "duplicate", text, f"{one.place}.fullUrl")
            names[one.full_url] = f"{change.kind}/{there or change.rid}"
    _once(changes)
    versions = {n: _version(asked, change, names) for n, change in changes.items()}
    for number, written in zip(
        versions, write.keep(asked, payload, list(versions.values())), strict=True
    ):
        done[number] = written
    return _answer(found, done, "transaction-response")


def _addressed(asked: Asked, one: Entry) -> Change:
    """What an entry asks to write, and where to."""
    resource, place = one.resource or {}, one.place
    path, _, query = one.url.partition("?")
    kind, _, rid = path.partition("/")
    if resource.get("resourceType") != kind:
        text = "the address and the resource are of different types."
        raise FhirError(400, "invalid", text, f"{place}.request.url")
    require(asked.caller, kind, "c" if one.method == "POST" else "u")
    if one.method == "POST":
        if rid:
            raise FhirError(400, "invalid", "a POST names a type only.", f"{place}.request.url")
        return Change(kind, resource, "", one.if_none_exist, None, place)
    if query:
        there = write.only(asked, Change(kind, resource, "", query, None, place))
        rid = there or _own_id(resource)
        return Change(kind, resource, rid, "", one.if_match, place, "u")
    if not ID.fullmatch(rid) or resource.get("id", rid) != rid:
        text = "a PUT names type and id, and the resource has the same id."
        raise FhirError(400, "invalid", text, f"{place}.request.url")
    return Change(kind, resource, rid, "", one.if_match, place, "u")


def _own_id(resource: Json) -> str:
    rid = resource.get("id")
    return rid if isinstance(rid, str) and ID.fullmatch(rid) else str(uuid4())


def _new_id(asked: Asked, one: Entry, change: Change) -> str:
    """An id for a new resource: the sender's own uuid, so that sending it again changes nothing.

    An id that is in use for something else is not taken.
    """
    text = one.full_url.removeprefix(URN)
    try:
        rid = str(UUID(text)) if one.full_url.startswith(URN) else ""
    except ValueError:
        rid = ""
    if not rid or rid != text:
        return str(uuid4())
    there = facts.read_one(asked.connection, change.kind, rid)
    if there is None or _repeats(change.resource, rid, there.body, asked.now):
        return rid
    return str(uuid4())


def _repeats(resource: Json, rid: str, body: bytes, now: int) -> bool:
    """Is it the same as what is there, links aside?"""
    names = sorted(set(resource) - {"id", "meta"})
    there = decode_json(body)
    return names == sorted(set(there) - {"id", "meta"}) and all(
        _unlinked(resource[name]) == _unlinked(there[name]) for name in names
    )


def _unlinked(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: "" if k == "reference" else _unlinked(v) for k, v in value.items()}
    return [_unlinked(one) for one in value] if isinstance(value, list) else value


def _once(changes: dict[int, Change]) -> None:
    seen: set[tuple[str, str]] = set()
    for change in changes.values():
        name = (change.kind, change.rid)
        if name in seen:
            text = f"{change.kind}/{change.rid} is written twice in one transaction."
            raise FhirError(400, "duplicate", text, change.place)
        seen.add(name)


def _version(asked: Asked, change: Change, names: dict[str, str]) -> Version:
    resource = linked(change.resource, names)
    resource = conditional_links(asked, resource, f"{change.place}.resource")
    try:
        return write.prepared(asked, replace(change, resource=resource))
    except RefusedResourceError as error:
        path = within(f"{change.place}.resource", error.path)
        raise RefusedResourceError(error.code, path, error.text) from error


def conditional_links(asked: Asked, value: Any, place: str) -> Any:
    """The same with references such as `Patient?identifier=x|y` resolved.

    Raises:
        FhirError: 412 when not exactly one resource is meant.
    """
    if isinstance(value, list):
        return [conditional_links(asked, one, place) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: conditional_links(asked, one, place) for key, one in value.items()}
    reference = value.get("reference")
    if isinstance(reference, str) and "?" in reference and "://" not in reference:
        kind, _, query = reference.partition("?")
        if kind not in KINDS:
            return found
        meant = write.matching(asked, kind, unquote(query))
        if len(meant) == 1:
            found["reference"] = f"{kind}/{meant[0]}"
        elif kind not in OPTIONAL:
            text = f"{len(meant) or 'no'} resources are meant by a conditional reference to {kind}."
            raise FhirError(412, "multiple-matches" if meant else "not-found", text, place)
    return found


# -- each by itself --------------------------------------------------------------------------------


def batch(asked: Asked, bundle: Json) -> Answered:
    """Do each entry by itself; one that fails takes nothing with it."""
    done: dict[int, Written] = {}
    failed: dict[int, FhirError] = {}
    found: list[Entry] = []
    for number, raw in enumerate(entries(bundle)):
        try:
            one = _entry(number, raw)
        except FhirError as error:
            failed[number] = error
            found.append(Entry(number, "", ""))
            continue
        found.append(one)
        if one.method == "GET" or one.left_out:
            continue
        try:
            with asked.connection.begin_nested():
                done[number] = _alone(asked, one)
        except RefusedResourceError as error:
            failed[number] = refused(error, f"{one.place}.resource")
            write.refuse(asked, encode_json(one.resource), error.code, error.text)
        except FhirError as error:
            failed[number] = error
    return _answer(found, done, "batch-response", failed)


def _alone(asked: Asked, one: Entry) -> Written:
    change = _addressed(asked, one)
    resource = conditional_links(asked, change.resource, f"{one.place}.resource")
    payload = encode_json(one.resource)
    return write.change(asked, payload, replace(change, resource=resource))


def collection(asked: Asked, payload: bytes, bundle: Json) -> Answered:
    """Keep every resource of a collection under its own id, all or nothing."""
    parts = parts_of(bundle)
    found = [
        Entry(n, "PUT", f"{p.resource.get('resourceType')}/{p.resource['id']}", "", p.resource)
        for n, p in enumerate(parts)
    ]
    taken = [one for one in found if not one.left_out]
    changes = {
        one.number: Change(one.kind, one.resource or {}, _rid(one), place=one.place, letter="u")
        for one in taken
    }
    versions = {n: _version(asked, change, {}) for n, change in changes.items()}
    kept = write.keep(asked, payload, list(versions.values()))
    done = dict(zip(versions, kept, strict=True))
    return _answer(found, done, "transaction-response")


def _rid(one: Entry) -> str:
    rid = (one.resource or {}).get("id")
    if not isinstance(rid, str) or not ID.fullmatch(rid):
        version_of(one.resource or {}, 0)  # says what is wrong with it
    return str(rid)


def _nothing(_asked: Asked, _url: str) -> Json:
    raise FhirError(400, "not-supported", "a collection asks for nothing.", "Bundle.entry")


# -- the answer ------------------------------------------------------------------------------------


def _answer(
    found: list[Entry],
    done: dict[int, Written],
    kind: str,
    failed: dict[int, FhirError] | None = None,
) -> Answered:
    problems = failed or {}
    shown: dict[int, Json] = {}
    for one in found:
        if one.number in done:
            shown[one.number] = _done(done[one.number])
        elif one.number in problems:
            shown[one.number] = failure(problems[one.number])
        elif one.left_out:
            shown[one.number] = _left_out(one)
    asked_for = {one.number: one.url for one in found if one.number not in shown}
    return Answered(kind, shown, asked_for)


def _done(written: Written) -> Json:
    fact = written.fact
    phrase = "201 Created" if written.status == CREATED else "200 OK"
    resource = resource_of(fact)
    return {
        **({} if written.hidden else {"resource": resource}),
        "response": {
            "status": phrase,
            "location": f"{written.kind}/{written.rid}/_history/{written.stored}",
            "etag": etag(fact.version),
            "lastModified": resource["meta"]["lastUpdated"],
        },
    }


def failure(error: FhirError) -> Json:
    """The response entry of what could not be done."""
    return {"response": {"status": str(error.status), "outcome": outcome(error.issues)}}


def _left_out(one: Entry) -> Json:
    shown = one.kind if one.kind.isalpha() and one.kind.isascii() else "this"
    text = f"{shown[:60]} is a type that redcell does not keep; it was left out."
    said = Issue("not-supported", text, f"{one.place}.resource", "warning")
    return {"response": {"status": "200 OK", "outcome": outcome([said])}}
