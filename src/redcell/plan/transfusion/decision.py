"""S4 Transfusion: the decision and everything that goes with it, frozen."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from redcell.findings.red_flags import (
    Alarm,
)
from redcell.rule import Finding

Decision = Literal["recommend", "consider", "do-not-transfuse", "emergency", "declined"]


Range = tuple[float, float]


class Verdict(Struct, frozen=True):
    """What the rules decide, and which of them."""

    decision: Decision
    because: tuple[str, ...]
    target: Range | None = None

    @property
    def decided_by(self) -> str:
        """The rule that met the patient first."""
        return self.because[0]

    def __str__(self) -> str:
        return self.decision


class Precaution(Struct, frozen=True):
    """Something to do or to know around a transfusion, with the findings behind it."""

    code: str
    evidence: tuple[Finding[Any], ...] = ()


class TransfusionPlan(Struct, frozen=True):
    """Step S4: the decision and everything that goes with it."""

    verdict: Finding[Verdict]
    units: Finding[int | None]
    component: str | None
    infusion_hours: Range | None
    chair_hours: Range | None
    expected_rise: Finding[Range | None]
    overload_risk: Finding[tuple[str, ...]]
    last_weeks: Finding[bool]
    refusal: Finding[bool]
    emergency: Finding[Alarm]
    irradiation: Finding[bool]
    again_soon: Finding[bool]
    precautions: tuple[Precaution, ...]
