"""S1 Surveillance: what the blood picture as a whole says, in one frozen object."""

from __future__ import annotations

from msgspec import Struct

from redcell.rule import Finding


class Hemolysis(Struct, frozen=True):
    """Which of the five laboratory findings of hemolysis are there, and whether they suffice."""

    findings: tuple[str, ...]
    met: bool

    def __str__(self) -> str:
        return f"{'met' if self.met else 'not met'} ({', '.join(self.findings) or 'no finding'})"


class Coagulation(Struct, frozen=True):
    """The ISTH score for overt DIC, with what could not be scored."""

    score: int
    coagulation_points: int
    not_done: tuple[str, ...]
    positive: bool

    def __str__(self) -> str:
        missing = f"; not done: {', '.join(self.not_done)}" if self.not_done else ""
        return f"score {self.score}{missing}"


class Cytopenia(Struct, frozen=True):
    """Which of leukocytes and platelets are low; `None` where one is not known."""

    leukocytes: bool | None
    platelets: bool | None

    def __str__(self) -> str:
        low = [name for name in self.__struct_fields__ if getattr(self, name)]
        return ", ".join(low) or "none"


class BloodPicture(Struct, frozen=True):
    """Every pattern of the blood picture, and the findings that later steps build on."""

    patterns: tuple[Finding[bool], ...]
    cytopenia: Finding[Cytopenia]
    hemolysis: Finding[Hemolysis]
    acute_hemolysis: Finding[bool]
    microangiopathy: Finding[bool]
    incomplete_microangiopathy: Finding[bool]
    coagulation: Finding[Coagulation]
    leukoerythroblastic: Finding[bool]
    aplasia: Finding[bool]
    lifelong: Finding[bool]
    persisting_cytopenia: Finding[bool]

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of the M rules whose pattern is there."""
        return tuple(f.rule for f in self.patterns if f.value)
