"""Laboratory results and vital signs: by code, else by whole name, in an exact unit or refused."""

from __future__ import annotations

import re
from typing import Any

from redcell.codes import LOINC, SNOMED
from redcell.record.measured import Coded, Measured
from redcell.sources.fhir.datatypes import Quantity, ReferenceRange
from redcell.sources.fhir.observations.values import FLUIDS, Stamp, Value
from redcell.sources.fhir.reading import Located, Reading
from redcell.sources.fhir.resources import Observation
from redcell.sources.terms import Concept, Terms, remembered
from redcell.sources.written import shown


def read_result(
    reading: Reading,
    where: Located,
    o: Observation,
    value: Value,
    stamp: Stamp,
    slug: str | None,
) -> bool:
    """Read a result; true when the code, or else the name, is one that redcell knows."""
    slug = slug or _by_name(reading, o, value)
    if slug is None:
        return False
    analyte = reading.knowledge.analytes[slug]
    if value.absent:
        return True
    if slug in WORDED or analyte.kind != "number":
        _coded(reading, where, slug, analyte.kind, value, stamp)
        return True
    quantity = value.quantity
    if quantity is None and value.integer is not None:
        quantity = Quantity(value=float(value.integer), unit=analyte.unit)
    if quantity is None and value.text:
        text = f"{analyte.name} is given as the text {value.text[:40]!r}; expected a number."
        reading.set_aside("value-not-a-number", where, f"{text} It was not used.")
    if quantity is not None and quantity.value is not None:
        read = _convert(reading, where, slug, value, quantity)
        if read is not None:
            method = o.method.label if o.method else ""
            _keep(reading, slug, read, value, quantity, stamp, method)
    return True


WORDED = ("ecog", "smoking-status", "pregnancy-status")
COUNTED_OTHERWISE = ("hypersegmented-percent", "cigarettes-per-day", "packs-per-day")
"""Analytes whose numbers are kept as what they mean."""


def _keep(
    reading: Reading,
    slug: str,
    read: float,
    value: Value,
    quantity: Quantity,
    stamp: Stamp,
    method: str,
) -> None:
    """Keep a number under its analyte, or under what it means (cells in percent, cigarettes)."""
    if slug == "hypersegmented-percent":
        _percent(reading, "hypersegmented", read, stamp)
        return
    low = high = None
    if value.ranges:
        low, high = _limits(reading.terms, (slug, value.ranges[0], quantity.sent_unit))
    if slug == "cigarettes-per-day":
        pack = reading.knowledge.file("analytes")["smoking"]["pack"]["value"]
        slug, read = "packs-per-day", read / pack
    reading.add(
        Measured(
            analyte=slug,
            value=read,
            ucum=reading.knowledge.analytes[slug].unit,
            time=stamp.time,
            reference=stamp.reference,
            status=stamp.status,
            comparator=quantity.comparator,
            low=low,
            high=high,
            issued=stamp.issued,
            version=stamp.version,
            original=original(quantity.value, quantity.sent_unit),
            note=" ".join(x for x in (stamp.note, method) if x),
        )
    )


def original(number: float | None, unit: str) -> str:
    """A result as it was sent."""
    return f"{number:g} {unit}"


def value_again(terms: Terms, slug: str, number: float, unit: str) -> float | None:
    """The value of a result that differs in its number alone from one that gave a `Measured`.

    Nothing where the number decides more than the value, or cannot be used.
    """
    if slug in (*WORDED, *COUNTED_OTHERWISE) or terms.knowledge.analytes[slug].kind != "number":
        return None
    sent = (slug, number, unit)
    read = terms.read(sent) if number else terms.value(*sent)
    return read if isinstance(read, float) else None


def _by_name(reading: Reading, o: Observation, value: Value) -> str | None:
    """An outside laboratory's result by its whole name; never against a LOINC code."""
    if value.concept.in_system(LOINC):
        return None
    specimen = o.specimen.display.lower() if o.specimen else ""
    if any(fluid in specimen for fluid in FLUIDS):
        return None
    unit = value.quantity.sent_unit if value.quantity is not None else None
    for words in value.concept.words:
        found = reading.terms.analyte_by_name(words, unit)
        if found is not None:
            return found
    return None


def _convert(
    reading: Reading, where: Located, slug: str, value: Value, quantity: Quantity
) -> float | None:
    number = quantity.value if quantity.value is not None else 0.0
    sent = (slug, number, quantity.sent_unit)
    read = reading.terms.read(sent) if number else reading.terms.value(*sent)
    if isinstance(read, float):
        return read
    name = reading.knowledge.analytes[slug].name
    unit = reading.knowledge.analytes[slug].unit
    if read == "unit-not-understood":
        known = sorted(reading.knowledge.analytes[slug].units)
        seen = quantity.sent_unit or "no unit"
        text = (
            f"{name} {number:g} has unit {seen!r}, which redcell does not understand for it. "
            f"Expected {', '.join(known[:4]) or unit}. The value was not used."
        )
    else:
        limits = reading.knowledge.analytes[slug].plausible
        expected = f" (expected {limits[0]:g} to {limits[1]:g} {unit})" if limits else ""
        seen = f"{name} {number:g} {quantity.sent_unit}"
        text = f"{seen} is not plausible{expected}. The value was not used."
    reported = next((limit.text for limit in value.ranges if limit.text), "")
    if reported:
        text += f" The range reported with it is {shown(reported)}."
    reading.set_aside(read, where, text)
    return None


@remembered
def _limits(
    terms: Terms, asked: tuple[str, ReferenceRange, str]
) -> tuple[float | None, float | None]:
    """The limits of an analyte in its own unit; those without a unit are in that of the result."""
    slug, limits, unit = asked

    def one(limit: Quantity | None) -> float | None:
        if limit is None or limit.value is None:
            return None
        read = terms.value(slug, limit.value, limit.sent_unit or unit)
        return read if isinstance(read, float) else None

    return one(limits.low), one(limits.high)


def _coded(
    reading: Reading, where: Located, slug: str, kind: str, value: Value, stamp: Stamp
) -> None:
    if slug == "ecog":
        _ecog(reading, value, stamp)
        return
    if kind == "smear" and value.quantity is not None and value.quantity.value is not None:
        if reading.terms.unit_factor(slug, value.quantity.sent_unit):
            _percent(reading, slug, value.quantity.value, stamp)
            return
        name, unit = reading.knowledge.analytes[slug].name, shown(value.quantity.sent_unit)
        text = f"{name} has unit {unit}. Expected %. It was not used."
        reading.set_aside("unit-not-understood", where, text)
        return
    answer = _answer(reading, slug, kind, value)
    if answer:
        reading.add(
            Coded(
                slug, answer, stamp.time, stamp.reference, stamp.status, stamp.issued, stamp.version
            )
        )


def _percent(reading: Reading, slug: str, percent: float, stamp: Stamp) -> None:
    least = reading.knowledge.file("analytes")["smear"]["schistocytes_present"]["value"]
    answer = "present" if percent >= least else "absent"
    reading.add(
        Coded(slug, answer, stamp.time, stamp.reference, stamp.status, stamp.issued, stamp.version)
    )


def _answer(reading: Reading, slug: str, kind: str, value: Value) -> str:
    answers = reading.terms.answers
    if value.boolean is not None:
        return "present" if value.boolean else "absent"
    concept = value.codeable.concept if value.codeable else Concept(text=value.text)
    words = [w.lower().strip() for w in concept.words]
    if slug == "smoking-status":
        for code in concept.in_system(SNOMED):
            status = answers["smoking"]["snomed"].get(code)
            if status is not None:
                return "present" if status in ("daily", "some days") else "absent"
        return ""
    if slug == "pregnancy-status":
        if _says(answers["not-pregnant"], concept):
            return "absent"
        return "present" if _says(answers["pregnant"], concept) else ""
    if kind == "text":
        return words[0] if words else ""
    means = {"absent": 0, "negative": 0, "present": 1, "positive": 1}
    spoken = ("negative", "positive") if kind == "coded" else ("absent", "present")
    for name, sign in means.items():
        if _says(answers[name], concept):
            return spoken[sign]
    return words[0] if slug in SHOWN and words else ""


SHOWN = ("abo-rh", "crossmatch")
"""Results that are shown in their own words; no rule reads them."""
QUALIFIER = re.compile(r"(?<!\s)\s*\((qualifier value|finding)\)$")


def _says(table: dict[str, Any], concept: Concept) -> bool:
    """Does the answer carry one of the table's codes, or one of its words at its beginning?"""
    known = (*table.get("snomed", ()), *table.get("loinc", ()))
    if any(c.code in known for c in concept.codes):
        return True
    said = (QUALIFIER.sub("", w.lower().strip()).removeprefix("weakly ") for w in concept.words)
    return any(w == word or w.startswith(word + " ") for w in said for word in table["text"])


def _ecog(reading: Reading, value: Value, stamp: Stamp) -> None:
    grade = value.integer
    if grade is None and value.quantity is not None and value.quantity.value is not None:
        grade = int(value.quantity.value)
    if grade is None and value.codeable is not None:
        table = reading.terms.answers["ecog"]["loinc"]
        grade = next((table[c.code] for c in value.codeable.coding if c.code in table), None)
    if grade is not None and 0 <= grade <= 5:  # noqa: PLR2004  (the scale itself)
        reading.add(
            Measured(
                "ecog",
                float(grade),
                "{score}",
                stamp.time,
                stamp.reference,
                stamp.status,
                issued=stamp.issued,
                version=stamp.version,
            )
        )
