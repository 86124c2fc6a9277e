"""Observations of invented people: counts, chemistry, vital signs, the smear."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

from msgspec import Struct

from redcell.codes import REDCELL, UCUM
from redcell.knowledge.load import Knowledge
from redcell.population.synthesize.chart import Sample
from redcell.population.synthesize.fhir import CATEGORY, Json, Pen, coded, loinc, snomed
from redcell.population.synthesize.life import Life
from redcell.population.synthesize.numbers import numbers
from redcell.sources.terms import terms

ISSUED = 45
PANEL = loinc("58410-2", "CBC panel - Blood by Automated count", "Complete blood count")
PRESSURE = loinc("85354-9", "Blood pressure panel with all children optional", "Blood pressure")
SEEN = {1.0: snomed("52101004", "Present"), 0.0: snomed("2667000", "Absent")}
POSITIVE = {1.0: snomed("10828004", "Positive"), 0.0: snomed("260385009", "Negative")}
MOLAR = "59260-0"
FLOOR = 10


class Printed(Struct, frozen=True):
    """How a laboratory prints one result."""

    code: Json
    unit: str
    factor: float
    decimals: int
    ranges: list[Json]
    category: list[Json]

    def quantity(self, canonical: float) -> Json:
        """The Quantity in the laboratory's unit."""
        number = round(float(canonical) * self.factor, self.decimals)
        unit = self.unit
        value = number if self.decimals else int(number)
        return {"value": value, "unit": unit, "system": UCUM, "code": unit}


VITALS = frozenset(
    {"heart-rate", "systolic", "diastolic", "oxygen-saturation", "temperature", "respiratory-rate",
     "weight", "height"}
)  # fmt: skip


class Printer(dict[str, Printed]):
    """How one laboratory prints each result, made as it is asked for."""

    def __init__(self, k: Knowledge, clinic: str, sex: str) -> None:
        super().__init__()
        self._for = (k, clinic, sex)

    def __missing__(self, slug: str) -> Printed:
        found = self[slug] = _printed(*self._for, slug)
        return found


@lru_cache(maxsize=64)
def printer(k: Knowledge, clinic: str, sex: str) -> Printer:
    """How this clinic's laboratory prints results of a person of this sex."""
    return Printer(k, clinic, sex)


def _printed(k: Knowledge, clinic: str, sex: str, slug: str) -> Printed:
    """How this clinic's laboratory prints this result."""
    n, analyte = numbers(k), k.analytes[slug]
    site = n.clinic[clinic]
    display, decimals = n.result[slug]
    unit, decimals = n.units[site.units].get(slug, (analyte.unit, decimals))
    factor = 1.0 if unit == analyte.unit else float(1 / _factor(k, slug, unit))
    code = MOLAR if slug == "hemoglobin" and unit == "mmol/L" else analyte.loinc[0]
    low, high = site.limits.get(slug) or analyte.limits(sex)
    if slug == "hemoglobin" and sex == "male":
        low, high = analyte.limits(sex)
    bare = Printed(loinc(code, display), unit, factor, decimals, [], [])
    limits = {"low": low, "high": high}
    own = {name: bare.quantity(x) for name, x in limits.items() if x is not None}
    category = CATEGORY[
        "vital-signs" if slug in VITALS else "survey" if slug == "ecog" else "laboratory"
    ]
    ranges = [own] if own and slug not in VITALS else []
    return Printed(bare.code, unit, factor, decimals, ranges, category)


def _factor(k: Knowledge, slug: str, unit: str) -> Fraction:
    """What one of the laboratory's units is in the analyte's own."""
    said = terms(k).unit_factor(slug, unit)
    assert said is not None  # noqa: S101  (checked by the tests of the file)
    top, _, bottom = said.partition("/")
    return Fraction(top) / Fraction(bottom or "1")


class Results:
    """Writes the Observations of one person."""

    def __init__(self, k: Knowledge, pen: Pen, life: Life) -> None:
        self.k, self.pen, self.life = k, pen, life
        self.site = numbers(k).clinic[life.clinic]
        self.how = printer(k, life.clinic, life.sex)
        self.by = [{"display": f"Laboratory, {self.site.team.rpartition(', ')[2]}"}]

    def sample(self, s: Sample) -> None:
        """All results of one sample."""
        if s.kind == "cbc" and self.site.panel:
            self._panel(s)
            return
        time, issued = self.pen.time(s.day, s.minute), self.pen.time(s.day, s.minute + ISSUED)
        rest = "final" if s.status == "corrected" else s.status
        made = [
            self.one(slug, x, time, issued, s.status if slug == "hemoglobin" else rest)
            for slug, x in s.values.items()
        ]
        if s.note:
            made[0]["note"] = [{"text": s.note}]
        if s.kind == "cbc":
            self._report(made, time, issued, s.status)

    def one(
        self, slug: str, canonical: float, time: str, issued: str, status: str = "final"
    ) -> Json:
        """One result."""
        if slug in WORDED:
            return self._worded(slug, canonical, time, issued)
        p, pen = self.how[slug], self.pen
        value = p.quantity(canonical)
        if slug == "haptoglobin" and canonical < FLOOR:
            value = {**p.quantity(FLOOR), "comparator": "<"}
        made: Json = {
            "resourceType": "Observation",
            "id": pen.name("o"),
            "meta": pen.meta(issued),
            "status": status,
            "category": p.category,
            "code": p.code,
            "subject": pen.subject,
            "effectiveDateTime": time,
            "issued": issued,
            "performer": self.by,
            "valueQuantity": value,
        }
        if p.ranges:
            made["referenceRange"] = p.ranges
        pen.written.append(made)
        return made

    def _worded(self, slug: str, canonical: float, time: str, issued: str) -> Json:
        analyte = self.k.analytes[slug]
        return self.pen.write(
            "Observation", "o", issued,
            status="final",
            category=CATEGORY["laboratory"],
            code=loinc(analyte.loinc[0], WORDED[slug]),
            subject=self.pen.subject,
            effectiveDateTime=time,
            issued=issued,
            performer=self.by,
            valueCodeableConcept=(POSITIVE if slug == "dat" else SEEN)[canonical],
        )  # fmt: skip

    def _panel(self, s: Sample) -> None:
        """A count as one Observation with components."""
        time, issued = self.pen.time(s.day, s.minute), self.pen.time(s.day, s.minute + ISSUED)
        parts = []
        for slug, value in s.values.items():
            p = self.how[slug]
            part: Json = {"code": p.code, "valueQuantity": p.quantity(value)}
            if p.ranges:
                part["referenceRange"] = p.ranges
            parts.append(part)
        note: Json = {"note": [{"text": s.note}]} if s.note else {}
        self.pen.write(
            "Observation", "o", issued,
            status=s.status,
            category=CATEGORY["laboratory"],
            code=PANEL,
            subject=self.pen.subject,
            effectiveDateTime=time,
            issued=issued,
            performer=self.by,
            component=parts,
            **note,
        )  # fmt: skip

    def _report(self, made: list[Json], time: str, issued: str, status: str) -> None:
        self.pen.write(
            "DiagnosticReport", "report", issued,
            status=status,
            category=[coded("v2-0074", "HM")],
            code=PANEL,
            subject=self.pen.subject,
            effectiveDateTime=time,
            issued=issued,
            performer=self.by,
            result=[{"reference": f"Observation/{one['id']}"} for one in made],
        )  # fmt: skip

    def vitals(self, s: Sample) -> None:
        """Vital signs; blood pressure as one panel."""
        time = self.pen.time(s.day, s.minute)
        values = dict(s.values)
        pressure = {x: values.pop(x) for x in ("systolic", "diastolic") if x in values}
        for slug, value in values.items():
            self.one(slug, value, time, time)
        if pressure:
            self.pen.write(
                "Observation", "o", time,
                status="final",
                category=CATEGORY["vital-signs"],
                code=PRESSURE,
                subject=self.pen.subject,
                effectiveDateTime=time,
                component=[
                    {"code": self.how[x].code, "valueQuantity": self.how[x].quantity(v)}
                    for x, v in pressure.items()
                ],
            )  # fmt: skip

    def local(self, code: str, text: str, time: str, **value: Any) -> Json:
        """An Observation under a code of redcell's own."""
        return self.pen.write(
            "Observation", "o", time,
            status="final",
            code={"coding": [{"system": REDCELL, "code": code}], "text": text},
            subject=self.pen.subject,
            **value,
        )  # fmt: skip


WORDED = {
    "teardrops": "Dacrocytes [Presence] in Blood by Light microscopy",
    "schistocytes": "Schistocytes [Presence] in Blood by Light microscopy",
    "spherocytes": "Spherocytes [Presence] in Blood by Light microscopy",
    "dat": "Direct antiglobulin test.poly specific reagent [Presence] on Red Blood Cells",
    "hypersegmented": "Neutrophils.hypersegmented [Presence] in Blood by Light microscopy",
}
