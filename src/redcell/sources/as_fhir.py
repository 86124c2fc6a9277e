"""Plain FHIR R4 JSON from messages and tables: ids that follow from the content, codes, values.

Ids are hashes of what names the thing at its sender, so the same patient or result gets the same
id each time, from each format, without a table to look it up in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any

from msgspec import Struct

from redcell.codes import LOINC, REDCELL, UCUM
from redcell.sources.terms import Terms
from redcell.sources.written import Number

Json = dict[str, Any]

DIGITS = 20
PREFIX = "v2-"
AUTHORITY = "urn:redcell:authority:"
CODE_SYSTEM = "urn:redcell:code-system:"
TRANSLATED = "urn:redcell:translated:"
"""`meta.source` of what was made here begins with it; the format's name follows."""
IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
SERIES = "urn:redcell:hl7v2:series"
"""System of the identifier that results of one order, test and sub-id share at all times."""
LABORATORY = {"coding": [{"system": CATEGORY, "code": "laboratory"}]}


class Authorities(Struct, frozen=True):
    """Who gives out the identifiers of one feed."""

    systems: Mapping[str, str] = {}
    """FHIR identifier system of each assigning authority that is known by one."""
    default: str = f"{AUTHORITY}default"
    """The identifier system of an identifier that names no authority."""

    def system(self, *sent: str) -> str:
        """The identifier system of an authority, by any of the names that were sent for it."""
        names = [name for name in sent if name]
        known = next((self.systems[name] for name in names if name in self.systems), "")
        return known or (AUTHORITY + names[0] if names else self.default)


def hashed(*parts: str) -> str:
    """An id that follows from the parts alone; no two lists of parts are written alike."""
    text = "|".join(parts)
    if "\\" in text or text.count("|") != len(parts) - 1:
        text = "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)
    return PREFIX + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def patient_id(system: str, value: str) -> str:
    """The id of the patient with this identifier.

    By the identifier system and not by the authority's name: two hospitals may call theirs alike.
    """
    return hashed(system, value)


def patient(name: str, known: Json) -> Json:
    """A FHIR Patient of what one message or table says.

    One without sex or birth date says less than may be known already. It is kept under a name of
    its own that leads to the patient, so that it never takes the place of a fuller one.
    """
    dead = known.get("deceasedDateTime") or known.get("deceasedBoolean")
    if not (known.get("gender") and known.get("birthDate")) and not dead:
        link = {"other": {"reference": f"Patient/{name}"}, "type": "replaced-by"}
        known, name = {**known, "link": [link]}, hashed("in part", name)
    return {"resourceType": "Patient", "id": name} | filled(known)


def identifier(system: str, value: str, kind: str = "") -> Json:
    """FHIR Identifier; `kind` is a code of HL7 table 0203 such as MR."""
    found: Json = {"system": system, "value": value}
    if kind:
        found["type"] = {"coding": [{"system": IDENTIFIER_TYPE, "code": kind}]}
    return found


def meta(form: str, updated: str = "") -> Json:
    """Where it was translated from, and the sender's own time if there is one."""
    found = {"source": TRANSLATED + form}
    return found | {"lastUpdated": updated} if updated else found


def subject(name: str) -> Json:
    """A reference to a patient."""
    return {"reference": f"Patient/{name}"}


def coding(system: str, code: str, display: str = "") -> Json:
    """FHIR Coding without empty elements."""
    sent = {}
    if system:
        sent["system"] = system
    if code:
        sent["code"] = code
    if display:
        sent["display"] = display
    return sent


def concept(codings: Iterable[Json], text: str = "") -> Json:
    """FHIR CodeableConcept without empty elements."""
    listed = [one for one in codings if one]
    return ({"coding": listed} if listed else {}) | ({"text": text} if text else {})


def known_code(terms: Terms, slug: str) -> Json:
    """The code by which the FHIR reader knows an analyte that was sent by name."""
    analyte = terms.knowledge.analytes[slug]
    system, codes = (LOINC, analyte.loinc) if analyte.loinc else (REDCELL, analyte.local)
    return coding(system, codes[0], analyte.name)


def quantity(number: Number, unit: str, ucum: str = "") -> Json:
    """FHIR Quantity: the unit as it was sent; `system` and `code` only when it was sent as UCUM."""
    found: Json = {"value": Decimal(number.digits) if number.digits else exact(number.value)}
    if number.comparator:
        found["comparator"] = number.comparator
    return found | measure(unit, ucum)


def exact(value: float) -> Decimal | int:
    """A number as JSON writes it, without a point that nobody sent."""
    return int(value) if value.is_integer() else Decimal(repr(value))


def measure(unit: str, ucum: str = "") -> Json:
    """The elements of a Quantity that say its unit."""
    found = {"unit": unit} if unit else {}
    return found | ({"system": UCUM, "code": ucum} if ucum else {})


def reference_range(
    low: float | None, high: float | None, text: str, unit: str, ucum: str = ""
) -> list[Json]:
    """`referenceRange` with its limits in the unit of the result; empty when nothing was sent."""
    found: Json = {"text": text} if text else {}
    for name, limit in (("low", low), ("high", high)):
        if limit is not None:
            found[name] = {"value": exact(limit)} | measure(unit, ucum)
    return [found] if found else []


def notes(texts: Iterable[str]) -> list[Json]:
    """FHIR Annotations."""
    return [{"text": text} for text in dict.fromkeys(texts) if text]


def filled(resource: Json) -> Json:
    """The resource without elements that hold nothing: FHIR knows no empty element."""
    return {name: value for name, value in resource.items() if value or not _empty(value)}


def _empty(value: object) -> bool:
    """Does it hold nothing? Zero and false are something."""
    return value is None or (not value and isinstance(value, (str, list, dict, tuple)))
