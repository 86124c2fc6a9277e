"""FHIR payloads as resources to keep: read strictly, named, linked to each other, checked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from redcell import clock
from redcell.clinic.versions import (
    ID,
    KINDS,
    Json,
    RefusedResourceError,
    decode_json,
    encode_json,
    version_of,
)
from redcell.sources.fhir.read import UNOWNED
from redcell.sources.fhir.resources import DECODERS
from redcell.sources.json_place import RESOURCE, place_of
from redcell.sources.strict_json import RefusedJsonError, check, text_of
from redcell.store.facts import Version

OWNED = KINDS - UNOWNED - {"Practitioner", "Specimen"}
"""Types that are of no use unless they name a patient."""
MALFORMED = "structure"
"""The code of a payload that is no JSON that can be trusted."""
URN = "urn:uuid:"
TAKEN = frozenset({"collection", "transaction", "batch", "searchset", "history"})
DERIVED_ID = 40
"""Characters of an id that is derived from the content."""
ESCAPED_CONTROL = re.compile(rb"\\u00(?:0[0-8bBcCeEfF]|1[0-9a-fA-F])")
CONTROLS = frozenset(chr(n) for n in range(32) if chr(n) not in "\t\n\r")
LONGEST_NAME = 64
PLACE = re.compile(r" - at `\$(?P<path>[^`]*)`")


def read_json(data: bytes) -> Json:
    """A payload as a JSON object; numbers stay as they were written.

    Raises:
        RefusedResourceError: with the code `structure` for what is no JSON, or ambiguous.
    """
    try:
        text = text_of(data)
        check(text)
        found = decode_json(text)
    except RefusedJsonError as error:
        where = place_of(data)
        raise RefusedResourceError(MALFORMED, where, f"not usable JSON: {error}.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        kind = type(error).__name__
        where = place_of(data)
        raise RefusedResourceError(MALFORMED, where, f"not usable JSON ({kind}).") from error
    if not isinstance(found, dict):
        raise RefusedResourceError(MALFORMED, RESOURCE, "a JSON object is expected.")
    if ESCAPED_CONTROL.search(text):
        root = found.get("resourceType")
        root = root if isinstance(root, str) and root.isalpha() else RESOURCE
        where = next(_controls(found, root), "")
        if where:
            said = "a text holds control characters, which FHIR does not allow."
            raise RefusedResourceError("value", where, said)
    return found


def _controls(value: Any, path: str) -> Iterator[str]:
    """Where control characters stand; a name that holds some is placed at its object."""
    if isinstance(value, str):
        if not CONTROLS.isdisjoint(value):
            yield path
    elif isinstance(value, dict):
        for name, one in value.items():
            if CONTROLS.isdisjoint(name):
                yield from _controls(one, f"{path}.{name[:LONGEST_NAME]}")
            else:
                yield path
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _controls(one, f"{path}[{number}]")


def kept(resource: Json, received: int) -> Version:
    """The version of a resource, checked to be readable and to say whose it is.

    Raises:
        RefusedResourceError: redcell could make no use of it.
    """
    version = version_of(resource, received)
    if version.kind in OWNED and version.patient is None:
        element = "participant.actor" if version.kind == "Appointment" else "subject"
        raise RefusedResourceError(
            "required",
            f"{version.kind}.{element}",
            "it names no patient by a reference Patient/ID, so that it would belong to nobody.",
        )
    decoder = DECODERS.get(version.kind)
    if decoder is not None:
        try:
            decoder.decode(version.body)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise _mistyped(version.kind, error) from error
    return version


def _mistyped(kind: str, error: Exception) -> RefusedResourceError:
    said = str(error)
    at = PLACE.search(said)
    path = kind + (at["path"].replace("[...]", "") if at else "")
    return RefusedResourceError("value", path, f"{PLACE.sub('', said)}.")


# -- documents of several resources --------------------------------------------------------------


class Part(Struct, frozen=True):
    """One resource of a document, with its place in it."""

    place: str
    resource: Json


def parts_of(document: Json) -> list[Part]:
    """The resources of a Bundle, or the document itself; each has an id, links are resolved.

    An entry without an id is named by its fullUrl, else by a hash of its content, so that the same
    document gives the same ids each time.

    Raises:
        RefusedResourceError: it is a Bundle of a type that holds no facts.
    """
    if document.get("resourceType") != "Bundle":
        return [Part("", named(document))]
    kind = document.get("type")
    if kind not in TAKEN:
        shown = kind if isinstance(kind, str) and kind.isalpha() else "missing or no text"
        raise RefusedResourceError(
            "value", "Bundle.type", f"Bundle.type is {shown[:40]}; expected {', '.join(TAKEN)}."
        )
    found: list[Part] = []
    names: dict[str, str] = {}
    for number, entry, resource in entries_of(document):
        url = entry.get("fullUrl")
        url = url if isinstance(url, str) else ""
        one = named(resource, url)
        found.append(Part(f"Bundle.entry[{number}].resource", one))
        if url.startswith(URN):
            names[url] = f"{one.get('resourceType')}/{one['id']}"
    return [Part(part.place, linked(part.resource, names)) for part in found]


def entries_of(bundle: Json) -> Iterator[tuple[int, Json, Json]]:
    """Number, entry and resource of each entry that holds a resource."""
    entries = bundle.get("entry")
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
            yield number, entry, entry["resource"]


def named(resource: Json, full_url: str = "") -> Json:
    """The resource with an id: its own, that of its fullUrl, or one that its content gives."""
    rid = resource.get("id")
    if rid is not None:
        return resource
    tail = full_url.removeprefix(URN).rstrip("/").rpartition("/")[2]
    if not ID.fullmatch(tail):
        seal = hashlib.sha256(encode_json(resource))
        tail = f"c-{seal.hexdigest()}"[:DERIVED_ID]
    return {**resource, "id": tail}


def linked(value: Any, names: dict[str, str]) -> Any:
    """The same with every reference to a `urn:uuid:` that names an entry as `Type/id`."""
    if not names:
        return value
    if isinstance(value, list):
        return [linked(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: linked(one, names) for key, one in value.items()}
    reference = value.get("reference")
    if isinstance(reference, str):
        found["reference"] = names.get(reference, reference)
    return found


def with_meta(resource: Json, version: int, received: int) -> Json:
    """The resource with `meta.versionId` and `meta.lastUpdated`, right after its id."""
    own = resource.get("meta")
    meta = {"versionId": str(version), "lastUpdated": clock.iso(received)}
    if isinstance(own, dict):
        meta = {**own, **meta}
    head = {"resourceType": resource.get("resourceType"), "id": resource.get("id"), "meta": meta}
    return {**head, **{name: value for name, value in resource.items() if name not in head}}
