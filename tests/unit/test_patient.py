"""A patient's age in completed years, and whether the patient has died."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from builder import patient, when
from redcell.api import moment_of

BORN = date(1968, 11, 28)
AGES = [
    ("the day before the birthday", BORN, "2026-11-27T23:59:00Z", 57),
    ("the birthday", BORN, "2026-11-28T00:00:00Z", 58),
    ("the month before", BORN, "2026-10-31T12:00:00Z", 57),
    ("the month after", BORN, "2026-12-01T12:00:00Z", 58),
    ("born on a leap day, 28 February", date(1968, 2, 29), "2026-02-28T12:00:00Z", 57),
    ("born on a leap day, 1 March", date(1968, 2, 29), "2026-03-01T12:00:00Z", 58),
    ("no date", None, "2026-11-28T00:00:00Z", None),
]


@pytest.mark.parametrize(("name", "born", "at", "years"), AGES, ids=[a[0] for a in AGES])
def test_age_in_completed_years(name, born, at, years):
    assert replace(patient().patient, birth_date=born).age_years(moment_of(at)) == years


DEATHS = [(True, True), (False, False), (when(0), True), (when(-1), True), (when(1), False)]


@pytest.mark.parametrize(("deceased", "died"), DEATHS)
def test_death_counts_from_its_time_on(deceased, died):
    assert replace(patient().patient, deceased=deceased).died_by(when(0)) is died
