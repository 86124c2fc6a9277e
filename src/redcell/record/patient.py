"""Who the patient is, as far as the care loop needs to know."""

from __future__ import annotations

from datetime import date
from typing import Literal

from msgspec import Struct

from redcell.record.moment import Moment

Sex = Literal["female", "male", "other", "unknown"]


class Patient(Struct, frozen=True):
    """Identity without names: nothing here is needed to print a name, so none is kept."""

    id: str
    sex: Sex = "unknown"
    birth_date: date | None = None
    deceased: Moment | bool = False
    altitude_m: float | None = None

    @property
    def reference(self) -> str:
        """The FHIR reference of this patient."""
        return f"Patient/{self.id}"

    def age_years(self, at: Moment) -> int | None:
        """Completed years at `at`; `None` without a birth date."""
        if self.birth_date is None:
            return None
        had_birthday = (at.day.month, at.day.day) >= (self.birth_date.month, self.birth_date.day)
        return at.day.year - self.birth_date.year - (0 if had_birthday else 1)

    def died_by(self, at: Moment) -> bool:
        """Does the record say that the patient has died by `at`?"""
        if isinstance(self.deceased, bool):
            return self.deceased
        return self.deceased <= at
