"""One invented person before anything reacts: who they are, what they have, what will befall them.

All chance of one person comes from streams seeded by (seed, index, stream): a person is the same in
a batch of any size.
"""

from __future__ import annotations

from datetime import date, timedelta
from math import exp

import numpy as np
from msgspec import Struct

from redcell.erythropoiesis.priors import SIZE
from redcell.forecasting.doses import kinetics_of
from redcell.knowledge.entries import Kinetics
from redcell.knowledge.load import Knowledge
from redcell.population.synthesize.numbers import Numbers, Spread, chosen, drawn, numbers, picked

LIFE, CLINIC, NOISE, RECORD = range(4)
"""Streams of chance: the life, what the clinic does, the wandering of counts, the paperwork."""

YEAR = 365.25
MOST_CLASSES = 3
"""Kinetics classes that the red-cell model holds at once."""


class Period(Struct, frozen=True):
    """The days of a run: day 0 to `last`, which ends at `minute`."""

    seed: int
    first: date
    last: int
    minute: int

    def weekday(self, day: int) -> int:
        """0 is Monday."""
        return (self.first.weekday() + day) % 7

    def workday(self, day: int) -> int:
        """The day itself, or the Monday after it."""
        over = self.weekday(day) - 4
        return day if over <= 0 else day + 3 - over


class Stay(Struct, frozen=True):
    """One line of treatment: its regimen and for how many days it goes well."""

    regimen: str
    days: int


class Beam(Struct, frozen=True):
    """One course of radiotherapy."""

    start: int
    end: int
    site: str
    part: str
    gray: int
    fractions: int


class Infection(Struct, frozen=True):
    """One episode of inflammation: its height, and the days in which it fades."""

    day: int
    level: float
    fades: float


class Bleed(Struct, frozen=True):
    """Blood lost every day of a span, mL."""

    day: int
    days: int
    milliliters: float


class Burden(Struct, frozen=True):
    """What acts on red cells beside treatment; days are of the period, none where it is absent."""

    chronic: float = 0.0
    infections: tuple[Infection, ...] = ()
    bleeds: tuple[Bleed, ...] = ()
    iron_from: int | None = None
    iron_depth: float = 0.0
    vitamin: str = ""
    vitamin_from: int = 0
    infiltrated_from: int | None = None
    destroyed_from: int | None = None
    destroyed: float = 0.0


class Life(Struct, frozen=True):
    """One person as drawn."""

    number: int
    id: str
    sex: str
    born: date
    age: int
    given: str
    family: str
    weight: float
    height: float
    subtype: str
    germline: bool
    metastases: tuple[str, ...]
    diseases: tuple[str, ...]
    no_heart_disease: bool
    clinic: str
    joins: int
    until: int
    died: bool
    counted: bool
    lapses: int
    misses: float
    begins: int
    lines: tuple[Stay, ...]
    beams: tuple[Beam, ...]
    burden: Burden
    z: np.ndarray
    """Traits of the red cells, in spreads of the priors; the strengths of drugs apart."""
    strengths: dict[str, float]
    """The same of each kinetics class."""
    noise_share: float
    scene: str
    wish: str
    """What is on file about red cells: `refuses`, `unclear`, or nothing."""
    hospice: bool
    prognosis: bool
    altitude: int | None
    smoking: str

    def has(self, *names: str) -> bool:
        """Is one of these on the list of diseases or metastases?"""
        return any(name in self.diseases or name in self.metastases for name in names)


def stream(period: Period, number: int, which: int) -> np.random.Generator:
    """One person's chance for one purpose."""
    return np.random.default_rng([period.seed % (1 << 64), number, which])


def live(k: Knowledge, period: Period, number: int) -> Life:
    """The life of the person of this number."""
    n, rng = numbers(k), stream(period, number, LIFE)
    p = n.people
    sex = "male" if rng.random() < p.men else "female"
    subtype = chosen(rng, n.disease.subtype)
    age = drawn(rng, p.age)
    height = round(drawn(rng, p.height_men if sex == "male" else p.height_women))
    metastases = _metastases(rng, n, subtype)
    joins, until, counted, died, hospice = _span(rng, n, period)
    burden = _burden(rng, n, joins, until, bone="bone" in metastases)
    if burden.infiltrated_from is not None and rng.random() < n.disease.marrow_coded:
        metastases = (*metastases, "marrow")
    germline = bool(rng.random() < n.disease.germline[subtype])
    diseases = _diseases(rng, n, age)
    begins = period.workday(joins + int(rng.integers(4, 21)))
    lines = _lines(rng, n, k.kinetics, subtype, germline=germline)
    lapsed = rng.random() < p.lapsed and not died
    weak = rng.random() < p.careless
    wish = rng.random()
    return Life(
        number=number,
        id=f"demo-{number + 1:05d}",
        sex=sex,
        born=period.first + timedelta(days=period.last) - timedelta(days=int(age * YEAR)),
        age=int(age),
        given=picked(rng, n.names.men if sex == "male" else n.names.women),
        family=picked(rng, n.names.family),
        weight=round(drawn(rng, p.bmi) * (height / 100) ** 2, 1),
        height=height,
        subtype=subtype,
        germline=germline,
        metastases=metastases,
        diseases=diseases,
        no_heart_disease=bool(rng.random() < n.absent.share),
        clinic=chosen(rng, {name: c.weight for name, c in n.clinic.items()}),
        joins=joins,
        until=until,
        died=died,
        counted=counted,
        lapses=until - int(rng.integers(*p.lapsed_days)) if lapsed else until + 1,
        misses=p.misses_many if weak else p.misses,
        begins=begins,
        lines=lines,
        beams=_beams(rng, n, joins, until, metastases),
        burden=burden,
        z=_traits(rng, n, infiltrated=burden.infiltrated_from is not None),
        strengths={name: drawn(rng, p.marked) for name in k.kinetics},
        noise_share=_noise_share(rng, k),
        scene=_scene(rng, n) if counted and not died else "",
        wish="refuses" if wish < p.refuses else "unclear" if wish < p.refuses + p.unclear else "",
        hospice=hospice,
        prognosis=bool(rng.random() < p.prognosis) or (hospice and rng.random() < HALF),
        altitude=int(rng.integers(*map(int, p.altitudes))) if rng.random() < p.altitude else None,
        smoking=_smoking(rng, n),
    )  # fmt: skip


HALF = 0.5


def _smoking(rng: np.random.Generator, n: Numbers) -> str:
    draw = rng.random()
    if draw < n.people.smokers:
        return "daily"
    return "former" if draw < n.people.smokers + n.people.smoked else "never"


def _span(
    rng: np.random.Generator, n: Numbers, period: Period
) -> tuple[int, int, bool, bool, bool]:
    """First and last day of the record; whether ever counted; died; in hospice care."""
    p, last = n.people, period.last
    never, late, died, hospice = rng.random(4)
    joins, until = 0, last
    if never < p.never:
        return last - int(rng.integers(2, p.never_days)), last, False, False, False
    if late < p.joins:
        joins = int(rng.integers(0, max(last - 14, 1)))
    if died < p.deceased:
        until = last - int(rng.integers(3, 60))
        return min(joins, max(until - 30, 0)), max(until, 1), True, True, False
    return joins, until, True, False, bool(hospice < p.hospice)


def _metastases(rng: np.random.Generator, n: Numbers, subtype: str) -> tuple[str, ...]:
    found = tuple(name for name, m in n.metastasis.items() if rng.random() < m.share[subtype])
    return found or (picked(rng, ("liver", "lung", "nodes", "bone")),)


def _diseases(rng: np.random.Generator, n: Numbers, age: float) -> tuple[str, ...]:
    decades = (age - 60) / 10
    return tuple(
        name for name, c in n.comorbidity.items() if rng.random() < c.share * c.age**decades
    )


def _lines(
    rng: np.random.Generator,
    n: Numbers,
    table: dict[str, Kinetics],
    subtype: str,
    *,
    germline: bool,
) -> tuple[Stay, ...]:
    """Lines of treatment from the one in which the period begins; at most three classes in all."""
    number = int(chosen(rng, {str(i): w for i, w in enumerate(n.begin.line[subtype], start=1)}))
    stays: list[Stay] = []
    classes: set[str] = set()
    for line in (number, number + 1, number + 2, number + 2):
        weights = _choices(n, f"{subtype}{min(line, MOST_CLASSES)}", stays)
        if germline and line > 1:
            weights |= _choices(n, "germline2", stays)
        weights = {r: w for r, w in weights.items() if len(classes | _classes(n, table, r)) <= MOST_CLASSES}
        if not weights:
            break
        name = chosen(rng, weights)
        while name:
            classes |= _classes(n, table, name)
            stays.append(_stay(rng, n, name))
            name = n.regimen[name].next
    return tuple(stays)


def _stay(rng: np.random.Generator, n: Numbers, name: str) -> Stay:
    regimen = n.regimen[name]
    days = regimen.stay * exp(rng.normal(0.0, n.begin.stay_spread))
    if regimen.next:
        return Stay(name, regimen.cycle * regimen.cycles)
    return Stay(name, int(min(days, regimen.cycle * regimen.cycles)))


def _choices(n: Numbers, key: str, before: list[Stay]) -> dict[str, float]:
    had = {stay.regimen for stay in before}
    return {name: r.lines[key] for name, r in n.regimen.items() if key in r.lines and name not in had}


def _classes(n: Numbers, table: dict[str, Kinetics], name: str) -> set[str]:
    drugs = n.regimen[name].drugs
    return {c for slug in drugs if (c := kinetics_of(slug, drugs, table)) is not None}


def _beams(
    rng: np.random.Generator, n: Numbers, joins: int, until: int, metastases: tuple[str, ...]
) -> tuple[Beam, ...]:
    brain, bone = "brain" in metastases, "bone" in metastases
    share = n.radiotherapy.share_of_bone if bone else n.radiotherapy.share if brain else 0.0
    if rng.random() >= share or until - joins < MONTH:
        return ()
    names = [name for name in n.field if (brain if name == "brain" else bone)]
    beams = []
    for _ in range(1 + int(rng.random() < THIRD)):
        name = chosen(rng, {x: n.field[x].weight for x in names})
        field = n.field[name]
        gray, fractions = field.doses[int(rng.integers(len(field.doses)))]
        start = int(rng.integers(joins, until - 14))
        end = start + fractions - 1 + 2 * ((fractions - 1) // 5)
        beams.append(Beam(start, end, name, picked(rng, field.parts), gray, fractions))
    return tuple(beams)


MONTH, THIRD = 30, 0.3


def _burden(rng: np.random.Generator, n: Numbers, joins: int, until: int, *, bone: bool) -> Burden:
    b, length = n.burden, until + 1
    infections = tuple(
        Infection(int(rng.integers(0, length)), drawn(rng, b.infection), drawn(rng, b.infection_days))
        for _ in range(int(rng.poisson(b.infections * length / YEAR)))
    )
    bleeds = _bleeds(rng, n, joins, until)
    iron_from: int | None = None
    if rng.random() < b.iron_lack or bleeds:
        begin = bleeds[0].day + 7 if bleeds else int(rng.integers(-120, length))
        iron_from = begin
    lacks = rng.random() < b.vitamin_lack
    chronic = drawn(rng, b.chronic) if rng.random() < b.inflamed else 0.0
    infiltrated = bone and rng.random() < n.disease.infiltrated
    destroyed = rng.random() < b.hemolysis
    return Burden(
        chronic=chronic,
        infections=infections,
        bleeds=bleeds,
        iron_from=iron_from,
        iron_depth=drawn(rng, b.iron_depth),
        vitamin=("folate" if rng.random() < b.folate_share else "b12") if lacks else "",
        vitamin_from=int(rng.integers(-60, length)),
        infiltrated_from=int(rng.integers(*n.disease.onset)) if infiltrated else None,
        destroyed_from=until - int(rng.integers(*b.hemolysis_days)) if destroyed else None,
        destroyed=drawn(rng, b.destroyed),
    )


def _bleeds(rng: np.random.Generator, n: Numbers, joins: int, until: int) -> tuple[Bleed, ...]:
    b = n.burden
    if rng.random() >= b.bleeds:
        return ()
    day = int(rng.integers(joins, max(until - 7, joins + 1)))
    return (Bleed(day, int(drawn(rng, b.bleed_days)), drawn(rng, b.bleed)),)


SET_POINT, IMBALANCE, DRIFT, FIRST = 0, 7, 8, 9


def _traits(rng: np.random.Generator, n: Numbers, *, infiltrated: bool) -> np.ndarray:
    """z of the model's parameters; the drift of an infiltrated marrow is set by the body."""
    p = n.people
    own: dict[int, Spread] = {
        SET_POINT: p.set_point, IMBALANCE: p.imbalance, DRIFT: p.drift, FIRST: p.first,
    }  # fmt: skip
    z = np.array([drawn(rng, own.get(i, p.marked)) for i in range(SIZE)])
    if infiltrated:
        z[DRIFT] = drawn(rng, n.disease.drift)
    return z


def _noise_share(rng: np.random.Generator, k: Knowledge) -> float:
    rows = k.number("erythropoiesis.noise_shares").rows
    return float(chosen(rng, {str(share): likely for share, likely, _ in rows}))


def _scene(rng: np.random.Generator, n: Numbers) -> str:
    left = rng.random()
    for name, scene in n.scene.items():
        left -= scene.share
        if left < 0:
            return name
    return ""
