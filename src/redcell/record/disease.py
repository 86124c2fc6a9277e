"""Diagnoses, explicit negatives, refusals, prognosis and goals."""

from __future__ import annotations

from msgspec import Struct

from redcell.record.moment import Moment


class Diagnosis(Struct, frozen=True):
    """One coded or named condition under one meaning that the rules know.

    `absent` is an explicit no (`refuted`); a condition that is not in the record is unknown.
    """

    meaning: str
    reference: str
    absent: bool = False
    active: bool = True
    onset: Moment | None = None
    recorded: Moment | None = None
    label: str = ""

    def __str__(self) -> str:
        return f"no {self.label or self.meaning}" if self.absent else self.label or self.meaning


class Refusal(Struct, frozen=True):
    """A recorded refusal of red cells; `clear` is false when the document does not settle it."""

    reference: str
    clear: bool
    start: Moment | None = None
    end: Moment | None = None
    permits: tuple[str, ...] = ()

    def in_force(self, at: Moment) -> bool:
        """Does the refusal's period contain `at`?"""
        started = self.start is None or self.start <= at
        if self.end is None:
            return started
        last = self.end.day >= at.day if self.end.day_only else self.end >= at
        return started and last


class Prognosis(Struct, frozen=True):
    """An expected time to death: the end of a predicted period, or weeks from a date."""

    reference: str
    recorded: Moment | None = None
    until: Moment | None = None
    weeks: float | None = None


class CareSetting(Struct, frozen=True):
    """Hospice or palliative care that is active."""

    kind: str
    reference: str
    start: Moment | None = None


class Goal(Struct, frozen=True):
    """A goal of care in the patient's or team's words; shown, never interpreted."""

    text: str
    reference: str
