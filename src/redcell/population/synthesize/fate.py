"""What chance gives one invented person: who they are, their disease, its treatment, the rest."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from math import exp

import numpy as np

from redcell.erythropoiesis.dynamics import SLOTS
from redcell.erythropoiesis.priors import DRIFT, FIRST, IMBALANCE, SET, SIZE
from redcell.forecasting.doses import kinetics_of
from redcell.knowledge.load import Knowledge
from redcell.population.synthesize.life import (
    FAR,
    LIFE,
    YEAR,
    Beam,
    Bleed,
    Burden,
    Infection,
    Life,
    Makeup,
    Period,
    Span,
    Stay,
    stream,
)
from redcell.population.synthesize.numbers import Numbers, Spread, chosen, drawn, numbers, picked


def live(k: Knowledge, period: Period, number: int) -> Life:
    """The life of the person of this number."""
    n, rng = numbers(k), stream(period, number, LIFE)
    p = n.people
    sex = "male" if rng.random() < p.men else "female"
    subtype = chosen(rng, n.disease.subtype)
    germline = bool(rng.random() < n.disease.germline[subtype])
    age = drawn(rng, p.age)
    height = round(drawn(rng, p.height_men if sex == "male" else p.height_women))
    span = _span(rng, n, period)
    metastases, burden = _disease(rng, n, subtype, span)
    hospice = bool(rng.random() < p.hospice) and span.counted and not span.died
    return Life(
        number=number,
        id=f"demo-{number + 1:05d}",
        sex=sex,
        born=period.first + timedelta(days=period.last - int(age * YEAR)),
        age=int(age),
        given=picked(rng, n.names.men if sex == "male" else n.names.women),
        family=picked(rng, n.names.family),
        weight=round(drawn(rng, p.bmi) * (height / 100) ** 2, 1),
        height=height,
        altitude=int(rng.integers(*p.altitudes)) if rng.random() < p.altitude else None,
        smoking=_smoking(rng, n),
        subtype=subtype,
        metastases=metastases,
        diseases=_diseases(rng, n, age),
        no_heart_disease=bool(rng.random() < n.absent.share),
        clinic=chosen(rng, {name: c.weight for name, c in n.clinic.items()}),
        span=span,
        lines=_lines(rng, k, subtype, germline=germline),
        beams=_beams(rng, n, span, metastases),
        burden=burden,
        makeup=_makeup(rng, k, infiltrated=burden.infiltrated_from is not None),
        scene=_scene(rng, n) if span.counted and not span.died else "",
        wish=_wish(rng, n),
        hospice=hospice,
        prognosis=bool(rng.random() < p.prognosis) or (hospice and rng.random() < HALF),
    )


HALF = 0.5


def _wish(rng: np.random.Generator, n: Numbers) -> str:
    draw = rng.random() - n.people.refuses
    if draw < 0:
        return "refuses"
    return "unclear" if draw < n.people.unclear else ""


def _smoking(rng: np.random.Generator, n: Numbers) -> str:
    draw = rng.random()
    if draw < n.people.smokers:
        return "daily"
    return "former" if draw < n.people.smokers + n.people.smoked else "never"


def _span(rng: np.random.Generator, n: Numbers, period: Period) -> Span:
    """When the record begins and ends, and how well the person is counted."""
    p, last = n.people, period.last
    never, late, dies, lapsed, careless = rng.random(5)
    treated = int(rng.integers(4, 21))
    if never < p.never:
        joins = max(last - int(rng.integers(2, p.never_days)), 0)
        return Span(joins, last, FAR, counted=False)
    joins = int(rng.integers(0, max(last - NEWCOMER, 1))) if late < p.joins else 0
    died = bool(dies < p.deceased * last / YEAR)
    until = max(last - int(rng.integers(3, max(last - MONTH, 4))), 1) if died else last
    joins = min(joins, max(until - MONTH, 0))
    gone = lapsed < p.lapsed and until == last
    return Span(
        joins=joins,
        until=until,
        begins=period.workday(joins + treated),
        died=died,
        lapses=until - int(rng.integers(*p.lapsed_days)) if gone else FAR,
        misses=p.misses_many if careless < p.careless else p.misses,
    )


NEWCOMER, MONTH = 14, 30


def _disease(
    rng: np.random.Generator, n: Numbers, subtype: str, span: Span
) -> tuple[tuple[str, ...], Burden]:
    """Metastases, and what the disease and chance do to red cells."""
    metastases = _metastases(rng, n, subtype)
    burden = _burden(rng, n, span, bone="bone" in metastases)
    if burden.infiltrated_from is not None and rng.random() < n.disease.marrow_coded:
        metastases = (*metastases, "marrow")
    return metastases, burden


def _metastases(rng: np.random.Generator, n: Numbers, subtype: str) -> tuple[str, ...]:
    found = tuple(name for name, m in n.metastasis.items() if rng.random() < m.share[subtype])
    return found or (picked(rng, ("liver", "lung", "nodes", "bone")),)


def _diseases(rng: np.random.Generator, n: Numbers, age: float) -> tuple[str, ...]:
    decades = (age - 60) / 10
    return tuple(
        name for name, c in n.comorbidity.items() if rng.random() < c.share * c.age**decades
    )


def _lines(
    rng: np.random.Generator, k: Knowledge, subtype: str, *, germline: bool
) -> tuple[Stay, ...]:
    """Lines of treatment from the one in which the period begins; at most three classes in all."""
    n = numbers(k)
    number = int(chosen(rng, {str(i): w for i, w in enumerate(n.begin.line[subtype], start=1)}))
    stays: list[Stay] = []
    classes: frozenset[str] = frozenset()
    for line in (number, number + 1, number + 2, number + 2):
        weights = _choices(n, f"{subtype}{min(line, LAST_LINE)}", stays)
        if germline and line > 1:
            weights |= _choices(n, "germline2", stays)
        fits = {r: w for r, w in weights.items() if len(classes | classes_of(k, r)) <= SLOTS}
        if not fits:
            break
        name = chosen(rng, fits)
        while name:
            classes |= classes_of(k, name)
            stays.append(_stay(rng, n, name))
            name = n.regimen[name].next
    return tuple(stays)


LAST_LINE = 3


def _stay(rng: np.random.Generator, n: Numbers, name: str) -> Stay:
    regimen = n.regimen[name]
    days = regimen.stay * exp(rng.normal(0.0, n.begin.stay_spread))
    if regimen.next:
        return Stay(name, regimen.cycle * regimen.cycles)
    return Stay(name, int(min(days, regimen.cycle * regimen.cycles)))


def _choices(n: Numbers, key: str, before: list[Stay]) -> dict[str, float]:
    had = {stay.regimen for stay in before}
    return {
        name: r.lines[key] for name, r in n.regimen.items() if key in r.lines and name not in had
    }


@lru_cache(maxsize=512)
def classes_of(k: Knowledge, name: str) -> frozenset[str]:
    """The kinetics classes of a regimen's drugs."""
    drugs = numbers(k).regimen[name].drugs
    found = (kinetics_of(slug, drugs, k.kinetics) for slug in drugs)
    return frozenset(c for c in found if c is not None)


def _beams(
    rng: np.random.Generator, n: Numbers, span: Span, metastases: tuple[str, ...]
) -> tuple[Beam, ...]:
    brain, bone = "brain" in metastases, "bone" in metastases
    share = n.radiotherapy.share_of_bone if bone else n.radiotherapy.share if brain else 0.0
    if rng.random() >= share or span.until - span.joins < MONTH:
        return ()
    names = [name for name in n.field if (brain if name == "brain" else bone)]
    beams = []
    for _ in range(1 + int(rng.random() < AGAIN)):
        name = chosen(rng, {x: n.field[x].weight for x in names})
        field = n.field[name]
        gray, fractions = field.doses[int(rng.integers(len(field.doses)))]
        start = int(rng.integers(span.joins, span.until - NEWCOMER))
        end = start + fractions - 1 + 2 * ((fractions - 1) // 5)
        beams.append(Beam(start, end, name, picked(rng, field.parts), gray, fractions))
    return tuple(beams)


AGAIN = 0.3


def _burden(rng: np.random.Generator, n: Numbers, span: Span, *, bone: bool) -> Burden:
    b, length = n.burden, span.until + 1
    infections = tuple(
        Infection(
            int(rng.integers(0, length)), drawn(rng, b.infection), drawn(rng, b.infection_days)
        )
        for _ in range(int(rng.poisson(b.infections * length / YEAR)))
    )
    bleeds = _bleeds(rng, n, span)
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
        destroyed_from=span.until - int(rng.integers(*b.hemolysis_days)) if destroyed else None,
        destroyed=drawn(rng, b.destroyed),
    )


def _bleeds(rng: np.random.Generator, n: Numbers, span: Span) -> tuple[Bleed, ...]:
    b = n.burden
    if rng.random() >= b.bleeds:
        return ()
    day = int(rng.integers(span.joins, max(span.until - 7, span.joins + 1)))
    return (Bleed(day, int(drawn(rng, b.bleed_days)), drawn(rng, b.bleed)),)


def _makeup(rng: np.random.Generator, k: Knowledge, *, infiltrated: bool) -> Makeup:
    """Traits of the red cells; the drift of an infiltrated marrow is no z but the drift itself."""
    n, p = numbers(k), numbers(k).people
    own: dict[int, Spread] = {
        SET: p.set_point, IMBALANCE: p.imbalance, DRIFT: p.drift, FIRST: p.first,
    }  # fmt: skip
    z = np.array([drawn(rng, own.get(i, p.marked)) for i in range(SIZE)])
    if infiltrated:
        z[DRIFT] = drawn(rng, n.disease.drift)
    strengths = {name: drawn(rng, p.strength) for name in k.kinetics}
    return Makeup(z, strengths, _noise_share(rng, k))


def _noise_share(rng: np.random.Generator, k: Knowledge) -> float:
    rows = k.number("erythropoiesis.noise_shares").rows
    return float(chosen(rng, {str(share): likely for share, _, likely in rows}))


def _scene(rng: np.random.Generator, n: Numbers) -> str:
    left = rng.random()
    for name, scene in n.scene.items():
        left -= scene.share
        if left < 0:
            return name
    return ""
