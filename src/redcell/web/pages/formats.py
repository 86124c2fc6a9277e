"""How pages write numbers and times: at the site's clock, with few digits, never as if exact."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from redcell.clock import DAY, HOUR, MINUTE, when
from redcell.outputs.chart.data import MONTHS, tenths
from redcell.quantity import half_up, plain

_zone: ContextVar[tzinfo] = ContextVar("zone", default=UTC)
MINUS = "\N{MINUS SIGN}"
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NOTHING = "\N{EN DASH}"
HUNDRED = 100
LEAST = 0.01
SOON = 6
Time = int | datetime | date


def use_zone(zone: tzinfo) -> None:
    """Show times of this request at the site's clock."""
    _zone.set(zone)


def local(time: int | datetime) -> datetime:
    """A stored time at the site's clock."""
    aware = when(time) if isinstance(time, int) else time
    return aware.astimezone(_zone.get())


def on(time: Time | str) -> date:
    """The day of a time at the site."""
    if isinstance(time, str):
        return date.fromisoformat(time[:10])
    if isinstance(time, datetime) or not isinstance(time, date):
        return local(time).date()
    return time


def day(time: Time | str | None) -> str:
    """20 Nov 2026."""
    if not time:
        return NOTHING
    found = on(time)
    return f"{found.day} {MONTHS[found.month - 1]} {found.year}"


def short_day(time: Time | str | None) -> str:
    """20 Nov."""
    return day(time).rsplit(" ", 1)[0] if time else NOTHING


def clock(time: int | datetime | None) -> str:
    """09:42."""
    return f"{local(time):%H:%M}" if time else NOTHING


def moment(time: int | datetime | None) -> str:
    """20 Nov 2026, 07:55."""
    return f"{day(time)}, {clock(time)}" if time else NOTHING


def machine(time: int | datetime) -> str:
    """For the attribute `datetime`."""
    return local(time).isoformat(timespec="minutes")


def ago(time: int | None, now: int) -> str:
    """2 d, 5 h, 3 min: how long since."""
    if not time:
        return NOTHING
    apart = max(now - time, 0)
    if apart >= DAY:
        return f"{apart // DAY} d"
    return f"{apart // HOUR} h" if apart >= HOUR else f"{apart // MINUTE} min"


def due(day_text: str | None, today: date) -> str:
    """today, tomorrow, Thu, 4 Dec, 9 d late."""
    if not day_text:
        return NOTHING
    ahead = (on(day_text) - today).days
    if ahead < 0:
        return f"{-ahead} d late"
    if ahead <= 1:
        return ("today", "tomorrow")[ahead]
    return WEEKDAYS[on(day_text).weekday()] if ahead <= SOON else short_day(day_text)


def decimal(value: float | None) -> str:
    """7.6; a dash where there is none."""
    return NOTHING if value is None else tenths(value)


def one_decimal(value: float | None) -> str:
    """A figure of a model: one decimal, as no more is deserved."""
    return NOTHING if value is None else f"{half_up(value, 1) + 0.0:.1f}".replace("-", MINUS)


def signed(value: float | None, digits: int = 1) -> str:
    """+0.4 or −0.4."""
    if value is None:
        return NOTHING
    return f"{half_up(value, digits) + 0.0:+.{digits}f}".replace("-", MINUS)


def percent(share: float | None) -> str:
    """71 %; an estimate is never 0 and never 100."""
    if share is None:
        return NOTHING
    shown = int(half_up(share * HUNDRED, 0))
    if shown <= 0:
        return "<1 %"
    return ">99 %" if shown >= HUNDRED else f"{shown} %"


def hundredths(share: float | None) -> str:
    """0.62; a small probability is never a bare zero."""
    if share is None:
        return NOTHING
    return f"{share:.2f}" if share >= LEAST else f"<{LEAST}"


def number(value: float | None, digits: int = 2) -> str:
    """A number with no more digits than it needs."""
    return NOTHING if value is None else plain(value, digits).replace("-", MINUS)


FILTERS: dict[str, Any] = {
    "day": day,
    "short_day": short_day,
    "clock": clock,
    "moment": moment,
    "machine": machine,
    "ago": ago,
    "due": due,
    "tenths": decimal,
    "tenths_one": one_decimal,
    "signed": signed,
    "percent": percent,
    "hundredths": hundredths,
    "plain": number,
}
