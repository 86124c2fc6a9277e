"""What the red-cell model knows of one person: counts, treatment and events by day, as numbers."""

from __future__ import annotations

from msgspec import Struct


class Count(Struct, frozen=True):
    """One measured hemoglobin, g/dL, on a day of the grid."""

    day: int
    value: float


class Dose(Struct, frozen=True):
    """One dose of a drug: `amount` in reference amounts of its kinetics class."""

    day: int
    drug: str
    amount: float
    planned: bool = False


class Course(Struct, frozen=True):
    """Radiotherapy: per irradiated part its share of the active marrow and its dose in Gy."""

    start: int
    end: int
    parts: tuple[tuple[float, float], ...]


class Given(Struct, frozen=True):
    """Red-cell units given on a day."""

    day: int
    units: float


class Bleed(Struct, frozen=True):
    """Blood lost on a day, mL."""

    day: int
    milliliters: float


class History(Struct, frozen=True):
    """One person on a grid of days: day 0 is the beginning of what is modeled, `now` the origin.

    `slots` names the kinetics class of each drug's slot (three at most), `drugs` the slot of each
    drug. `inflammation` and `esa` are (first day, last day, value).
    """

    counts: tuple[Count, ...]
    now: int
    sex: str = "female"
    blood_volume: float = 45.0
    slots: tuple[str, ...] = ()
    drugs: dict[str, int] = {}
    doses: tuple[Dose, ...] = ()
    courses: tuple[Course, ...] = ()
    transfusions: tuple[Given, ...] = ()
    bleeds: tuple[Bleed, ...] = ()
    inflammation: tuple[tuple[int, int, float], ...] = ()
    esa: tuple[tuple[int, int, float], ...] = ()
    infiltration: bool = False
    kidney: bool = False
    site_unknown: bool = False

    @property
    def disturbed(self) -> bool:
        """Is something on record that acts on red cells?"""
        events = (self.doses, self.courses, self.transfusions, self.bleeds)
        return self.infiltration or any(events)
