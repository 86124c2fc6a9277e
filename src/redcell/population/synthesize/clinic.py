"""The clinic of one invented person: counts, doses, holds and red cells, as practice has them."""

from __future__ import annotations

from redcell.knowledge.load import Knowledge
from redcell.population.synthesize.body import Body, Look
from redcell.population.synthesize.chart import Chart, RedCells, Remedy, Report, Sample
from redcell.population.synthesize.feelings import Feelings
from redcell.population.synthesize.laboratory import Laboratory
from redcell.population.synthesize.life import CLINIC, FAR, Life, Period, stream
from redcell.population.synthesize.numbers import numbers
from redcell.population.synthesize.treatment import Treating

WEEK = 7


class Clinic:
    """Sees one person on the days on which something is due."""

    def __init__(self, k: Knowledge, period: Period, body: Body, lane: int, life: Life) -> None:
        self.k, self.n, self.life, self.period = k, numbers(k), life, period
        self.body, self.lane = body, lane
        self.rng = stream(period, life.number, CLINIC)
        self.chart = Chart()
        self.feelings = Feelings(self.rng, self.n)
        self.lab = Laboratory(self)
        self.treating = Treating(self)
        self.site = self.n.clinic[life.clinic]
        self.hour = int(self.rng.integers(7 * 60, 10 * 60))
        draw = self.rng.random()
        reporting = self.n.reporting
        self.reports = draw < reporting.reported
        self.is_asked = not self.reports and draw < reporting.reported + reporting.asked
        self.next_count = life.span.joins if life.span.counted else FAR
        first = life.span.joins + int(self.rng.integers(0, 7))
        self.next_report = first if self.reports else FAR
        self.growth = self.rng.random() < self.n.clinic_practice.stimulates
        self.stimulated: list[int] = []
        self.pending: tuple[int, int] | None = None
        self.next_day = self._next()

    def _next(self) -> int:
        units = self.pending[0] if self.pending else FAR
        day = min(self.next_count, self.next_report, units, self.treating.next_day)
        return day if day <= self.life.span.until else FAR

    def open(self, day: int, minute: int) -> bool:
        """Does this minute lie inside the period, and inside the person's record?"""
        return day < self.period.last or minute <= self.period.minute

    def visit(self, day: int) -> None:
        """Everything that happens on a day."""
        look = self.body.look(day, self.lane)
        self.treating.plan(day)
        if day >= self.next_count or self.treating.needs_count(day):
            self._count(day, look)
        if self.pending is not None and self.pending[0] <= day:
            self._transfuse(day, self.pending[1])
        self.treating.treat(day, look)
        if day >= self.next_report:
            self._report(day, look)
        self.next_day = max(self._next(), day + 1)

    # -- counts ----------------------------------------------------------------------------------

    def _count(self, day: int, look: Look) -> None:
        due = day >= self.next_count
        missed = self.rng.random() < self.life.span.misses and day > self.life.span.joins
        if day > self.life.span.lapses or (due and missed and not self.treating.needs_count(day)):
            self.next_count = self.period.workday(day + WEEK)
            return
        value = self.lab.count(day, look)
        if value is None:
            self.next_count = day + 1
            return
        self._red_cells(day, value)
        self._stimulate(day, value)
        self.treating.judge(day, value)
        self._set_next(day, value)

    def _set_next(self, day: int, value: float) -> None:
        number = self.k.value
        days = self.treating.interval(day)
        if value < number("urgency.hemoglobin_very_low"):
            days = min(days, int(number("monitoring.very_low_interval")))
        elif value < number("urgency.hemoglobin_low"):
            days = min(days, int(number("monitoring.low_interval")))
        elif value < number("anemia.grade2_below"):
            days = min(days, int(number("monitoring.grade2_interval")))
        if self.pending is not None:
            low = value < number("urgency.hemoglobin_very_low")
            days = int(
                number("monitoring.after_very_low" if low else "monitoring.after_transfusion")
            )
            days += self.pending[0] - day
        close = days < WEEK
        self.next_count = day + days if close else self.period.workday(day + days)

    # -- red cells -------------------------------------------------------------------------------

    def _red_cells(self, day: int, value: float) -> None:
        practice, draw = self.n.clinic_practice, self.rng.random(4)
        threshold = self.site.threshold
        symptoms = value < threshold + practice.symptoms_above and draw[0] < practice.symptomatic
        recent = self.chart.red_cells and day - self.chart.red_cells[-1].day < RECENT
        if not (value < threshold or symptoms) or recent or self.pending or self.life.wish:
            return
        two = value < threshold - LOW or draw[1] < practice.two_units
        later = 0 if draw[2] < practice.same_day else 1 + int(draw[3] * practice.within_days)
        when = day + later if value < threshold else self.period.workday(day + later)
        self.pending = (when, 2 if two else 1)

    def _stimulate(self, day: int, value: float) -> None:
        """Now and then an erythropoiesis-stimulating agent, every three weeks, a few times."""
        last = self.stimulated[-1] if self.stimulated else -FAR
        low = value < self.k.value("alternatives.esa_hemoglobin")
        if not (self.growth and low and self.treating.on_cytotoxic) or day - last < CYCLE:
            return
        if len(self.stimulated) < MOST_ESA:
            self.stimulated.append(day)
            effect = self.k.value("erythropoiesis.esa_equivalent")
            self.body.stimulate(day, self.lane, CYCLE, effect)
            self.chart.remedies.append(Remedy("darbepoetin alfa", day, day))

    def _transfuse(self, day: int, units: int) -> None:
        minute = self.hour + 210
        if not self.open(day, minute + units * 120):
            self.pending = (day + 1, units)
            return
        draw = self.rng.random(2)
        practice = self.n.clinic_practice
        away = bool(draw[1] < practice.elsewhere)
        reaction = bool(draw[0] < practice.reaction)
        self.chart.red_cells.append(RedCells(day, minute, units, reaction, away))
        self.body.transfuse(day, self.lane, units)
        self.pending = None
        if not away:
            self.chart.visits.append((day, minute, "transfusion"))

    # -- what the person says --------------------------------------------------------------------

    def _report(self, day: int, look: Look) -> None:
        self.next_report = day + WEEK
        minute = int(self.rng.integers(6 * 60, 21 * 60))
        grades = self.feelings.ask(look.hemoglobin, look.inflammation)
        if self.rng.random() < self.n.reporting.answered and self.open(day, minute):
            self.chart.reports.append(Report(day, minute, grades, asked=False))

    def ask(self, day: int, minute: int, look: Look) -> None:
        """At a visit, somebody may ask how the person feels."""
        if not self.is_asked or self.rng.random() >= self.n.reporting.asked_visit:
            return
        before = dict(self.feelings.grades)
        grades = self.feelings.ask(look.hemoglobin, look.inflammation)
        worse = any(grades[name] > before[name] for name in grades)
        course = "worse" if worse else "unchanged"
        self.chart.reports.append(Report(day, minute, grades, asked=True, course=course))

    def vital_signs(self, day: int, minute: int, look: Look) -> None:
        """The usual signs at a visit."""
        z = self.rng.standard_normal(6).tolist()
        short = max(11.0 - look.hemoglobin, 0.0)
        old = self.life.has("hypertension")
        values = {
            "heart-rate": 76 + 4.5 * short + 7 * z[0] + 30 * look.inflammation,
            "systolic": 124 + 10 * old - 2 * short + 9 * z[1],
            "diastolic": 75 + 4 * old - short + 6 * z[2],
            "oxygen-saturation": min(97.2 - 2.5 * self.life.has("copd") + 0.9 * z[3], 100),
            "temperature": min(36.6 + 0.25 * z[4], 37.6),
            "respiratory-rate": 15 + 0.6 * short + 1.3 * z[5],
        }
        self.chart.vitals.append(Sample(day, minute, "vitals", values))

    def finished(self) -> Chart:
        """The chart, with what lies ahead."""
        chart, treating = self.chart, self.treating
        chart.next_count = self.next_count if self.next_count < FAR else None
        ahead = [day for day, _, _ in treating.due] + [treating.cycle_due]
        if treating.regimen is not None and treating.held_since is None and min(ahead) < FAR:
            chart.next_treatment = min(ahead) if treating.regimen.infusions else None
        chart.samples.sort(key=lambda s: (s.day, s.minute))
        chart.doses.sort(key=lambda d: (d.day, d.minute))
        return chart


RECENT, LOW = 3, 0.5
CYCLE, MOST_ESA = 21, 4
