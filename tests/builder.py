"""Patients in the words of the glossary: `patient(hemoglobin=[(0, 9.1), (-7, 8.4)])`.

Days count from the moment of the assessment, `AT`: 0 is now, -7 exactly seven days earlier. The
defaults are a whole record of a person with hemoglobin 9.5 and nothing else wrong (every symptom
asked and absent, iron, vitamins, kidney, thyroid and hemolysis tests normal), so that a test
names the one thing that varies. `None` takes something out of the record.

`patient` builds the record itself; `bundle` writes the same record as a FHIR Bundle.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from redcell.knowledge.load import Knowledge, knowledge
from redcell.loop import Steps, run
from redcell.outputs.assessment import to_json
from redcell.record.disease import CareSetting, Diagnosis, Prognosis, Refusal
from redcell.record.measured import Coded, Measured
from redcell.record.moment import Moment, utc
from redcell.record.patient import Patient
from redcell.record.radiation import RadiationCourse, RadiationField
from redcell.record.record import Fact, PlannedTherapy, Record, assemble
from redcell.record.symptoms import SymptomReport
from redcell.record.therapies import DrugRecord
from redcell.record.transfusions import Transfusion, TransfusionTotal
from redcell.sources.read import read

AT = utc(datetime(2026, 11, 20, 9, tzinfo=UTC))
SHARED = Path(__file__).parents[2] / "shared"

WELL: dict[str, Any] = {
    # blood count
    "hemoglobin": 9.5, "mcv": 90.0, "mch": 30.0, "mchc": 33.0, "rdw": 13.5, "rbc": 3.3,
    "platelets": 240.0, "leukocytes": 6.0, "neutrophils": 3.5, "reticulocytes-percent": 1.0,
    "reticulocytes": 40.0,
    # iron, vitamins, kidney, thyroid, inflammation
    "ferritin": 250.0, "tsat": 30.0, "vitamin-b12": 500.0, "folate": 10.0, "egfr": 90.0,
    "creatinine": 0.8, "crp": 2.0, "tsh": 2.0, "albumin": 4.2, "calcium": 9.5,
    "alkaline-phosphatase": 90.0,
    # hemolysis and coagulation
    "ldh": 180.0, "haptoglobin": 100.0, "bilirubin-indirect": 0.5, "dat": "negative",
    "schistocytes": "absent", "spherocytes": "absent", "prothrombin-time": 12.0, "inr": 1.0,
    "fibrinogen": 300.0, "d-dimer": 300.0,
    # bedside
    "heart-rate": 78.0, "systolic": 124.0, "diastolic": 76.0, "oxygen-saturation": 98.0,
    "temperature": 36.7, "respiratory-rate": 14.0, "weight": 70.0, "height": 165.0, "ecog": 1.0,
}  # fmt: skip
KNOWN = {"breast-cancer": True, "cardiovascular-disease": False, "venous-thromboembolism": False}
PRESENT = "present"
"""A symptom that is there, its grade unknown."""


def when(day: float) -> Moment:
    """The moment `day` days from the assessment."""
    return AT.plus(day)


class Value(Struct, frozen=True):
    """One result with more than a number: its limits, its standing, its bound."""

    day: float
    value: float | str
    low: float | None = None
    high: float | None = None
    status: str = "final"
    comparator: str = ""


class Said(Struct, frozen=True):
    """One answer about a symptom. A bare number in `symptoms` is an old, unchanged symptom."""

    grade: int | None
    day: float = 0.0
    onset: float | None = None
    course: str | None = None
    circumstance: str = ""


def new(grade: int | None = 2, **more: Any) -> Said:
    """A symptom that the patient calls new."""
    return Said(grade, course="new", **more)


class Taken(Struct, frozen=True):
    """One resource about a drug; see `taken`, `doses`, `held`, `ordered`."""

    basis: str
    start: float | None
    end: float | None
    ongoing: bool = False
    hold: bool = False
    given: bool = True
    intent: str = ""
    until: float | None = None


def taken(start: float | None = -60.0, end: float | None = None, **more: Any) -> list[Taken]:
    """A stated exposure; without an end it is still going on."""
    return [Taken("statement", start, end, ongoing=end is None, **more)]


def held(start: float, since: float) -> list[Taken]:
    """A drug on hold since a day."""
    return [Taken("statement", start, since, hold=True)]


def doses(*days: float, intent: str = "") -> list[Taken]:
    """Single doses."""
    return [Taken("administration", day, day, intent=intent) for day in days]


def ordered(start: float, until: float | None = None) -> list[Taken]:
    """An active order, planned until a day ahead."""
    return [Taken("request", start, until, ongoing=True, until=until)]


def red_cells(day: float, units: float = 1.0, hours: float = 0.0) -> Transfusion:
    """A red-cell transfusion that began on a day."""
    start, end = when(day), when(day + hours / 24)
    return Transfusion(start, end, units, f"Procedure/red-cells{day:g}".replace("-", "m"))


def irradiated(
    *fields: tuple[Any, ...], start: float = -90.0, end: float | None = -60.0
) -> RadiationCourse:
    """A course: fields as (site, Gy) or (site, Gy, segments)."""
    made = tuple(RadiationField(f[0], tuple(f[2]) if len(f) > 2 else (), f[1]) for f in fields)
    name = "-".join(str(f[0]) for f in fields) + f"{start:g}".replace("-", "m")
    return RadiationCourse(
        made, when(start), None if end is None else when(end), f"Procedure/{name}"
    )


def patient(**words: Any) -> Record:
    """A record in the words of the glossary; everything not named is well (see `WELL`)."""
    return assemble(*facts(**words))


def facts(
    *,
    sex: str = "female",
    age: int | None = 60,
    altitude: float | None = None,
    limit: float | None = None,
    symptoms: dict[str, Any] | None = {},  # noqa: B006
    therapy: str | dict[str, list[Taken]] | None = None,
    diagnoses: dict[str, Any] = {},  # noqa: B006
    transfusions: tuple[Any, ...] | list[Any] = (),
    units_elsewhere: tuple[float, float, float] | None = None,
    radiation: tuple[RadiationCourse, ...] | list[RadiationCourse] = (),
    refusal: str | None = None,
    hospice: bool = False,
    prognosis_weeks: float | None = None,
    planned: float | None = None,
    **results: Any,
) -> tuple[Patient, list[Fact]]:
    """The patient and the facts of `patient`, before they are gathered."""
    born = None if age is None else date(AT.day.year - age, 1, 1)
    who = Patient("p1", sex, born, altitude_m=altitude)  # type: ignore[arg-type]
    found: list[Fact] = [*_results(results, limit), *_symptoms(symptoms), *_drugs(therapy)]
    found += [
        _diagnosis(name, said) for name, said in (KNOWN | diagnoses).items() if said is not None
    ]
    found += [t if isinstance(t, Transfusion) else red_cells(t) for t in transfusions]
    found += radiation
    if units_elsewhere is not None:
        start, end, units = units_elsewhere
        found.append(TransfusionTotal(when(start), when(end), units, "Observation/total"))
    if refusal is not None:
        found.append(Refusal("Consent/c1", refusal == "clear"))
    if hospice:
        found.append(CareSetting("hospice", "Encounter/hospice", when(-10)))
    if prognosis_weeks is not None:
        until = when(7 * prognosis_weeks)
        found.append(Prognosis("RiskAssessment/r1", when(0), until))
    if planned is not None:
        found.append(PlannedTherapy(None, when(planned), "CarePlan/plan"))
    return who, found


def _results(given: dict[str, Any], limit: float | None) -> list[Measured | Coded]:
    said = WELL | {name.replace("_", "-"): value for name, value in given.items()}
    rows: list[Measured | Coded] = []
    for analyte, answers in said.items():
        unit = _knowledge().analytes[analyte].unit
        for n, one in enumerate(_listed(answers)):
            value = one if isinstance(one, Value) else Value(*one)
            reference = f"Observation/{analyte}-{n}"
            if isinstance(value.value, str):
                rows.append(Coded(analyte, value.value, when(value.day), reference, value.status))  # type: ignore[arg-type]
                continue
            low = limit if analyte == "hemoglobin" and value.low is None else value.low
            rows.append(
                Measured(
                    analyte,
                    float(value.value),
                    unit,
                    when(value.day),
                    reference,
                    value.status,
                    value.comparator,
                    low,
                    value.high,  # type: ignore[arg-type]
                    original="" if analyte == "ecog" else f"{value.value:g} {unit}",
                )
            )
    if "hematocrit" not in said:
        rows += [_hematocrit(m) for m in rows if m.analyte == "hemoglobin"]
    if not given.keys().isdisjoint(("hemoglobin", "mcv", "hematocrit")) and "rbc" not in given:
        rows = [_fitting(m, rows) if m.analyte == "rbc" else m for m in rows]
    return rows


def _fitting(rbc: Any, rows: list[Any]) -> Measured:
    """As many red cells as the hematocrit and the MCV of their count make."""
    same = {m.analyte: m.value for m in rows if m.time == rbc.time and isinstance(m, Measured)}
    if not same.get("mcv") or not same.get("hematocrit"):
        return rbc
    value = round(10 * same["hematocrit"] / same["mcv"], 2)
    return replace(rbc, value=value, original=f"{value:g} {rbc.ucum}")


def _hematocrit(m: Any) -> Measured:
    reference = m.reference.replace("hemoglobin", "hematocrit")
    value = round(3 * m.value, 1)
    return Measured("hematocrit", value, "%", m.time, reference, original=f"{value:g} %")


def _listed(answers: Any) -> list[Any]:
    if answers is None:
        return []
    if isinstance(answers, Value):
        return [answers]
    return answers if isinstance(answers, list) else [(0.0, answers)]


def _symptoms(given: dict[str, Any] | None) -> list[SymptomReport]:
    if given is None:
        return []
    absent = dict.fromkeys(_knowledge().symptoms, 0)
    return [
        _report(name, n, one)
        for name, said in (absent | given).items()
        if said is not None
        for n, one in enumerate(said if isinstance(said, list) else [said])
    ]


def _report(symptom: str, number: int, one: Any) -> SymptomReport:
    if not isinstance(one, Said):
        one = Said(None if one == PRESENT else one, course=None if one == 0 else "unchanged")
    return SymptomReport(
        symptom,
        one.grade,
        when(one.day),
        f"Observation/{symptom}-{number}",
        None if one.onset is None else when(one.onset),
        one.course,
        one.circumstance,
    )


def _drugs(therapy: str | dict[str, list[Taken]] | None) -> list[DrugRecord]:
    named = {therapy: taken()} if isinstance(therapy, str) else therapy or {}
    rows: list[DrugRecord] = []
    for drug, resources in named.items():
        for n, t in enumerate(resources):
            kind = {
                "statement": "MedicationStatement",
                "administration": "MedicationAdministration",
                "request": "MedicationRequest",
                "dispense": "MedicationDispense",
            }[t.basis]
            rows.append(
                DrugRecord(
                    drug,
                    t.basis,
                    f"{kind}/{drug.replace('/', '-')}-{n}",  # type: ignore[arg-type]
                    None if t.start is None else when(t.start),
                    None if t.end is None else when(t.end),
                    ongoing=t.ongoing,
                    given=t.given,
                    hold=t.hold,
                    intent=t.intent,
                    planned_until=None if t.until is None else when(t.until),
                )
            )
    return rows


def _diagnosis(meaning: str, said: Any) -> Diagnosis:
    label = _knowledge().conditions[meaning].name
    onset = when(said) if isinstance(said, (int, float)) and not isinstance(said, bool) else None
    return Diagnosis(meaning, f"Condition/{meaning}", said is False, onset=onset, label=label)


@cache
def _knowledge() -> Knowledge:
    return knowledge()


def assess(record: Record, policy: Path | None = None) -> Steps:
    """Every step's answer at `AT`."""
    return run(record, AT, knowledge(policy) if policy else _knowledge())


def review(**words: Any) -> Steps:
    """`assess(patient(...))`."""
    return assess(patient(**words))


def output(record: Record) -> bytes:
    """The assessment as the output contract has it."""
    return to_json(assess(record))


def bundle(**words: Any) -> dict[str, Any]:
    """The same patient as a FHIR Bundle, by the input contract."""
    from properties.fhir_writer import write

    return write(*facts(**words))


def read_bundle(document: dict[str, Any], folder: Path) -> Record:
    """The record that the reader makes of a Bundle."""
    path = folder / "bundle.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return read(path, base=_knowledge())
