"""FHIR R4 resources inside requests and cards, as far as they bear on whether they can be used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from redcell.web.cds.judge.outcome import Issue
from redcell.web.cds.judge.r4 import CODES, DATES, REQUIRED, TYPES
from redcell.web.cds.judge.types import DATE, fault, kind_of, shown

if TYPE_CHECKING:
    from redcell.web.cds.judge.walk import Walk

NO_TYPE = "Unable to find resourceType property"
NO_ID = "Resource requires an id, but none is present"
NO_FULL_URL = (
    "Except for transactions and batches, each entry in a Bundle must have a fullUrl which is the "
    "identity of the resource in the entry"
)
ENTRY_URL = "Bundle entry missing fullUrl"
RELATIVE = "Relative Reference appears inside Bundle whose entry is missing a fullUrl"
KNOWN_EXTENSIONS = "http://hl7.org/fhir/"
OWN_IDENTITY = ("urn:uuid:", "urn:oid:")
WITHOUT_ID = frozenset({"Bundle", "OperationOutcome", "Parameters"})
EXTENSIONS = ("extension", "modifierExtension")


def judge_resource(walk: Walk, value: Any, path: str) -> None:
    """One resource. What cannot be read is not looked into any further."""
    if not _readable(walk, value, path):
        return
    named = f"{path}/*{value['resourceType']}/{value.get('id') or 'null'}*/"
    profile = _profile(value)
    _identity(walk, value, named, profile, needed=value["resourceType"] not in WITHOUT_ID)
    _elements(walk, value, named, profile)
    if value["resourceType"] == "Bundle":
        _bundle(walk, value, path, named)


def _readable(walk: Walk, value: Any, path: str) -> bool:
    if not isinstance(value, dict):
        name = path.rpartition(".")[2]
        walk.unread(f"The property {name} must be an object, not a {kind_of(value)}", path)
        return False
    found = value.get("resourceType")
    if not isinstance(found, str) or not found:
        walk.unread(NO_TYPE, path, "fatal")
        return False
    if found not in TYPES:
        walk.unread(f"The resource type {shown(found)} is not known in FHIR R4", path, "fatal")
        return False
    return True


def _profile(resource: dict[str, Any]) -> str:
    return f"http://hl7.org/fhir/StructureDefinition/{resource['resourceType']}|4.0.1"


def _identity(
    walk: Walk, resource: dict[str, Any], path: str, profile: str, *, needed: bool
) -> None:
    found = resource.get("id")
    if found is None:
        if needed:
            walk.meaning.append(Issue("error", "invalid", NO_ID, path, walk.profile))
        return
    said = fault("id", found)
    if said:
        walk.meaning.append(Issue("error", "invalid", said, f"{path}.id", profile))


# -- elements ------------------------------------------------------------------------------------


def _elements(walk: Walk, resource: dict[str, Any], path: str, profile: str) -> None:
    """Extensions, elements that have to be there, and codes of closed lists."""
    kind = resource["resourceType"]
    for where in _unknown_extensions(resource, path):
        url, place = where
        text = f"The extension {url} could not be found so is not allowed here"
        walk.meaning.append(Issue("error", "structure", text, place, profile))
    for name in REQUIRED.get(kind, ()):
        if not _present(resource, name):
            shape = f"{kind}.{name}: minimum required = 1, but only found 0 (from {profile})"
            walk.meaning.append(Issue("error", "structure", shape, path, profile))
    for name, codes in CODES.get(kind, {}).items():
        found = resource.get(name)
        if found is not None and found not in codes:
            text = (
                f"The value provided ({shown(found)}) was not found in the value set of "
                f"{kind}.{name}, and a code is required from this value set"
            )
            walk.meaning.append(Issue("error", "code-invalid", text, f"{path}.{name}", profile))
    for name in DATES:
        found = resource.get(name)
        if found is not None and not (isinstance(found, str) and DATE.fullmatch(found)):
            text = f"Not a valid date/time: {shown(found)}"
            walk.meaning.append(Issue("error", "invalid", text, f"{path}.{name}", profile))


def _present(resource: dict[str, Any], name: str) -> bool:
    """Is the element there? `medication[x]` is there under any of its types."""
    if not name.endswith("[x]"):
        return name in resource
    stem = name.removesuffix("[x]")
    return any(key.startswith(stem) and key[len(stem) :][:1].isupper() for key in resource)


def _unknown_extensions(item: Any, path: str) -> Iterator[tuple[str, str]]:
    """Extensions that no published definition explains; what they hold is not looked into."""
    if isinstance(item, list):
        for number, inner in enumerate(item):
            yield from _unknown_extensions(inner, f"{path}[{number}]")
        return
    if not isinstance(item, dict):
        return
    for key, inner in item.items():
        if key in EXTENSIONS and isinstance(inner, list):
            yield from _of_list(inner, f"{path}.{key}")
        elif key not in ("contained", "entry"):
            yield from _unknown_extensions(inner, f"{path}.{key}")


def _of_list(found: list[Any], path: str) -> Iterator[tuple[str, str]]:
    for number, extension in enumerate(found):
        url = extension.get("url") if isinstance(extension, dict) else None
        if not (isinstance(url, str) and url.startswith(KNOWN_EXTENSIONS)):
            yield str(url), f"{path}[{number}]"


# -- bundles -------------------------------------------------------------------------------------


def _bundle(walk: Walk, bundle: dict[str, Any], path: str, named: str) -> None:
    """Each entry has an identity, and refers to others only when it has one."""
    entries = bundle.get("entry")
    if not isinstance(entries, list):
        return
    readable = {
        number
        for number, entry in enumerate(entries)
        if isinstance(entry, dict)
        and "resource" in entry
        and _readable(walk, entry["resource"], f"{path}.entry[{number}].resource")
    }
    changing = bundle.get("type") in ("transaction", "batch")
    identified = changing or bundle.get("type") in ("transaction-response", "batch-response")
    missing = [
        number
        for number, entry in enumerate(entries)
        if isinstance(entry, dict) and "fullUrl" not in entry and not identified
    ]
    for number in missing:
        place = f"{named}.entry[{number}]"
        walk.meaning.append(Issue("error", "invalid", NO_FULL_URL, place))
    for number in sorted(readable):
        _entry(walk, entries[number], f"{named}.entry[{number}]", optional_id=changing)
    for number in missing:
        if number in readable:
            place = f".entry[{number}]"
            _unidentified(walk, entries[number], f"{path}{place}", f"{named}{place}")


def _entry(walk: Walk, entry: dict[str, Any], path: str, *, optional_id: bool) -> None:
    resource, url = entry["resource"], entry.get("fullUrl")
    kind, found = resource["resourceType"], resource.get("id")
    place = f"{path}.resource/*{kind}/{found or 'null'}*/"
    profile = _profile(resource)
    own = isinstance(url, str) and url.startswith(OWN_IDENTITY)
    needed = not (optional_id or own or kind in WITHOUT_ID)
    _identity(walk, resource, place, profile, needed=needed)
    _elements(walk, resource, place, profile)
    served = isinstance(url, str) and url.startswith("http") and isinstance(found, str)
    if served and not str(url).endswith(f"/{kind}/{found}"):
        text = (
            f"The fullUrl '{url}' looks like a RESTful server URL, so it must end with the "
            f"correct type and id (/{kind}/{found})"
        )
        walk.meaning.append(Issue("error", "invalid", text, path))


def _unidentified(walk: Walk, entry: dict[str, Any], plain: str, named: str) -> None:
    """What an entry without an identity may not do."""
    resource = entry["resource"]
    profile = _profile(resource)
    walk.meaning.append(Issue("error", "required", ENTRY_URL, plain, profile))
    place = f"{named}.resource/*{resource['resourceType']}/{resource.get('id') or 'null'}*/"
    for where in _relative(resource, place):
        walk.meaning.append(Issue("error", "required", RELATIVE, where, profile))


def _relative(item: Any, path: str) -> Iterator[str]:
    """Where a relative reference stands."""
    if isinstance(item, list):
        for number, inner in enumerate(item):
            yield from _relative(inner, f"{path}[{number}]")
    elif isinstance(item, dict):
        reference = item.get("reference")
        if isinstance(reference, str) and ":" not in reference and not reference.startswith("#"):
            yield path
        for key, inner in item.items():
            if key != "contained":
                yield from _relative(inner, f"{path}.{key}")
