"""S1 Surveillance: what is said about the newest count, in one frozen object."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from redcell.findings.surveillance.identity import Mismatch
from redcell.rule import Finding

Status = Literal["anemic", "not-anemic", "provisional", "unknown"]


Severity = Literal["none", "mild", "moderate", "severe"]


class LowerLimit(Struct, frozen=True):
    """The hemoglobin below which this patient is anemic, in g/dL, and where it comes from."""

    value: float
    origin: Literal["report", "who"]

    def __str__(self) -> str:
        where = "the laboratory's own" if self.origin == "report" else "WHO"
        return f"{self.value:g} g/dL ({where} limit)"


class Trend(Struct, frozen=True):
    """Least-squares slope in g/dL per week over `points` counts that span `days` days."""

    g_dl_per_week: float | None
    days: float
    points: int

    def __str__(self) -> str:
        if self.g_dl_per_week is None:
            return "one count only"
        return f"{self.g_dl_per_week:+.2f} g/dL per week over {self.points} counts"


class Suspicion(Struct, frozen=True):
    """How a value differs from the one before it by more than blood does."""

    failed: bool = False
    parallel: bool = False
    hematocrit_mismatch: bool = False
    large_fall: bool = False

    def __str__(self) -> str:
        signs = [name.replace("_", " ") for name in self.__struct_fields__ if getattr(self, name)]
        return ", ".join(signs) or "none"


class Surveillance(Struct, frozen=True):
    """Everything that step S1 says about the newest count."""

    status: Finding[Status]
    lower_limit: Finding[LowerLimit]
    grade: Finding[int | None]
    who: Finding[Severity | None]
    who_adjusted: Finding[float | None]
    size: Finding[str]
    production_index: Finding[float | None]
    trend: Finding[Trend | None]
    delta: Finding[Suspicion]
    identity: Finding[Mismatch]
    fall: Finding[bool]
    stale: Finding[bool]
    egfr: Finding[float | None]

    @property
    def anemic(self) -> bool:
        """Is the newest value below its limit, provisional or not?"""
        return self.status.value == "anemic" or (
            self.status.value == "provisional" and self.below_limit
        )

    @property
    def below_limit(self) -> bool:
        """Does the newest value, whatever its standing, lie below the limit?"""
        hemoglobin = self.status.inputs["hemoglobin"]
        return hemoglobin is not None and hemoglobin.value < self.lower_limit.value.value
