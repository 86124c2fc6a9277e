"""A point in clinical time: an instant in UTC, or a calendar day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from msgspec import Struct

SECONDS_PER_DAY = 86400.0


class Moment(Struct, frozen=True, order=True, cache_hash=True):
    """When something was so. A bare date means 00:00:00Z and counts in calendar days."""

    time: datetime
    day_only: bool = False

    def __str__(self) -> str:
        return self.time.date().isoformat() if self.day_only else self.iso()

    def iso(self) -> str:
        """RFC 3339 in UTC with a `Z`, whole seconds unless the source had more."""
        return self.time.isoformat().replace("+00:00", "Z")

    @property
    def day(self) -> date:
        """The calendar day in UTC."""
        return self.time.date()

    def plus(self, days: float) -> Moment:
        """The moment `days` later."""
        return Moment(self.time + timedelta(days=days), self.day_only)


def utc(time: datetime) -> Moment:
    """An exact moment; a time without an offset is read as UTC."""
    return Moment(time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC))


def on_day(day: date) -> Moment:
    """A calendar day, which stands for its first second in UTC."""
    return Moment(datetime(day.year, day.month, day.day, tzinfo=UTC), day_only=True)


def days_between(earlier: Moment, later: Moment) -> float:
    """Days from `earlier` to `later`: elapsed time, or calendar days when either is a date."""
    if earlier.day_only or later.day_only:
        return float((later.day - earlier.day).days)
    return (later.time - earlier.time).total_seconds() / SECONDS_PER_DAY


def within(earlier: Moment, later: Moment, days: float) -> bool:
    """Is `earlier` at most `days` before `later`, and not after it? The window is closed."""
    return 0 <= days_between(earlier, later) <= days
