"""What the clinic had written down about a woman by the evening of a day, as plain rows."""

from __future__ import annotations

from msgspec import Struct

from model.simulation.cohort import Patient
from model.simulation.drugs import BY_NAME, DRUGS, INDEX


class Count(Struct, frozen=True):
    """A hemoglobin at 08:00, or a weight or height."""

    id: str
    kind: str
    day: int
    value: float


class Given(Struct, frozen=True):
    """An infusion at 11:00."""

    id: str
    slug: str
    day: int
    amount: float


class Taken(Struct, frozen=True):
    """Tablets from a day on; `last` is the last day taken, none while they are taken."""

    id: str
    slug: str
    start: int
    last: int | None
    held: bool
    amount: float


class Order(Struct, frozen=True):
    """An order for a drug; `until` is its planned end, `changed` when it was held or stopped."""

    id: str
    slug: str
    start: int
    until: int
    status: str
    changed: int | None


class Units(Struct, frozen=True):
    """Red cells from 13:00, two hours a unit."""

    id: str
    day: int
    units: int


class Field(Struct, frozen=True):
    """A course of radiotherapy as far as it was known; `gray` given so far."""

    id: str
    start: int
    end: int | None
    site: str
    snomed: str
    gray: float


Row = Count | Given | Taken | Order | Units | Field


def rows(patient: Patient, until: int) -> list[Row]:
    """Everything written down up to and including a day."""
    found: list[Row] = [
        Count(f"{patient.id}-weight", "weight", 0, patient.weight_kg),
        Count(f"{patient.id}-height", "height", 0, patient.height_cm),
    ]
    for n, (day, value) in enumerate(patient.counts):
        found.append(Count(f"{patient.id}-hb-{n}", "hemoglobin", day, value))
    for n, dose in enumerate(patient.doses):
        amount = amount_of(dose.slug, dose.fraction)
        found.append(Given(f"{patient.id}-dose-{n}", dose.slug, dose.day, amount))
    for n, (day, units) in enumerate(patient.transfusions):
        found.append(Units(f"{patient.id}-red-cells-{n}", day, units))
    found = [row for row in found if row.day <= until]  # type: ignore[union-attr]
    return [*found, *_tablets(patient, until), *_orders(patient, until), *_fields(patient, until)]


def amount_of(slug: str, fraction: float) -> float:
    """Milligrams of a fraction of the full dose (tablets: a day)."""
    return round(DRUGS[INDEX[slug]].full_dose * fraction, 3)


def _tablets(patient: Patient, until: int) -> list[Row]:
    found: list[Row] = []
    for n, t in enumerate(patient.tablets):
        if t.start > until or t.end == t.start:
            continue
        over = t.end is not None and t.end <= until
        last = t.end - 1 if over and t.end is not None else None
        amount = amount_of(t.slug, t.fraction)
        name = f"{patient.id}-tablets-{n}"
        found.append(Taken(name, t.slug, t.start, last, over and t.held, amount))
    return found


def _orders(patient: Patient, until: int) -> list[Row]:
    found: list[Row] = []
    held = next((b for b, e in patient.holds if b <= until and (e is None or e > until)), None)
    for n, line in enumerate(patient.lines):
        if line.start > until:
            continue
        over = line.end is not None and line.end <= until
        finished = over and line.end == line.planned_until
        status = "completed" if finished else "stopped" if over else "active"
        changed = line.end if status == "stopped" else None
        if status == "active" and held is not None:
            status, changed = "on-hold", held
        for part in BY_NAME[line.regimen].parts:
            name = f"{patient.id}-order-{n}-{part.slug}"
            found.append(Order(name, part.slug, line.start, line.planned_until, status, changed))
    return found


def _fields(patient: Patient, until: int) -> list[Row]:
    found: list[Row] = []
    for n, c in enumerate(patient.radiation):
        if c.start > until:
            continue
        share = min(1.0, (until - c.start + 1) / (c.end - c.start + 1))
        end = c.end if c.end <= until else None
        name = f"{patient.id}-field-{n}"
        found.append(Field(name, c.start, end, c.site, c.snomed, round(c.gray * share, 2)))
    return found
