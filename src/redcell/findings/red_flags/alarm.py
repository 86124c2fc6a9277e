"""S2 Symptoms: the levels of urgency, and what it means that a rule fired."""

from __future__ import annotations

from msgspec import Struct

from redcell.record.symptoms import Answer

EMERGENCY = "emergency"


FACE_TO_FACE = "same-day-face-to-face"


SAME_DAY = "same-day"


FOUR_DAYS = "within-4-days"


SEVEN_DAYS = "within-7-days"


ROUTINE = "routine"


LEVELS = (EMERGENCY, FACE_TO_FACE, SAME_DAY, FOUR_DAYS, SEVEN_DAYS, ROUTINE)


NOT_COUNTED = frozenset({"S-R26"})
"""Same-day rules that never make two amber flags a red one (S-R16)."""


class Alarm(Struct, frozen=True):
    """At which level a rule fired, and which of its clauses did. Empty: it did not fire."""

    level: str = ""
    clauses: tuple[str, ...] = ()

    @property
    def fired(self) -> bool:
        """Did any clause fire?"""
        return bool(self.clauses)

    def __str__(self) -> str:
        return f"{self.level} ({', '.join(self.clauses)})" if self.clauses else "no"


SILENT = Alarm()


def alarm(level: str, **clauses: object) -> Alarm:
    """An alarm at `level` with the names of the clauses that hold; silent when none does."""
    return Alarm(level, held) if (held := _held(clauses)) else SILENT


def _held(clauses: dict[str, object]) -> tuple[str, ...]:
    return tuple(name for name, holds in clauses.items() if holds)


def two_levels(emergency: dict[str, object], same_day: dict[str, object]) -> Alarm:
    """An alarm that fires once, at the higher of its two levels."""
    if held := _held(emergency):
        return Alarm(EMERGENCY, held + _held(same_day))
    return alarm(SAME_DAY, **same_day)


def is_new(reply: Answer | None) -> bool:
    """Is the symptom present, and new or worse?"""
    return reply is not None and reply.present and reply.new_or_worse


def at_grade(reply: Answer | None, grade: int) -> bool:
    """Is the symptom present at this grade or worse?"""
    return reply is not None and reply.at_least(grade)


MODERATE = 2


SEVERE = 3
