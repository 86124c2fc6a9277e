"""Whose a line of NDJSON is: one reading, whatever engine brings the lines together."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from redcell.population.reading.ledger import Refused
from redcell.population.reading.ndjson import BROKEN, RefusedFileError, references
from redcell.sources.fhir.kind import kind_of
from redcell.sources.fhir.read import UNOWNED
from redcell.sources.fhir.reading import URN, name_of, tail
from redcell.sources.fhir.resources import DECODERS

SHARED = UNOWNED - {"Patient"}
"""Resources that may belong to several patients: found by reference, not by subject."""

SIGNS = (*(f"{kind}/".encode() for kind in sorted(SHARED)), URN.encode())
"""How a line without an escape refers to one of them."""

BUNDLE = "a Bundle is no line of Bulk Data NDJSON; assess it with: redcell assess FILE"


class Subject(Struct):
    """The reference to a patient."""

    reference: str = ""


class Head(Struct):
    """As much of a resource as says whose it is."""

    id: str = ""
    subject: Subject | None = None
    patient: Subject | None = None
    link: msgspec.Raw = msgspec.Raw(b"")


class Link(Struct):
    """Patient.link."""

    type: str = ""


_head = msgspec.json.Decoder(Head).decode
_links = msgspec.json.Decoder(list[Link]).decode
REPLACED = "patient-replaced"
"""A Patient that names the one in its place: a row of its own all the same, and noted."""


class Owned(Struct, frozen=True):
    """A line of one patient: a resource about them, or the Patient itself."""

    owner: str
    """A reference such as `Patient/1`, which need not be a patient of the source."""
    is_patient: bool = False
    is_replaced: bool = False
    """Does the Patient say that another one took its place?"""


class Shared(Struct, frozen=True):
    """A line that others refer to by this name."""

    name: str


class NotRead(Struct, frozen=True):
    """A line of a type that redcell does not read."""

    kind: str


def belonging(line: bytes, place: str, *, first: bool) -> Owned | Shared | NotRead | Refused:
    """Whose a line is, or why it cannot be used.

    Args:
        line: a whole line that is not blank.
        place: its file and number, for what is refused.
        first: is it the first line of its file?

    Raises:
        RefusedFileError: the file begins with a Bundle.
    """
    try:
        kind = kind_of(line)
        if not kind or kind == "Bundle":
            return _no_line(kind, place, line, first=first)
        if kind not in DECODERS:
            return NotRead(kind)
        head = _head(line)
        if kind in SHARED:
            DECODERS[kind].decode(line)  # said once here, not once for each patient
    except BROKEN as error:
        return Refused("not-readable", place, f"{error}.", line.strip())
    if kind in SHARED:
        return Shared(name_of(kind, head.id, "", place))
    if kind == "Patient":
        return _patient(head, place, line)
    found = head.subject or head.patient
    if found is None or not found.reference:
        text = "it names no patient; it was left out."
        return Refused("no-patient-named", place, text, line.strip())
    return Owned(_owner(found.reference))


def _owner(reference: str) -> str:
    """Whose a reference makes a line; that of a Bundle that was flattened names a patient's id."""
    if reference.startswith(URN):
        return f"Patient/{reference.removeprefix(URN)}"
    return tail(reference)


def _no_line(kind: str, place: str, line: bytes, *, first: bool) -> Refused:
    if kind and first:
        raise RefusedFileError("bundle", BUNDLE)
    reason, text = ("bundle", BUNDLE) if kind else ("not-a-resource", "it has no resourceType.")
    return Refused(reason, place, text, line.strip())


def _patient(head: Head, place: str, line: bytes) -> Owned | Refused:
    reference = f"Patient/{head.id}"
    if not head.id or name_of("Patient", head.id, "", "") != reference:
        text = "the Patient has no id that FHIR allows (A-Z a-z 0-9 - . and at most 64)."
        return Refused("patient-id-not-valid", place, text, line.strip())
    return Owned(reference, is_patient=True, is_replaced=_is_replaced(bytes(head.link)))


def _is_replaced(links: bytes) -> bool:
    try:
        return bool(links) and any(one.type == "replaced-by" for one in _links(links))
    except BROKEN:
        return False


def stranger(owner: str, place: str, line: bytes) -> Refused:
    """A line of somebody who has no Patient resource."""
    text = f"{owner} is not in the source; the line was left out."
    return Refused("patient-not-in-source", place, text, line)


def wanted(line: bytes) -> Iterator[str]:
    """Every name under which a line may refer to a shared resource."""
    if b"\\" not in line and not any(sign in line for sign in SIGNS):
        return
    for reference in references(line):
        yield from dict.fromkeys((reference, tail(reference)))
        if reference.startswith(URN):
            name = reference.removeprefix(URN)
            yield from (f"{kind}/{name}" for kind in sorted(SHARED))
