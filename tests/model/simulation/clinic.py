"""The simulated clinic: counts, doses, holds and red cells, as practice has them.

A dose is held when a measured hemoglobin is below 8 g/dL and resumed at 75 % of the dose at 9 or
more; below the site's threshold one or two units are given the same or the next day.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from model.simulation.drugs import DRUGS, INDEX, Regimen
from model.simulation.people import BURN_IN, Person, Population

HOLD_BELOW, RESUME_AT, REDUCED, LEAST = 8.0, 9.0, 0.75, 0.5
LONGEST_HOLD = 63
HOSPITAL_BELOW = 9.5


class Dose(Struct, frozen=True):
    """One infusion: a fraction of the full dose."""

    day: int
    slug: str
    fraction: float


class Tablets(Struct):
    """Tablets taken from `start` up to, not including, `end`; `held` says why they ended."""

    slug: str
    start: int
    fraction: float
    end: int | None = None
    held: bool = False


class Line(Struct):
    """One line of treatment. `planned_until` is what the clinic meant at its start."""

    regimen: str
    start: int
    planned_until: int
    end: int | None = None


class Chart:
    """What the clinic does with one woman and writes down about her."""

    def __init__(self, person: Person, population: Population) -> None:
        self.person, self.population = person, population
        self.rng = np.random.default_rng([population.seed, person.number, 7])
        self.counts: list[tuple[int, float]] = []
        self.doses: list[Dose] = []
        self.tablets: list[Tablets] = []
        self.holds: list[list[int | None]] = []
        self.transfusions: list[tuple[int, int]] = []
        self.elsewhere: list[tuple[int, int]] = []
        self.lines: list[Line] = []
        self.cycles: list[int] = []
        self.pending: list[tuple[int, int]] = []
        self.due: list[tuple[int, str]] = []
        self.fraction, self.line_due, self.picked = 1.0, int(self.rng.integers(0, 10)), 0
        self.stop_at = self.cycle_due = 1_000_000
        self.next_count = 0
        self.regimen: Regimen | None = None

    @property
    def on_hold(self) -> bool:
        """Is treatment held now?"""
        return bool(self.holds) and self.holds[-1][1] is None

    @property
    def next_event(self) -> int:
        """The next day on which something may happen."""
        units = min((d for d, _ in self.pending), default=1_000_000)
        doses = min((d for d, _ in self.due), default=1_000_000)
        waiting = 1_000_000 if self.on_hold else self.cycle_due
        return min(self.next_count, units, doses, waiting, self.line_due, self.stop_at)

    def visit(self, day: int, would_measure: float, latent: float) -> None:
        """Everything that happens on a day; `would_measure` is what a count would say."""
        if self.regimen is not None and day >= self.stop_at:
            self._end_line(day)
        if self.regimen is None and day >= self.line_due:
            self._begin_line(day)
        if day >= self.next_count:
            self._count(day, would_measure)
        elif self._needs_count(day):
            self._measure(day, would_measure)
        for units in [u for d, u in self.pending if d <= day]:
            self.transfusions.append((day, units))
        self.pending = [(d, u) for d, u in self.pending if d > day]
        self._treat(day)

    def hospital(self, day: int, latent: float, ill: float) -> None:
        """Red cells in another hospital, during an infection, that nobody here writes down."""
        if (
            self.person.outside
            and latent < HOSPITAL_BELOW
            and ill > 0.1
            and len(self.elsewhere) < 2
        ):
            last = self.elsewhere[-1][0] if self.elsewhere else -100
            if day - last > 30:
                self.elsewhere.append((day, 2))

    # -- counts ------------------------------------------------------------------------------

    def _count(self, day: int, value: float) -> None:
        every = self.population.every
        jitter = int(self.rng.choice([-1, 0, 1], p=[0.08, 0.84, 0.08])) if every > 1 else 0
        if self.rng.random() < self.population.missed and day > 0:
            self.next_count = day + 7
            return
        self._measure(day, value)
        close = self.on_hold or value < HOLD_BELOW + 0.5
        self.next_count = day + (min(every, 7) if close else every) + jitter

    def _measure(self, day: int, value: float) -> None:
        self.counts.append((day, value))
        self._red_cells(day, value)
        if value < HOLD_BELOW and self.regimen is not None and not self.on_hold:
            self.holds.append([day, None])
            self._stop_tablets(day, held=True)
        elif value >= RESUME_AT and self.on_hold:
            self.holds[-1][1] = day
            self.fraction = max(LEAST, self.fraction * REDUCED)
            self.due, self.cycle_due = [], day

    def _red_cells(self, day: int, value: float) -> None:
        threshold = self.population.threshold
        lower = value < threshold
        draw, soon = self.rng.random(2)
        symptoms = value < threshold + 1 and draw < self.population.symptomatic
        recent = self.transfusions and day - self.transfusions[-1][0] < 3
        if (lower or symptoms) and not recent and not self.pending:
            units = 2 if value < threshold - 0.5 or draw < 0.5 else 1
            self.pending.append((day + int(soon < 0.35), units))

    def _needs_count(self, day: int) -> bool:
        """A cycle begins with a count that is not older than three days, where counts are rare."""
        begins = day >= self.cycle_due and self.regimen is not None and not self.on_hold
        return begins and (not self.counts or day - self.counts[-1][0] > 7)

    # -- treatment ---------------------------------------------------------------------------

    def _begin_line(self, day: int) -> None:
        regimen, stay = self.person.lines[min(self.picked, len(self.person.lines) - 1)]
        self.picked += 1
        self.regimen, self.fraction = regimen, 1.0
        if self.rng.random() < 0.12 and not self.population.plain:
            self.fraction = 0.8
        planned = day + regimen.cycles * regimen.length
        self.lines.append(Line(regimen.name, day, planned))
        self.stop_at, self.cycle_due, self.due = min(day + stay, planned), day, []
        self.line_due = 1_000_000
        if self.population.every > 7:
            self.next_count = min(self.next_count, day)

    def _end_line(self, day: int) -> None:
        self._stop_tablets(day, held=False)
        if self.on_hold:
            self.holds[-1][1] = day
        self.lines[-1].end, self.regimen = day, None
        self.due, self.stop_at, self.cycle_due = [], 1_000_000, 1_000_000
        more = self.picked < len(self.person.lines)
        self.line_due = day + int(self.rng.integers(10, 30)) if more else 1_000_000

    def _treat(self, day: int) -> None:
        if self.regimen is None:
            return
        if self.on_hold:
            begun = self.holds[-1][0]
            if begun is not None and day - begun > LONGEST_HOLD and not self.population.plain:
                self._end_line(day)
            return
        if day >= self.cycle_due:
            self._begin_cycle(day, self.regimen)
        for _, slug in [d for d in self.due if d[0] <= day]:
            self.doses.append(Dose(day, slug, self.fraction))
        self.due = [d for d in self.due if d[0] > day]

    def _begin_cycle(self, day: int, regimen: Regimen) -> None:
        late = 7 * int(self.rng.random() < 0.06 and not self.population.plain)
        if self.rng.random() < 0.02 and not self.population.plain:
            self.fraction = max(LEAST, self.fraction * 0.8)
        self.cycles.append(day)
        self.cycle_due = day + regimen.length + late
        self.due = [(day + d, part.slug) for part in regimen.infusions for d in part.days]
        running = [t for t in self.tablets if t.end is None]
        for part in regimen.tablets:
            same = [t for t in running if t.slug == part.slug and t.fraction == self.fraction]
            if not same:
                for t in running:
                    t.end = day if t.slug == part.slug else t.end
                self.tablets.append(Tablets(part.slug, day, self.fraction))

    def _stop_tablets(self, day: int, *, held: bool) -> None:
        for t in self.tablets:
            if t.end is None:
                t.end, t.held = day, held

    # -- what reaches the body -----------------------------------------------------------------

    def doses_on(self, day: int) -> list[tuple[int, float]]:
        """Drug numbers and fractions that enter the body on a day, tablets included."""
        given = [(INDEX[d.slug], d.fraction) for d in self.doses[-4:] if d.day == day]
        if self.regimen is None:
            return given
        cycle_day = (day - self.lines[-1].start) % self.regimen.length
        taken = {p.slug: cycle_day in p.days for p in self.regimen.tablets}
        running = [t for t in self.tablets if t.end is None and taken.get(t.slug, False)]
        return given + [(INDEX[t.slug], t.fraction * _daily(t.slug)) for t in running]

    def units_on(self, day: int) -> tuple[float, float]:
        """Units on a day: charted, and given elsewhere."""
        return (
            sum(u for d, u in self.transfusions if d == day),
            sum(u for d, u in self.elsewhere if d == day),
        )


def _daily(slug: str) -> float:
    """What one day of tablets adds, so that a steady full dose is concentration 1."""
    return 1 - 0.5 ** (1 / DRUGS[INDEX[slug]].half_life)


def burn_in_doses(person: Person, day: int) -> list[tuple[int, float]]:
    """Doses before the record began."""
    return [(drug, fraction) for d, drug, fraction in person.prior if d == day]


__all__ = ["BURN_IN", "Chart", "Dose", "Line", "Tablets", "burn_in_doses"]
