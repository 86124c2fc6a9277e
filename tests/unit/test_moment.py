"""Moments and windows: closed, exact for times, calendar days for dates, no clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from redcell.record.moment import Moment, days_between, on_day, utc, within
from redcell.sources.fhir.times import BadTimeError, latest_day, moment

pytestmark = pytest.mark.trust("D7")

NOON = utc(datetime(2026, 11, 20, 12, tzinfo=UTC))


WINDOWS = [
    # earlier, later, days, inside
    ("exactly 7 d", NOON.plus(-7), NOON, 7, True),
    ("a second more", utc(NOON.time - timedelta(days=7, seconds=1)), NOON, 7, False),
    ("the same moment", NOON, NOON, 0, True),
    ("later is outside", NOON.plus(0.01), NOON, 7, False),
    ("a date 7 calendar days before", on_day(date(2026, 11, 13)), NOON, 7, True),
    ("a date 8 calendar days before", on_day(date(2026, 11, 12)), NOON, 7, False),
    ("the date of today, later in the day", NOON, on_day(date(2026, 11, 20)), 0, True),
    ("both dates", on_day(date(2026, 11, 13)), on_day(date(2026, 11, 20)), 7, True),
    ("no limit", NOON.plus(-5000), NOON, float("inf"), True),
]


@pytest.mark.parametrize(
    ("name", "earlier", "later", "days", "inside"), WINDOWS, ids=[w[0] for w in WINDOWS]
)
def test_windows_are_closed(name, earlier, later, days, inside):
    assert within(earlier, later, days) is inside


def test_days_between():
    assert days_between(NOON.plus(-1.5), NOON) == 1.5
    assert days_between(on_day(date(2026, 11, 19)), NOON) == 1.0
    assert days_between(NOON, NOON.plus(-2)) == -2.0


READ = [
    # FHIR text, moment in UTC, day only, without an offset
    ("2026-11-20T09:00:00Z", datetime(2026, 11, 20, 9, tzinfo=UTC), False, False),
    ("2026-11-20T09:00:00+02:00", datetime(2026, 11, 20, 7, tzinfo=UTC), False, False),
    ("2026-11-20T00:30:00+02:00", datetime(2026, 11, 19, 22, 30, tzinfo=UTC), False, False),
    ("2026-11-20T09:00:00", datetime(2026, 11, 20, 9, tzinfo=UTC), False, True),
    ("2026-11-20T09:00:00.250Z", datetime(2026, 11, 20, 9, 0, 0, 250000, tzinfo=UTC), False, False),
    ("2026-12-31T23:59:60Z", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), False, False),
    ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC), True, False),
    ("2026-11", datetime(2026, 11, 1, tzinfo=UTC), True, False),
    ("2026", datetime(2026, 1, 1, tzinfo=UTC), True, False),
]


@pytest.mark.parametrize(("text", "time", "day_only", "naive"), READ, ids=[r[0] for r in READ])
def test_fhir_times(text, time, day_only, naive):
    assert moment(text) == (Moment(time, day_only), naive)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-13-01",
        "2026-02-30",
        "20-11-2026T09:00",
        "9999999",
        "0001-01-01T00:00:00+14:00",
        "9" * 30,
        "2026-99999999999999999999",
    ],
)
def test_what_is_not_a_time_is_refused(text):
    with pytest.raises(BadTimeError):
        moment(text)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2008", date(2008, 12, 31)),
        ("2008-02", date(2008, 2, 29)),
        ("2008-02-03", date(2008, 2, 3)),
    ],
)
def test_a_partial_birth_date_is_the_latest_day_it_can_mean(text, day):
    assert latest_day(text) == day


def test_iso_and_order():
    assert NOON.iso() == "2026-11-20T12:00:00Z"
    assert str(on_day(date(2026, 11, 20))) == "2026-11-20"
    assert utc(datetime(2026, 11, 20, 14, tzinfo=timezone(timedelta(hours=2)))) == NOON
    assert NOON.plus(-1) < NOON
