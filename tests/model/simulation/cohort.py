"""Runs the clinic over the bodies, and reruns the bodies with one thing taken away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
from msgspec import Struct

from model.simulation.body import CAUSES, Bodies, Kept
from model.simulation.clinic import HOSPITAL_BELOW, Chart, Dose, Line, Tablets, burn_in_doses
from model.simulation.drugs import BY_NAME, INDEX, SLUGS
from model.simulation.people import BURN_IN, Course, Person, Population, make

BATCH = 1200
"""Lanes of one rerun: more do not fit the processor's cache."""


class Truth(Struct, frozen=True):
    """What only the simulation knows, by day from 0.

    `latent` is the hemoglobin in the vein in g/dL; `count` what the analyzer would have said on
    any day, as it happened; `losses` hemoglobin without a cause minus with it, per cause, in g/dL
    (`transfusion` and other gains are negative).
    """

    latent: np.ndarray
    count: np.ndarray
    losses: dict[str, np.ndarray]
    set_point: float
    elsewhere: tuple[tuple[int, int], ...]

    def leading(self, day: int) -> str | None:
        """The cause that took most by a day, of those that act on the body after day 0."""
        named = {c: float(v[day]) for c, v in self.losses.items() if c not in ASIDE}
        best = max(named, key=lambda c: named[c], default=None)
        return best if best is not None and named[best] > 0 else None


ASIDE = ("start", "transfusion")


class Patient(Struct, frozen=True):
    """One simulated woman as the clinic knows her, and the truth beside it.

    Days count from `day_zero`. `counts` are (day, g/dL); `transfusions` (day, units) as charted;
    `holds` (from, to or None); `tablets` periods of drugs by mouth.
    """

    id: str
    number: int
    sex: str
    birth_date: date
    day_zero: date
    weight_kg: float
    height_cm: float
    bone_metastasis: bool
    counts: tuple[tuple[int, float], ...]
    doses: tuple[Dose, ...]
    tablets: tuple[Tablets, ...]
    lines: tuple[Line, ...]
    holds: tuple[tuple[int, int | None], ...]
    transfusions: tuple[tuple[int, int], ...]
    radiation: tuple[Course, ...]
    cycles: tuple[int, ...]
    """Days on which a cycle began."""
    truth: Truth

    def on(self, day: int) -> date:
        """The calendar day."""
        return self.day_zero + timedelta(days=day)

    def planned(self, day: int, horizon: int = 28) -> list[tuple[int, str]]:
        """Infusions and days of tablets meant on the evening of a day, for the days after it.

        The current line goes on in its cycles until its planned end; nothing while on hold.
        """
        line = next((x for x in reversed(self.lines) if x.start <= day), None)
        held = any(b <= day and (e is None or e > day) for b, e in self.holds)
        if line is None or held or (line.end is not None and line.end <= day):
            return []
        regimen = BY_NAME[line.regimen]
        start = max((c for c in self.cycles if c <= day), default=line.start)
        ahead = range(day + 1, min(day + horizon + 1, line.planned_until))
        return [
            (d, part.slug)
            for d in ahead
            for part in regimen.parts
            if (d - start) % regimen.length in part.days
        ]

    def last_count(self, day: int) -> tuple[int, float] | None:
        """The newest count on or before a day."""
        return max((c for c in self.counts if c[0] <= day), default=None)


class Cohort(Struct, frozen=True):
    """Simulated women of one population, with what is needed to run them again."""

    population: Population
    people: tuple[Person, ...]
    patients: tuple[Patient, ...]
    doses: np.ndarray
    """[day with burn-in, drug, woman], in full doses."""
    grams: np.ndarray
    """[day with burn-in, woman], hemoglobin of red cells that survive their first day."""

    def untransfused(self, origins: Sequence[tuple[int, int]], horizon: int = 28) -> np.ndarray:
        """Counts on the days 1 to `horizon` after each (woman, day), had no red cells followed.

        Same chance, same doses: [origin, day]. Equal to what happened where none were given.
        Red cells of the day itself stay; like doses, they reach the blood on the day after.
        """
        lanes = [woman for woman, _ in origins]
        grams = self.grams[:, lanes].copy()
        for lane, (_, day) in enumerate(origins):
            grams[BURN_IN + day + 2 :, lane] = 0.0
        found = np.empty((len(origins), horizon))
        for part in _batches(len(lanes)):
            who = [lanes[n] for n in part]
            latent = _rerun([self.people[w] for w in who], self.doses[:, :, who], grams[:, part])
            for row, n in enumerate(part):
                days = np.arange(origins[n][1] + 1, origins[n][1] + horizon + 1)
                noise = self.people[lanes[n]].series["noise"][BURN_IN + days]
                found[n] = np.round(latent[days, row] + noise, 1)
        return found


def simulate(
    patients: int, population: Population | None = None, *, truth: bool = True, first: int = 0
) -> Cohort:
    """Women number `first` and following; without `truth` no losses are split (faster)."""
    chosen = population or Population()
    people = tuple(make(n, chosen) for n in range(first, first + patients))
    charts = [Chart(person, chosen) for person in people]
    latent, doses, grams = _closed_loop(people, charts, chosen)
    losses = _losses(people, doses, grams, latent) if truth else [{} for _ in people]
    made = tuple(
        _patient(person, chart, latent[:, n], losses[n], chosen)
        for n, (person, chart) in enumerate(zip(people, charts, strict=True))
    )
    return Cohort(chosen, people, made, doses, grams)


def _closed_loop(
    people: tuple[Person, ...], charts: list[Chart], population: Population
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    bodies = Bodies(people)
    length, lanes = BURN_IN + population.days + 1, len(people)
    doses = np.zeros((length, len(SLUGS), lanes))
    grams = np.zeros((length, lanes))
    latent = np.zeros((population.days + 1, lanes))
    bag = _grams_per_unit(people)
    events = np.zeros(lanes)
    for t in range(length):
        day = t - BURN_IN
        for lane, person in enumerate(people):
            for drug, fraction in (
                burn_in_doses(person, day) if day < 0 else charts_on(charts[lane], day - 1)
            ):
                doses[t, drug, lane] += fraction
        if day >= 1:
            for lane, chart in enumerate(charts):
                if chart.transfusions or chart.elsewhere:
                    grams[t, lane] = sum(chart.units_on(day - 1)) * bag[t, lane]
        hb = bodies.day(t, doses[t], grams[t])
        if day < 0:
            continue
        latent[day] = hb
        for lane in np.flatnonzero(events <= day):
            chart = charts[lane]
            seen = round(float(hb[lane] + people[lane].series["noise"][t]), 1)
            chart.visit(day, seen, float(hb[lane]))
            events[lane] = max(chart.next_event, day + 1)
        for lane in np.flatnonzero((hb < HOSPITAL_BELOW) & [p.outside for p in people]):
            charts[lane].hospital(day, float(hb[lane]), people[lane].series["infection"][t])
    return latent, doses, grams


def charts_on(chart: Chart, day: int) -> list[tuple[int, float]]:
    """What was given on a day reaches the marrow and the blood on the next."""
    return chart.doses_on(day) if day >= 0 and chart.lines else []


def _grams_per_unit(people: Sequence[Person]) -> np.ndarray:
    """Hemoglobin of one unit that stays in the blood, g: [day, woman]."""
    bag = np.stack([p.series["bag"] for p in people], 1)
    each = [p.body["unit"] * p.body["kept"] * np.exp(-p.body["spleen"]) for p in people]
    return bag * np.array(each)


def _rerun(
    people: Sequence[Person], doses: np.ndarray, grams: np.ndarray, kept: Kept | None = None
) -> np.ndarray:
    """Hemoglobin from day 0 on, with these doses and red cells: [day, lane]."""
    bodies = Bodies(people, kept)
    rows = [bodies.day(t, doses[t], grams[t]) for t in range(len(doses))]
    return np.stack(rows[BURN_IN:])


def _batches(lanes: int) -> list[list[int]]:
    return [list(range(n, min(n + BATCH, lanes))) for n in range(0, lanes, BATCH)]


def _losses(
    people: tuple[Person, ...], doses: np.ndarray, grams: np.ndarray, latent: np.ndarray
) -> list[dict[str, np.ndarray]]:
    """Per woman and cause: hemoglobin without the cause minus hemoglobin as it was."""
    wanted = [(n, cause) for n, p in enumerate(people) for cause in _active(p, n, doses, grams)]
    found: list[dict[str, np.ndarray]] = [{} for _ in people]
    for part in _batches(len(wanted)):
        pairs = [wanted[n] for n in part]
        who = [n for n, _ in pairs]
        kept, given = Kept.everything(len(SLUGS), len(pairs)), doses[:, :, who].copy()
        for lane, (_, cause) in enumerate(pairs):
            if cause.startswith("drug:"):
                given[BURN_IN:, INDEX[cause[5:]], lane] = 0.0
            else:
                kept.other[cause][lane] = 0.0
            if cause == "start":
                given[:BURN_IN, :, lane] = 0.0
        without = _rerun([people[n] for n in who], given, grams[:, who], kept)
        for lane, (n, cause) in enumerate(pairs):
            found[n][cause] = without[:, lane] - latent[:, n]
    return found


def _active(person: Person, n: int, doses: np.ndarray, grams: np.ndarray) -> list[str]:
    given = np.flatnonzero(doses[BURN_IN:, :, n].sum(0) > 0)
    silent = ("letrozole", "trastuzumab")
    drugs = [f"drug:{SLUGS[d]}" for d in given if SLUGS[d] not in silent]
    acts = {
        "radiotherapy": bool(person.courses),
        "marrow-infiltration": bool(person.series["space"].any()),
        "bleeding": bool(person.series["bleed"].any()),
        "transfusion": bool(grams[:, n].any()),
    }
    return drugs + [cause for cause in CAUSES if acts.get(cause, True)]


def _patient(
    person: Person,
    chart: Chart,
    latent: np.ndarray,
    losses: dict[str, np.ndarray],
    population: Population,
) -> Patient:
    noise = person.series["noise"][BURN_IN:]
    truth = Truth(
        latent, np.round(latent + noise, 1), losses, person.body["set_point"],
        tuple(chart.elsewhere),
    )  # fmt: skip
    until = population.days
    return Patient(
        f"w{population.seed}-{person.number:05d}", person.number, "female", person.born,
        person.day_zero, person.weight, person.height, person.bone, tuple(chart.counts),
        tuple(chart.doses), tuple(chart.tablets), tuple(chart.lines),
        tuple((int(h[0] or 0), h[1]) for h in chart.holds), tuple(chart.transfusions),
        tuple(c for c in person.courses if c.start <= until), tuple(chart.cycles), truth,
    )  # fmt: skip
