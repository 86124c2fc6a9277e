"""OBX as FHIR Observations whose ids name the result, so that a correction is a new version.

The id follows from the patient, the order, the test, its sub-id and its time: one order may bring
several results of one test, each at its own time. A correction may correct the time too; so results
of one order, test and sub-id share an identifier, by which the fold finds what it replaces.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from redcell.codes import LOINC
from redcell.sources.as_fhir import (
    CODE_SYSTEM,
    IDENTIFIER_TYPE,
    LABORATORY,
    SERIES,
    Json,
    coding,
    concept,
    filled,
    hashed,
    identifier,
    known_code,
    notes,
    quantity,
    reference_range,
    subject,
)
from redcell.sources.fhir.times import BadTimeError, moment
from redcell.sources.hl7v2.confidentiality import labels_of
from redcell.sources.hl7v2.lines import Line, letter_of
from redcell.sources.hl7v2.message import Shared
from redcell.sources.hl7v2.observed import (
    CODED,
    ORIGINAL_TEXT,
    SYSTEMS,
    UCUM,
    Order,
    analyte_of,
    label_of,
    range_of,
    specimen,
    unit_of,
    value_of,
)
from redcell.sources.hl7v2.segments import Field
from redcell.sources.terms import Terms
from redcell.sources.written import shown

STATUS = {
    **{"F": "final", "P": "preliminary", "C": "corrected", "A": "amended", "X": "cancelled"},
    **dict.fromkeys("DW", "entered-in-error"),
}
PENDING = "registered"
"""Any other letter of OBX-11, or none: there is no result yet, whatever stands in OBX-5."""
DOCUMENTS = ("ED", "RP")
SYSTEM = 3
"""The component of a coded field that names the system of its code."""


class Made(Struct):
    """One OBX as an Observation that has no id yet, and what will make its id."""

    name: tuple[str, ...]
    time: str
    letter: str
    resource: Json

    @property
    def text(self) -> str:
        """Its value, if that is text."""
        return str(self.resource.get("valueString", ""))


def made_of(line: Line, patient: str, shared: Shared) -> Made | None:
    """One OBX; `None` for an embedded document, which holds no result."""
    obx, order = line.obx, line.order
    label = label_of(obx[3])
    if obx[2].part().upper() in DOCUMENTS:
        shared.note("not-readable", f"{label} is an embedded document; it was not used.")
        return None
    letter = letter_of(line)
    letter = "W" if letter == "D" else letter if letter in STATUS else ""
    under = _under(order, patient, shared)
    name = (*under.name, *_test(obx[3]), obx[4].raw)
    time = _time(line, label, shared)
    slug = analyte_of(obx[3], obx[6], shared.terms, order)
    identifiers = under.resource.get("identifier", [])
    if under.ordered:
        identifiers = [*identifiers, identifier(SERIES, hashed(*name))]
    resource = {
        **under.resource,
        "identifier": identifiers,
        "status": STATUS.get(letter, PENDING),
        "code": _code(obx[3], slug, shared.terms),
        "effectiveDateTime": time,
        "issued": under.issued if time else "",
        "note": notes([*line.notes, *under.notes]),
    }
    if letter:
        resource |= _value(line, slug, label, shared)
    else:
        said = shown(obx[11].part()) if obx[11].part() else "blank"
        shared.note("result-pending", f"{label} has no result yet (OBX-11 is {said}).")
    return Made(name, time, letter, filled(resource))


class Under(Struct):
    """What all results under one order share."""

    name: tuple[str, ...]
    ordered: bool
    resource: Json
    issued: str
    notes: list[str]


def _under(order: Order, patient: str, shared: Shared) -> Under:
    """What stands above a result; worked out once for each order."""
    known: Under | None = shared.orders.get((id(order), patient))
    if known is None:
        number, labels = _number_of(order), labels_of(order.confidentiality)
        resource = {
            "meta": shared.meta | ({"security": labels} if labels else {}),
            "identifier": _filler(order),
            "category": [LABORATORY],
            "subject": subject(patient),
            "specimen": _specimen(order),
        }
        name = ("observation", patient, *number)
        ordered = number[0] != UNNUMBERED
        said = _said_of(order)
        known = Under(name, ordered, filled(resource), _issued(order, shared), said)
        shared.orders[(id(order), patient)] = known
    return known


# -- names -----------------------------------------------------------------------------------------

UNNUMBERED = "by service and time"


def instant_of(time: str) -> str:
    """A time by which the same moment has one name, however it was written."""
    return str(moment(time)[0]) if "T" in time else time


def _number_of(order: Order) -> tuple[str, str]:
    """What names the order: the laboratory's number, else the ward's, else its service and time."""
    request, common = order.request, order.common
    for kind, field in (("filler", 3), ("placer", 2)):
        for segment in (request, common):
            if segment[field].part():
                return kind, "^".join(segment[field].repeats[0])
    return UNNUMBERED, f"{request[4].part(1) or request[4].part(2)}^{order.time}"


def _filler(order: Order) -> list[Json]:
    number = order.request[3].part() or order.common[3].part()
    if not number:
        return []
    return [{"type": {"coding": [coding(IDENTIFIER_TYPE, "FILL")]}, "value": number}]


def _test(field: Field) -> tuple[str, str]:
    """What was measured, without the names that a sender may spell anew."""
    if field.part(1):
        return field.part(3).upper(), field.part(1)
    return "", field.part(2).lower() or field.part(4)


def _code(field: Field, slug: str | None, terms: Terms) -> Json:
    """OBX-3 with its codes as sent, and with the code of the analyte that its name means."""
    codings = _codings(field)
    text = field.part(ORIGINAL_TEXT) or field.part(2) or field.part(5) or field.part(1)
    if slug is not None and not any(
        one.get("system") == LOINC and one.get("code") in terms.loinc for one in codings
    ):
        code = next((field.part(n) for n in (1, 4) if terms.loinc.get(field.part(n)) == slug), "")
        codings.append(coding(LOINC, code) if code else known_code(terms, slug))
    return concept(codings, text)


def _codings(field: Field, repeat: int = 0) -> list[Json]:
    """Both triplets of a coded field with the system that the sender names."""
    found = []
    for code, display, system in field.triplets(repeat):
        if code or display:
            known = SYSTEMS.get(system.upper()) or (CODE_SYSTEM + system if system else "")
            found.append(coding(known, code, display))
    return found


# -- what it says ----------------------------------------------------------------------------------


def _time(line: Line, label: str, shared: Shared) -> str:
    """OBX-14, else OBR-7; empty, and said so, when neither is a time."""
    text = line.obx[14].part() or line.order.time
    if not text:
        shared.note("time-missing", f"{label}: neither OBX-14 nor OBR-7 gives a time.")
        return ""
    try:
        return shared.times.iso(text)
    except BadTimeError as error:
        shared.note("time-not-understood", f"{label}: {error}.")
        return ""


def _issued(order: Order, shared: Shared) -> str:
    return shared.times.instant(order.issued) or shared.updated


def _specimen(order: Order) -> Json:
    words = specimen(order).replace("^", " ").replace("&", " ").split()
    return {"display": " ".join(dict.fromkeys(words))} if words else {}


def _said_of(order: Order) -> list[str]:
    """Notes under the order, and the condition of its specimen."""
    conditions = dict.fromkeys(order.conditions)
    said = [f"Specimen: {', '.join(conditions)}"] if conditions else []
    return [*order.notes, *said]


def _value(line: Line, slug: str | None, label: str, shared: Shared) -> Json:
    """`value[x]` and the reference range; a value that is not there is said."""
    obx = line.obx
    unit = unit_of(obx[6], slug, shared.terms) if slug else _unit_as_sent(obx[6])
    ucum = unit if unit and unit in _ucum(obx[6]) else ""
    read: dict[str, Any] = value_of(obx)
    limits = range_of(obx[7], unit)
    found: Json = {
        "referenceRange": reference_range(
            limits["low"], limits["high"], limits["range_text"], unit, ucum
        )
    }
    if read.get("number") is not None:
        found["valueQuantity"] = quantity(read["number"], unit, ucum)
    elif obx[2].part().upper() in CODED and any(obx[5].repeats[0] if obx[5].repeats else ()):
        found["valueCodeableConcept"] = concept(_codings(obx[5]), obx[5].part(ORIGINAL_TEXT))
    elif read.get("text"):
        found["valueString"] = read["text"]
    elif STATUS.get(obx[11].part().upper()) not in ("cancelled", "entered-in-error"):
        shared.note("value-missing", f"{label} was sent without a value.")
    return found


def _unit_as_sent(field: Field) -> str:
    """OBX-6 of a test that is not known: the code of a named system, else the whole field."""
    return next(iter(_ucum(field)), "") or (field.part(1) if field.part(3) else field.raw)


def _ucum(field: Field) -> list[str]:
    if len(field.repeats[0] if field.repeats else ()) < SYSTEM:
        return []
    named = [field.part(n) for n in (1, 4) if field.part(n + 2).upper() == UCUM]
    return [unit for unit in named if unit]


# -- one message as a whole ------------------------------------------------------------------------


def settled(made: Iterable[Made]) -> list[Json]:
    """The Observations of one message with their ids; no two results get the same one."""
    groups: dict[tuple[str, ...], list[Made]] = {}
    for one in made:
        groups.setdefault((*one.name, instant_of(one.time)), []).append(one)
    found: list[Json] = []
    for name, same in groups.items():
        found += _named(name, _joined(_renewed(same)))
    return found


def _renewed(same: list[Made]) -> list[Made]:
    """A withdrawal that the same message follows with a new value is a correction."""
    kept: list[Made] = []
    for one in same:
        withdrawn = [w for w in kept if w.letter == "W"]
        if withdrawn and one.letter in ("F", "C", "A"):
            kept = [k for k in kept if k.letter != "W"]
            if one.letter == "F":
                one.letter, one.resource["status"] = "C", "corrected"
        kept.append(one)
    return kept


def _joined(same: list[Made]) -> list[Made]:
    """Text that was sent in several OBX for one time is one text, line by line."""
    kept: dict[tuple[object, ...], Made] = {}
    for number, one in enumerate(same):
        key = (one.time, one.letter) if one.text else (number,)
        before = kept.get(key)
        if before is None:
            kept[key] = one
        elif before.text != one.text:
            before.resource["valueString"] = f"{before.text}\n{one.text}"
    return list(kept.values())


def _named(name: tuple[str, ...], same: list[Made]) -> list[Json]:
    """Ids for results of one name and time: their order tells apart what contradicts itself."""
    found: list[Json] = []
    taken: dict[str, list[Json]] = {}
    for one in same:
        twins = taken.setdefault(one.letter, [])
        if one.resource in twins:
            continue
        twins.append(one.resource)
        ordinal = (str(len(twins)),) if len(twins) > 1 else ()
        found.append(_identified(one, hashed(*name, *ordinal)))
    return found


def _identified(one: Made, name: str) -> Json:
    return {"resourceType": "Observation", "id": name, **one.resource}
