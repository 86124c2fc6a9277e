"""One invented person before anything reacts: who they are, what they have, what will befall them.

All chance of one person comes from streams seeded by (seed, index, stream): a person is the same in
a batch of any size.
"""

from __future__ import annotations

from datetime import date

import numpy as np
from msgspec import Struct

LIFE, CLINIC, NOISE, RECORD, BLOOD_BANK = range(5)
"""Streams of chance: the life, what the clinic does, the wandering of counts, the paperwork."""

YEAR = 365.25
FAR = 1_000_000
"""A day that never comes."""


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


class Span(Struct, frozen=True):
    """When a person is in the record, and how well they are counted."""

    joins: int
    until: int
    begins: int
    """the first line of treatment"""
    died: bool = False
    counted: bool = True
    lapses: int = FAR
    """the last day on which a count is made"""
    misses: float = 0.0


class Makeup(Struct, frozen=True):
    """Traits of the red cells and of other cells, in spreads of their priors."""

    z: np.ndarray
    strengths: dict[str, float]
    """of the drugs of each kinetics class"""
    noise_share: float


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
    altitude: int | None
    smoking: str
    subtype: str
    metastases: tuple[str, ...]
    diseases: tuple[str, ...]
    no_heart_disease: bool
    clinic: str
    span: Span
    lines: tuple[Stay, ...]
    beams: tuple[Beam, ...]
    burden: Burden
    makeup: Makeup
    scene: str
    wish: str
    """What is on file about red cells: `refuses`, `unclear`, or nothing."""
    hospice: bool
    prognosis: bool

    def has(self, *names: str) -> bool:
        """Is one of these on the list of diseases or metastases?"""
        return any(name in self.diseases or name in self.metastases for name in names)


def stream(period: Period, number: int, which: int) -> np.random.Generator:
    """One person's chance for one purpose."""
    return np.random.default_rng([period.seed % (1 << 64), number, which])
