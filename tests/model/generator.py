"""Simulated women with metastatic breast cancer, for judging forecasts: the whole interface.

The simulation is a body of its own (red cells by day of birth, hormone with a half-life, fixed
marrow delays, saturating drugs, infections, plasma shifts, a clinic that holds doses and
transfuses). It takes nothing from the program but, in the functions here, the shape of a record.

    cohort = simulate(250, Population(seed=1, every=21, threshold=8.0))
    woman = cohort.patients[0]
    known = facts_record(woman, 120)      # the record as it stood on the evening of day 120
    then = woman.truth.count[120 + 28]    # what a count said 28 days later

Summary of a cohort: `python tests/model/generator.py --patients 200`.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).parents[1])

import numpy as np

from model.simulation.cohort import Cohort, Patient, Truth, simulate
from model.simulation.fhir import resources, to_ndjson
from model.simulation.people import Population
from model.simulation.rows import Count, Field, Given, Order, Row, Taken, Units, rows
from redcell.knowledge.load import knowledge
from redcell.record.disease import Diagnosis
from redcell.record.measured import Measured
from redcell.record.moment import Moment, on_day, utc
from redcell.record.patient import Patient as Known
from redcell.record.radiation import RadiationCourse, RadiationField
from redcell.record.record import Fact, Record, assemble
from redcell.record.therapies import DrugRecord
from redcell.record.transfusions import Transfusion
from redcell.sources.read import read

__all__ = [
    "Cohort", "Patient", "Population", "Truth", "at", "facts_record", "record", "resources",
    "simulate", "to_ndjson",
]  # fmt: skip

EVENING = 20
UNITS = {"hemoglobin": "g/dL", "weight": "kg", "height": "cm"}
SITE_KEYS = {
    "Pelvis": "pelvis", "Lumbar spine": "lumbar-spine", "Thoracic spine": "thoracic-spine",
    "Sternum": "sternum", "Brain": "brain",
}  # fmt: skip


def at(patient: Patient, day: int) -> Moment:
    """The evening of a day: its count, its doses and its red cells are known."""
    return _hour(patient, day, EVENING)


def record(patient: Patient, at_day: int) -> Record:
    """What was known on the evening of a day, through the FHIR reader."""
    with tempfile.TemporaryDirectory() as folder:
        to_ndjson([patient], Path(folder), at_day)
        return read(folder, base=knowledge())


def facts_record(patient: Patient, at_day: int) -> Record:
    """The same record without the detour over files (about fifty times as fast)."""
    who = Known(patient.id, "female", patient.birth_date)
    return assemble(who, _facts(patient, at_day))


def _facts(patient: Patient, at_day: int) -> Iterator[Fact]:
    yield from _diagnoses(patient)
    for row in rows(patient, at_day):
        yield _fact(patient, row)


def _diagnoses(patient: Patient) -> Iterator[Diagnosis]:
    said = [
        ("breast-cancer", "breast", "Malignant neoplasm of breast"),
        ("metastasis", "liver", "Secondary malignant neoplasm of liver"),
    ]
    if patient.bone_metastasis:
        text = "Secondary malignant neoplasm of bone"
        said += [("metastasis", "bone", text), ("bone-metastasis", "bone", text)]
    for meaning, name, text in said:
        reference = f"Condition/{patient.id}-{name}"
        yield Diagnosis(meaning, reference, recorded=on_day(patient.on(0)), label=text)


def _fact(patient: Patient, row: Row) -> Fact:
    match row:
        case Count():
            unit = UNITS[row.kind]
            when = _hour(patient, row.day, 8)
            said = f"{row.value:g} {unit}"
            reference = f"Observation/{row.id}"
            return Measured(row.kind, row.value, unit, when, reference, original=said)
        case Given():
            when = _hour(patient, row.day, 11)
            reference = f"MedicationAdministration/{row.id}"
            return DrugRecord(
                row.slug, "administration", reference, when, when, amount=f"{row.amount:g} mg"
            )
        case Taken():
            return _taken(patient, row)
        case Order():
            return _order(patient, row)
        case Units():
            end = _hour(patient, row.day, 13 + 2 * row.units)
            start = _hour(patient, row.day, 13)
            return Transfusion(start, end, float(row.units), f"Procedure/{row.id}")
        case Field():
            return _field(patient, row)


def _taken(patient: Patient, row: Taken) -> DrugRecord:
    end = None if row.last is None else on_day(patient.on(row.last))
    return DrugRecord(
        row.slug,
        "statement",
        f"MedicationStatement/{row.id}",
        on_day(patient.on(row.start)),
        end,
        ongoing=end is None,
        hold=row.held,
        amount=f"{row.amount:g} mg",
    )


def _order(patient: Patient, row: Order) -> DrugRecord:
    until = on_day(patient.on(row.until))
    return DrugRecord(
        row.slug,
        "request",
        f"MedicationRequest/{row.id}",
        on_day(patient.on(row.start)),
        until,
        ongoing=row.status == "active",
        hold=row.status == "on-hold",
        stopped=row.status in ("on-hold", "stopped"),
        updated=None if row.changed is None else _hour(patient, row.changed, 12),
        planned_until=until if row.status == "active" else None,
    )


def _field(patient: Patient, row: Field) -> RadiationCourse:
    site = RadiationField(SITE_KEYS[row.site], dose_gy=row.gray, label=row.site)
    end = None if row.end is None else on_day(patient.on(row.end))
    return RadiationCourse((site,), on_day(patient.on(row.start)), end, f"Procedure/{row.id}")


def _hour(patient: Patient, day: int, hour: int) -> Moment:
    midnight = datetime.combine(patient.day_zero, time(tzinfo=UTC))
    return utc(midnight + timedelta(days=day, hours=hour))


# -- the summary ---------------------------------------------------------------------------------


def summary(cohort: Cohort) -> Iterator[str]:
    """What the cohort looks like, line by line."""
    women, every = cohort.patients, cohort.population.every
    yield f"{len(women)} women, {cohort.population.days} days, a count each {every} days"
    yield "hemoglobin on day 0: " + _spread(w.truth.count[0] for w in women)
    yield "lowest count: " + _spread(min(v for _, v in w.counts) for w in women)
    for ahead in (7, 14, 28):
        moved = [abs(w.truth.count[d + ahead] - w.truth.count[d]) for w in women for d in (60, 200)]
        yield f"mean change of a count over {ahead} days: {np.mean(moved):.2f} g/dL"
    yield f"transfused: {np.mean([bool(w.transfusions) for w in women]):.0%}"
    yield f"transfused elsewhere: {np.mean([bool(w.truth.elsewhere) for w in women]):.1%}"
    yield f"a dose was held: {np.mean([bool(w.holds) for w in women]):.0%}"
    yield f"radiotherapy: {np.mean([bool(w.radiation) for w in women]):.0%}"
    yield from _by_regimen(women)
    yield from _leading(women)


def _by_regimen(women: tuple[Patient, ...]) -> Iterator[str]:
    """Lowest count within the first line: share below 8 g/dL (CTCAE grade 3)."""
    lowest: dict[str, list[float]] = {}
    for woman in women:
        line = woman.lines[0]
        inside = [v for d, v in woman.counts if line.start <= d <= (line.end or 10_000)]
        lowest.setdefault(line.regimen, []).append(min(inside, default=99.0))
    for name, values in sorted(lowest.items()):
        share = np.mean([v < 8.0 for v in values])
        yield f"  {name}: {len(values)} women, below 8 g/dL in the first line {share:.0%}"


def _leading(women: tuple[Patient, ...]) -> Iterator[str]:
    day = len(women[0].truth.latent) // 2
    short = [w for w in women if w.truth.set_point - w.truth.latent[day] >= 2]
    found = Counter((w.truth.leading(day) or "none").partition(":")[0] for w in short)
    named = ", ".join(f"{cause} {count}" for cause, count in found.most_common())
    yield f"leading cause on day {day} where 2 g/dL or more are missing: {named}"


def _spread(values: Iterable[float]) -> str:
    found = np.array(list(values))
    low, high = np.quantile(found, [0.05, 0.95])
    return f"{found.mean():.1f} ± {found.std():.1f} g/dL (5-95 %: {low:.1f} to {high:.1f})"


def main() -> None:
    """Print the summary of a cohort."""
    import argparse

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--patients", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=7, help="days between counts")
    parser.add_argument("--threshold", type=float, default=7.0, help="of transfusion, g/dL")
    parser.add_argument("--ndjson", type=Path, help="write the charts into this folder")
    given = parser.parse_args()
    population = Population(seed=given.seed, every=given.every, threshold=given.threshold)
    cohort = simulate(given.patients, population)
    if given.ndjson:
        to_ndjson(cohort.patients, given.ndjson)
    sys.stdout.write("\n".join(summary(cohort)) + "\n")


if __name__ == "__main__":
    main()
