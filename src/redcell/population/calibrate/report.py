"""What a calibration found, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from redcell.erythropoiesis.priors import Model, Noise
from redcell.population.calibrate.check import Expected, NextCounts
from redcell.population.calibrate.learn import LEARNED, Learned

NOISE = (
    ("assay", "g/dL"),
    ("plasma", "1"),
    ("plasma_days", "d"),
    ("production", "1"),
    ("production_days", "d"),
)
UNITS = {"women": "g/dL", "men": "g/dL", "first": "g/dL"}
TITLES = {
    "noise.assay": "sampling and assay",
    "noise.plasma": "plasma volume, relative",
    "noise.plasma_days": "plasma volume, time constant",
    "noise.production": "weekly production, log",
    "noise.production_days": "weekly production, time constant",
    "prior.women": "set point, women",
    "prior.men": "set point, men",
    "prior.imbalance": "imbalance at the start, log",
    "prior.drift": "drift of capacity in 100 d, log",
    "prior.infiltrated": "the same with bone or marrow disease",
    "prior.first": "first hemoglobin",
    "prior.efficacy": "efficacy of transfusion (spread: log)",
}
ALWAYS_ALONE = ("lifespan", "feedback", "most")
TOO_LITTLE = "counts tell too little about it"


class Number(Struct, frozen=True):
    """One number of the model: published, of the site, and what it rests on.

    Values are one number of the noise, or center and spread of a prior.
    """

    name: str
    unit: str
    published: tuple[float, ...]
    site: tuple[float, ...]
    people: int


class Report(Struct, frozen=True):
    """A calibration and how it fares: all about people, counts and numbers, never about one."""

    name: str
    newest: str
    people: int
    counts: int
    left_out: dict[str, int]
    numbers: tuple[Number, ...]
    left_alone: dict[str, str]
    next_counts: NextCounts | None
    transfusions: Expected | None
    recalibration: tuple[float, float] | None

    def lines(self) -> Iterator[str]:
        """For people, a line at a time."""
        yield f"Calibration {self.name}, data up to {self.newest}"
        yield f"{self.people:,} people, {self.counts:,} counts" + _left_out(self.left_out)
        yield ""
        yield f"{'number':42}{'published':>18}{'site':>18}{'people':>8}"
        yield from (_number(n) for n in self.numbers)
        yield ""
        yield from _checked(self.next_counts)
        yield from _transfused(self.transfusions, self.recalibration)
        yield ""
        yield "Left alone:"
        yield from (f"  {name}: {why}" for name, why in self.left_alone.items())


def _left_out(left: dict[str, int]) -> str:
    parts = ", ".join(f"{name} {n:,}" for name, n in sorted(left.items()))
    return f"; left out: {parts}" if parts else ""


def _number(n: Number) -> str:
    title = f"{TITLES[n.name]}, {n.unit}" if n.unit != "1" else TITLES[n.name]
    return f"{title:42}{_values(n.published):>18}{_values(n.site):>18}{n.people:8,}"


def _values(values: tuple[float, ...]) -> str:
    return " ± ".join(f"{v:.3g}" for v in values)


def _checked(check: NextCounts | None) -> Iterator[str]:
    if check is None:
        yield "Held-out check: not made."
        return
    yield f"Held-out check (split by person): {check.after.counts:,} next counts"
    yield f"{'':42}{'published':>18}{'site':>18}"
    pairs = (
        ("CRPS, g/dL", check.before.crps, check.after.crps),
        ("in the 50 % interval", check.before.cover50, check.after.cover50),
        ("in the 90 % interval", check.before.cover90, check.after.cover90),
    )
    yield from (f"{title:42}{one:18.3f}{other:18.3f}" for title, one, other in pairs)


def _transfused(red: Expected | None, line: tuple[float, float] | None) -> Iterator[str]:
    if red is None:
        return
    yield f"Transfused within 28 days: {red.seen:,} of {red.origins:,}"
    yield f"{'expected':42}{red.expected_before:18.1f}{red.expected_after:18.1f}"
    if red.seen:
        ratios = (red.expected_before / red.seen, red.expected_after / red.seen)
        yield f"{'expected / seen':42}{ratios[0]:18.2f}{ratios[1]:18.2f}"
    if line is not None:
        yield f"Recalibrated: logit p' = {line[0]:.3f} + {line[1]:.3f} logit p"


def numbers(m: Model, learned: Learned, people: int) -> tuple[Number, ...]:
    """Every number that was learned, beside the published one."""
    found: list[Number] = []
    if learned.noise is not None:
        found += [_noise(m.noise, learned.noise, key, unit, people) for key, unit in NOISE]
    for name in LEARNED:
        if name in learned.centers:
            unit = UNITS.get(name, "1")
            row = m.centers[name], learned.centers[name]
            found.append(Number(f"prior.{name}", unit, *row, learned.people[name]))
    return tuple(found)


def left_alone(learned: Learned, recalibration: str) -> dict[str, str]:
    """What kept its published number, and why."""
    found = dict.fromkeys((f"prior.{name}" for name in ALWAYS_ALONE), TOO_LITTLE)
    for name, why in learned.left.items():
        found[f"prior.{name}" if name in LEARNED else name] = why
    return found | ({"P(transfusion)": recalibration} if recalibration else {})


def _noise(published: Noise, site: Noise, key: str, unit: str, people: int) -> Number:
    values = (float(getattr(published, key)),), (float(getattr(site, key)),)
    return Number(f"noise.{key}", unit, *values, people)
