"""How the clinic treats an invented person: lines, cycles, doses, holds and reductions."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import proxy

from redcell.findings.case import CHECKPOINT, CONJUGATE, CYTOTOXIC
from redcell.population.synthesize.blood import Exposure
from redcell.population.synthesize.body import Look
from redcell.population.synthesize.chart import Dose, Line, Remedy, Tablets
from redcell.population.synthesize.life import FAR
from redcell.population.synthesize.numbers import Regimen

if TYPE_CHECKING:
    from redcell.population.synthesize.clinic import Clinic

WEEK = 7
SEEN = 45
"""Days for which a dose still shows in other cells."""
COUNT_HOLDS = 3
"""Days for which a count stands before a cycle."""
STOPS_IN_HOSPICE = 30


class Treating:
    """The treatment of one person."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic: Clinic = proxy(clinic)  # no circle: a batch goes when it is done
        life = clinic.life
        self.rng, self.period, self.n, self.k = clinic.rng, clinic.period, clinic.n, clinic.k
        self.practice = self.n.clinic_practice
        self.agents = clinic.body.agents[clinic.lane]
        self.number = {key: i for i, key in enumerate(self.agents)}
        self.left = list(life.lines)
        self.line_due = life.span.begins if life.span.counted else FAR
        self.regimen: Regimen | None = None
        self.name = ""
        self.stop_at = self.cycle_due = FAR
        self.cycle = self.cycle_start = 0
        self.fraction = 1.0
        self.due: list[tuple[int, str, int]] = []
        self.held_since: int | None = None
        self.ends = life.span.until - STOPS_IN_HOSPICE if life.hospice else FAR
        self.growth_factor = -FAR

    @property
    def next_day(self) -> int:
        """The next day on which treatment may need something."""
        waiting = FAR if self.held_since is not None else self.cycle_due
        doses = min((day for day, _, _ in self.due), default=FAR)
        return min(self.line_due, self.stop_at, waiting, doses, self.ends)

    @property
    def line(self) -> Line:
        """The line of treatment as it is written down."""
        return self.clinic.chart.lines[-1]

    @property
    def suppresses(self) -> bool:
        """Does the regimen hold back red cells?"""
        return any(key[0] == self.name for key in self.agents)

    @property
    def on_cytotoxic(self) -> bool:
        """Is the person on chemotherapy or an antibody-drug conjugate?"""
        return self.regimen is not None and self._cytotoxic(self.regimen.drugs)

    # -- lines -----------------------------------------------------------------------------------

    def plan(self, day: int) -> None:
        """End and begin lines of treatment."""
        if day >= self.ends:
            self.ends, self.left = FAR, []
            self.stop_at = min(self.stop_at, day)
            self.line_due = FAR
        if self.regimen is not None and day >= self.stop_at:
            self._end(day)
        if self.regimen is None and day >= self.line_due and self.left:
            self._begin(day)

    def _begin(self, day: int) -> None:
        stay = self.left.pop(0)
        self.name, self.regimen = stay.regimen, self.n.regimen[stay.regimen]
        self.fraction = 1.0
        if self.suppresses and self.rng.random() < self.practice.starts_reduced:
            self.fraction = self.practice.reduced
        planned = day + self.regimen.cycle * self.regimen.cycles
        self.clinic.chart.lines.append(Line(self.name, day, planned))
        self.stop_at, self.cycle_due, self.cycle, self.due = day + stay.days, day, 0, []
        self.line_due = FAR
        self.clinic.next_count = min(self.clinic.next_count, day)

    def _end(self, day: int) -> None:
        self._stop_tablets(day, held=False)
        self.line.end, self.line.held_since = day, None
        self.regimen, self.held_since, self.due = None, None, []
        self.stop_at = self.cycle_due = FAR
        low, high = self.practice.restaging
        gap = int(self.rng.integers(low, high))
        self.line_due = self.period.workday(day + gap) if self.left else FAR

    # -- counts ----------------------------------------------------------------------------------

    def needs_count(self, day: int) -> bool:
        """Does a cycle begin today without a recent count?"""
        if self.regimen is None or self.held_since is not None or day < self.cycle_due:
            return False
        samples = self.clinic.lab.counts
        return not samples or day - samples[-1].day > COUNT_HOLDS

    def interval(self, day: int) -> int:
        """Days between counts that the treatment asks for."""
        number = self.k.value
        days = int(number("monitoring.default_interval"))
        for slug in self.regimen.drugs if self.regimen is not None else ():
            drug = self.k.drugs[slug]
            key = INTERVALS.get(drug.drug_class)
            own = drug.count_interval_days or (int(number(key)) if key else days)
            early = drug.count_interval_first
            if early is not None and day - self.line.start <= early.days:
                own = early.interval
            days = min(days, own)
        if self.held_since is not None:
            days = min(days, int(number("monitoring.grade3_interval")))
        return days

    def judge(self, day: int, value: float) -> None:
        """Hold or resume treatment after a count."""
        if self.regimen is None or not self.suppresses:
            return
        if self.held_since is None and value < self.practice.hold_below:
            self.held_since = self.line.held_since = day
            self._stop_tablets(day, held=True)
            self._skip([d for d in self.due if d[0] <= day + WEEK], "hemoglobin")
            self.due = []
        elif self.held_since is not None:
            if value >= self.practice.resume_from:
                self.held_since = self.line.held_since = None
                self.fraction = max(self.practice.least, self.fraction * self.practice.reduced)
                self.cycle_due = self.period.workday(day)
            elif day - self.held_since > self.practice.longest_hold:
                self._end(day)

    # -- doses -----------------------------------------------------------------------------------

    def treat(self, day: int, look: Look) -> None:
        """Begin a cycle, give what is due."""
        if self.regimen is None or self.held_since is not None:
            return
        if day >= self.cycle_due and not self._begin_cycle(day):
            return
        today = [d for d in self.due if d[0] <= day]
        self.due = [d for d in self.due if d[0] > day]
        if not today:
            return
        minute = self.clinic.hour + 120
        if not self.clinic.open(day, minute + 60):
            self.due += today
            self.due.sort()
            return
        counts = self.clinic.lab.counts
        few = counts and counts[-1].values["neutrophils"] < self.practice.neutrophils_day8
        if few and today[0][2] > 1 and self._cytotoxic([slug for _, slug, _ in today]):
            self._skip(today, "neutrophils")
            return
        self.clinic.vital_signs(day, minute - 30, look)
        self.clinic.ask(day, minute - 25, look)
        self.clinic.chart.visits.append((day, minute, "infusion"))
        for _, slug, cycle_day in today:
            self._give(day, minute, slug, cycle_day)

    def _begin_cycle(self, day: int) -> bool:
        """A cycle begins, unless other cells are too few or something came between."""
        regimen = self.regimen
        assert regimen is not None  # noqa: S101  (narrowing)
        counts = self.clinic.lab.counts
        wait = bool(counts) and self._too_few(counts[-1].values)
        late = self.cycle and self.rng.random() < self.practice.late_cycle
        if (wait or late) and self.cycle:
            self.cycle_due = day + WEEK
            planned = [(day, slug, 1) for slug, days in regimen.infusions.items() if 1 in days]
            if wait:
                self._skip(planned, "counts")
            return False
        self.cycle, self.cycle_start = self.cycle + 1, day
        self.cycle_due = day + regimen.cycle
        self.due = sorted(
            (day + d - 1, slug, d) for slug, days in regimen.infusions.items() for d in days
        )
        for slug in regimen.tablets:
            self._take(day, slug)
        if regimen.growth_factor:
            self.growth_factor = day + 1
            if self.rng.random() >= self.practice.forgot_growth_factor:
                self.clinic.chart.remedies.append(Remedy("pegfilgrastim", day + 1, day + 1))
        if not regimen.infusions:
            self.clinic.chart.visits.append((day, self.clinic.hour + 60, "visit"))
        return True

    def _too_few(self, values: dict[str, float]) -> bool:
        slugs = self.regimen.drugs if self.regimen is not None else ()
        if not self._cytotoxic(slugs):
            return False
        return (
            values["neutrophils"] < self.practice.neutrophils
            or values["platelets"] < self.practice.platelets
        )

    def _cytotoxic(self, slugs: tuple[str, ...] | list[str]) -> bool:
        return any(self.k.drugs[slug].drug_class in (CYTOTOXIC, CONJUGATE) for slug in slugs)

    def _give(self, day: int, minute: int, slug: str, cycle_day: int) -> None:
        key = (self.name, slug)
        acts = key in self.agents
        fraction = self.fraction if acts else 1.0
        dose = Dose(day, minute, slug, fraction, self.cycle, cycle_day)
        self.clinic.chart.doses.append(dose)
        if acts:
            agent = self.agents[key]
            self.clinic.body.give(self.clinic.lane, self.number[key], agent.amount * fraction)

    def _take(self, day: int, slug: str) -> None:
        """Go on with tablets, or begin them anew at another strength."""
        key = (self.name, slug)
        fraction = self.fraction if key in self.agents else 1.0
        running = self._running(slug)
        if running is not None and running.fraction == fraction:
            return
        if running is not None:
            running.end = day
        self.clinic.chart.tablets.append(Tablets(slug, day, fraction))
        if key in self.agents:
            amount = self.agents[key].amount * fraction
            self.clinic.body.take(self.clinic.lane, self.number[key], amount)

    def _running(self, slug: str) -> Tablets | None:
        found = [t for t in self.clinic.chart.tablets if t.slug == slug and t.end is None]
        return found[-1] if found else None

    def _stop_tablets(self, day: int, *, held: bool) -> None:
        for t in self.clinic.chart.tablets:
            key = (self.name, t.slug)
            if t.end is not None or (held and key not in self.agents):
                continue
            t.end, t.held = day, held
            if key in self.agents:
                self.clinic.body.take(self.clinic.lane, self.number[key], 0.0)

    def _skip(self, doses: list[tuple[int, str, int]], reason: str) -> None:
        """Doses that were due and not given, each with its reason."""
        for day, slug, cycle_day in doses:
            if day <= self.period.last and (self.name, slug) in self.agents:
                made = Dose(
                    day, self.clinic.hour + 120, slug, 0.0, max(self.cycle, 1), cycle_day,
                    given=False, reason=reason,
                )  # fmt: skip
                self.clinic.chart.doses.append(made)

    # -- what other cells feel ---------------------------------------------------------------------

    def exposures(self, day: int) -> tuple[Exposure, ...]:
        """Drugs that still show in neutrophils and platelets."""
        found = []
        for dose in reversed(self.clinic.chart.doses):
            if day - dose.day > SEEN:
                break
            if dose.given:
                found.append(Exposure(dose.slug, day - dose.day, dose.fraction))
        for t in self.clinic.chart.tablets:
            if t.end is None:
                found.append(Exposure(t.slug, day - t.start, t.fraction, daily=True))
        return tuple(found)

    def large(self, day: int) -> float:
        """By how many fL drugs have changed the size of red cells."""
        b, total = self.n.blood, 0.0
        for t in self.clinic.chart.tablets:
            weight = b.large_cells.get(t.slug, 0.0) - b.small_by_everolimus * (
                t.slug == "everolimus"
            )
            if weight:
                taken = (t.end or day) - t.start
                since = day - t.end if t.end is not None else 0
                total += weight * min(taken / b.large_days, 1.0) * max(1 - since / b.large_days, 0)
        recent = {d.slug for d in self.clinic.chart.doses[-8:] if d.given and day - d.day < SEEN}
        return total + sum(b.large_cells.get(slug, 0.0) for slug in recent)


INTERVALS = {
    CYTOTOXIC: "monitoring.cytotoxic_interval",
    CONJUGATE: "monitoring.cytotoxic_interval",
    CHECKPOINT: "monitoring.checkpoint_interval",
}
