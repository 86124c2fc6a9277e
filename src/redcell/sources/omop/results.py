"""Rows of MEASUREMENT and OBSERVATION as FHIR Observations.

What a mapping to the CDM loses or invents is not guessed: a unit of id 0 is unknown, a zero that
the source value does not confirm may be a filler, and a unit concept that contradicts the unit as
it was sent decides nothing.
"""

from __future__ import annotations

from math import isclose, isfinite

from redcell.codes import LOINC, MCODE, REDCELL
from redcell.sources.as_fhir import LABORATORY, Json, filled, quantity, reference_range, subject
from redcell.sources.omop.concepts import UNKNOWN, Concepts
from redcell.sources.omop.tables import Row
from redcell.sources.omop.times import Clock
from redcell.sources.terms import Terms, normal
from redcell.sources.written import Number, number, shown

CLOSE = 0.01
"""Share by which a value in two units may differ, since one of them was rounded."""
MODIFIERS = "Cancer Modifier"


class UnusedRowError(Exception):
    """A row that is not used. Arguments: the code of the reason, and the text."""


def result(row: Row, table: str, concepts: Concepts, clock: Clock, source: Json) -> Json:
    """One row of MEASUREMENT or OBSERVATION.

    Args:
        row: the row.
        table: `measurement` or `observation`.
        concepts: what ids mean.
        clock: reads its time.
        source: the `meta` of what is made here.

    Raises:
        UnusedRowError: its value or time decides nothing.
    """
    standard = row.get(f"{table}_concept_id", "")
    made: Json = {
        "resourceType": "Observation",
        "id": f"{table}-{row.get(f'{table}_id', '')}",
        "meta": source,
        "subject": subject(row["person_id"]),
    }
    spread = _metastasis(standard, concepts)
    if spread:
        time = clock.start(row, table)
        return filled(
            made
            | {"resourceType": "Condition", "code": {"text": spread}, "recordedDate": time}
            | {"meta": source | {"profile": [f"{MCODE}mcode-secondary-cancer-condition"]}}
        )
    written = row.get(f"{table}_source_value", "")
    code = concepts.code(standard, row.get(f"{table}_source_concept_id", ""), written)
    slug = _slug(code, concepts.known)
    value, unit = _value(row, slug, concepts)
    laboratory = [LABORATORY] if table == "measurement" else []
    return filled(
        made
        | {
            "status": "final",
            "category": laboratory,
            "code": code,
            "effectiveDateTime": clock.start(row, table),
            "referenceRange": _range(row, unit) if "valueQuantity" in value else [],
        }
        | value
    )


def _metastasis(standard: str, concepts: Concepts) -> str:
    """The name of a metastasis that was recorded as a measurement, as the oncology tables do."""
    found = concepts.find(standard)
    spread = found is not None and found.vocabulary == MODIFIERS and "metasta" in found.name.lower()
    return found.name if found is not None and spread else ""


def _slug(code: Json, known: Terms) -> str | None:
    """The result that a code means to redcell."""
    for one in code.get("coding", ()):
        if one.get("system") == LOINC and one["code"] in known.loinc:
            return known.loinc[one["code"]]
        if one.get("system") == REDCELL and one["code"] in known.local:
            return known.local[one["code"]]
    if any(one.get("system") == LOINC for one in code.get("coding", ())):
        return None
    return next(iter(known.names.get(normal(code.get("text", "")), ())), None)


def _value(row: Row, slug: str | None, concepts: Concepts) -> tuple[Json, str]:
    """The value as FHIR has it, and its unit as it was sent."""
    said = row.get("value_source_value", "") or row.get("value_as_string", "")
    operator = concepts.operator(row.get("operator_concept_id", ""))
    if operator is None:
        text = f"operator {row['operator_concept_id']} is none of =, <, >, <=, >="
        raise UnusedRowError("value-not-understood", text)
    answer = concepts.answer(row.get("value_as_concept_id", ""))
    sent, written = _number(row.get("value_as_number", "")), number(said)
    filler = sent is not None and sent.value == 0 and (written is None or written.value != 0)
    if filler and answer is None and slug is not None:
        text = "value_as_number is 0 and value_source_value does not say 0: perhaps a filler"
        raise UnusedRowError("zero-not-confirmed", text)
    if sent is None or filler:
        if answer is not None:
            return {"valueCodeableConcept": answer}, ""
        if written is None:
            text = said or row.get("value_as_number", "")
            return ({"valueString": text} if text else {}), ""
        sent = written
    comparator = operator or sent.comparator or (written.comparator if written else "")
    unit, ucum = _unit(row, slug, concepts, sent, written)
    number_ = Number(sent.value, comparator, sent.digits)
    return {"valueQuantity": quantity(number_, unit, ucum)}, unit


def _number(text: str) -> Number | None:
    """A number of a table, which a database may write with an exponent."""
    found = number(text)
    if found is not None or not text:
        return found
    try:
        value = float(text)
    except ValueError:
        return None
    return Number(value) if isfinite(value) else None


def _unit(
    row: Row, slug: str | None, concepts: Concepts, sent: Number, written: Number | None
) -> tuple[str, str]:
    """The unit as it was sent, and its UCUM code by the concept."""
    as_sent, ucum = row.get("unit_source_value", ""), concepts.unit(row.get("unit_concept_id", ""))
    if not (as_sent and ucum) or slug is None:
        return as_sent or ucum, ucum
    known = concepts.known
    one = known.value(slug, sent.value, ucum)
    for other in (sent, written):
        two = known.value(slug, other.value, as_sent) if other is not None else ""
        if one == two or _close(one, two):
            return as_sent, ucum
    if known.unit_factor(slug, as_sent) is None and known.unit_factor(slug, ucum) is not None:
        return as_sent, ucum
    text = (
        f"unit concept {row['unit_concept_id']} is {ucum} and the unit as sent {shown(as_sent)}; "
        "nothing tells which is right"
    )
    raise UnusedRowError("unit-not-understood", text)


def _close(one: float | str, two: float | str) -> bool:
    both = isinstance(one, float) and isinstance(two, float)
    return both and isclose(float(one), float(two), rel_tol=CLOSE)


def _range(row: Row, unit: str) -> list[Json]:
    """The limits of the report; two zeros are a filler."""
    low, high = (_number(row.get(f"range_{side}", "")) for side in ("low", "high"))
    if high is None or high.value == 0:
        high = None
        low = None if low is None or low.value == 0 else low
    limits = [None if limit is None else limit.value for limit in (low, high)]
    return reference_range(limits[0], limits[1], "", unit)


__all__ = ["UNKNOWN", "UnusedRowError", "result"]
