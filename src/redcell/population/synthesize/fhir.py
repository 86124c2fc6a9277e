"""Parts of FHIR R4 resources that many resources of a person share; treat them as read-only."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from functools import lru_cache
from typing import Any

from redcell.codes import ICD10CM, LOINC, MCODE, SNOMED, UCUM
from redcell.population.synthesize.life import Period

Json = dict[str, Any]
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
TEST = {"system": f"{TERMINOLOGY}v3-ActReason", "code": "HTEST", "display": "test health data"}
MINUTES = [f"T{m // 60:02d}:{m % 60:02d}:00Z" for m in range(24 * 60)]
IDENTIFIER = "urn:redcell:demo:mrn"


def concept(system: str, code: str, display: str, text: str = "") -> Json:
    """A CodeableConcept of one coding."""
    return {
        "coding": [{"system": system, "code": code, "display": display}],
        "text": text or display,
    }


def coded(table: str, code: str) -> Json:
    """A CodeableConcept of HL7's own terminology."""
    return {"coding": [{"system": TERMINOLOGY + table, "code": code}]}


def snomed(code: str, display: str, text: str = "") -> Json:
    """A CodeableConcept of SNOMED CT."""
    return concept(SNOMED, code, display, text)


def loinc(code: str, display: str, text: str = "") -> Json:
    """A CodeableConcept of LOINC."""
    return concept(LOINC, code, display, text)


def icd10(code: str, display: str) -> Json:
    """A CodeableConcept of ICD-10-CM."""
    return concept(ICD10CM, code, display)


def quantity(value: float, code: str, unit: str = "") -> Json:
    """A Quantity in UCUM."""
    return {"value": value, "unit": unit or code, "system": UCUM, "code": code}


def mcode(name: str) -> str:
    """The URL of an mCODE profile or extension."""
    return MCODE + name


CATEGORY = {
    name: [coded("observation-category", name)]
    for name in ("laboratory", "vital-signs", "survey", "social-history")
}
PALLIATIVE = {
    "url": mcode("mcode-procedure-intent"),
    "valueCodeableConcept": snomed("363676003", "Palliative - procedure intent"),
}


@lru_cache(maxsize=8)
def labels(period: Period) -> tuple[str, ...]:
    """Every day of a period as FHIR writes it."""
    return tuple((period.first + timedelta(days=d)).isoformat() for d in range(period.last + 1))


class Pen:
    """Writes one person's resources: ids, references, times, and the list of what was written."""

    def __init__(self, period: Period, person: str) -> None:
        self.period, self.person = period, person
        self.subject: Json = {"reference": f"Patient/{person}"}
        self.written: list[Json] = []
        self._labels = labels(period)
        self.end = self._labels[-1] + MINUTES[period.minute]
        self._numbers: dict[str, int] = defaultdict(int)
        self._metas: dict[str, Json] = {}

    def name(self, mark: str) -> str:
        """The next id of a kind."""
        self._numbers[mark] += 1
        return f"{self.person}-{mark}{self._numbers[mark]}"

    def day(self, day: int) -> str:
        """A calendar day, past or to come."""
        if 0 <= day <= self.period.last:
            return self._labels[day]
        return (self.period.first + timedelta(days=day)).isoformat()

    def past(self, day: int, minute: int) -> bool:
        """Does this minute lie inside the period?"""
        return day < self.period.last or (day == self.period.last and minute <= self.period.minute)

    def time(self, day: int, minute: int) -> str:
        """An instant; minutes beyond midnight are of the next day."""
        over, minute = divmod(minute, len(MINUTES))
        return self.day(day + over) + MINUTES[minute]

    def meta(self, written: str, profile: str = "") -> Json:
        """Meta of a resource that was written at this time, or at the end where that is later."""
        found = self._metas.get(written + profile)
        if found is None:
            found = {"lastUpdated": min(written, self.end)}
            if profile:
                found["profile"] = [mcode(profile)]
            found["tag"] = [TEST]
            self._metas[written + profile] = found
        return found

    def write(self, kind: str, mark: str, written: str, profile: str = "", **parts: Any) -> Json:
        """Write one resource of this person and return it."""
        made: Json = {
            "resourceType": kind,
            "id": self.name(mark),
            "meta": self.meta(written, profile),
            **parts,
        }
        self.written.append(made)
        return made
