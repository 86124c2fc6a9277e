"""What trees see of a chart on the evening of a day: counts, doses, plans, red cells, the person."""

from __future__ import annotations

import numpy as np

from model.simulation.cohort import Line, Patient
from model.simulation.drugs import BY_NAME, INDEX, SLUGS

WINDOWS = (7, 21, 84)
UNKNOWN = float("nan")


def features(patient: Patient, day: int) -> np.ndarray:
    """One row of numbers; what is not known is not a number."""
    line = next((x for x in reversed(patient.lines) if x.start <= day), None)
    current = line if line is not None and (line.end is None or line.end > day) else None
    return np.array(
        [
            *_counts(patient, day),
            *_given(patient, day),
            *_planned(patient, day, current),
            *_red_cells(patient, day),
            *_person(patient, day),
        ],
        float,
    )


def _counts(patient: Patient, day: int) -> list[float]:
    known = [c for c in patient.counts if c[0] <= day]
    newest = known[::-1][:6]
    values = [v for _, v in newest] + [UNKNOWN] * (6 - len(newest))
    ages = [float(day - d) for d, _ in newest] + [UNKNOWN] * (6 - len(newest))
    level = np.array([v for _, v in known])
    start = known[0][1]
    return [
        *values, *ages, _slope(known, day, 22), _slope(known, day, 57), _slope(known, day, 120),
        float(level.min()), float(level.max()), float(level.mean()), float(level[-8:].std()),
        start, float(len(known)), float(day),
    ]  # fmt: skip


def _slope(known: list[tuple[int, float]], day: int, window: int) -> float:
    near = np.array([c for c in known if day - c[0] <= window], float)
    if len(near) < 2:
        return UNKNOWN
    return float(np.polyfit(near[:, 0] - day, near[:, 1], 1)[0])


def _given(patient: Patient, day: int) -> list[float]:
    """Full doses (tablets: days at full dose) per drug and window, and days since the last."""
    totals = np.zeros((len(SLUGS), len(WINDOWS)))
    since = np.full(len(SLUGS), UNKNOWN)
    for dose in patient.doses:
        if dose.day <= day:
            drug = INDEX[dose.slug]
            totals[drug] += [dose.fraction * (day - dose.day < w) for w in WINDOWS]
            since[drug] = day - dose.day
    for t in patient.tablets:
        if t.start > day:
            continue
        end = day if t.end is None or t.end > day else t.end
        drug = INDEX[t.slug]
        totals[drug] += [t.fraction * max(0, end - max(t.start, day - w)) for w in WINDOWS]
        since[drug] = day - end
    return [*totals.ravel(), *since]


def _planned(patient: Patient, day: int, line: Line | None) -> list[float]:
    held = any(b <= day and (e is None or e > day) for b, e in patient.holds)
    drugs = [0.0] * len(SLUGS)
    if line is None:
        return [*drugs, 0.0, UNKNOWN, UNKNOWN, float(held)]
    for part in BY_NAME[line.regimen].parts:
        drugs[INDEX[part.slug]] = len(part.days) / BY_NAME[line.regimen].length
    return [*drugs, 1.0, float(line.planned_until - day), float(day - line.start), float(held)]


def _red_cells(patient: Patient, day: int) -> list[float]:
    known = [(d, u) for d, u in patient.transfusions if d <= day]
    windows = [float(sum(u for d, u in known if day - d < w)) for w in (1, 8, 29, 85)]
    return [*windows, float(day - known[-1][0]) if known else UNKNOWN]


def _person(patient: Patient, day: int) -> list[float]:
    age = (patient.day_zero - patient.birth_date).days / 365.25
    field = sum(c.gray * c.share for c in patient.radiation if c.start <= day)
    return [age, patient.weight_kg, patient.height_cm, float(patient.bone_metastasis), field]
