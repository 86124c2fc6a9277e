"""The clock at the edge of the service: the one place that reads it.

Times in the store are whole microseconds since 1970-01-01T00:00:00Z. Every function that needs a
time takes it as an argument; only listeners, routes and commands ask here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
"""Microseconds in a second."""
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> int:
    """Microseconds since 1970, UTC."""
    return micros(datetime.now(UTC))  # noqa: TID251  (the edge of the program)


def micros(time: datetime) -> int:
    """An aware datetime as whole microseconds since 1970, UTC."""
    return (time - EPOCH) // timedelta(microseconds=1)


def when(at: int) -> datetime:
    """The aware UTC datetime of a stored time."""
    return EPOCH + timedelta(microseconds=at)


def iso(at: int) -> str:
    """RFC 3339 in UTC with a `Z`, to the millisecond as FHIR instants have it."""
    return when(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
