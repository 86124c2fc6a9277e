"""Draws the chart's data as inline SVG: shapes and labels first, color second, no script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from textwrap import wrap
from typing import Any

from msgspec import Struct

from redcell.outputs.chart.data import KIND_NAMES, MONTHS, ChartData, Mark, day_text
from redcell.outputs.templates import environment
from redcell.quantity import plain

WIDE, NARROW = 920, 340


class Frame(Struct, frozen=True):
    """Where things go on a picture of one width, in SVG units (pixels at full size)."""

    width: int
    left: int
    right: int
    plot: int
    lane: int
    label_above: bool
    symbol: int


FRAMES = {
    WIDE: Frame(WIDE, 148, 136, 236, 25, label_above=False, symbol=15),
    NARROW: Frame(NARROW, 30, 10, 190, 36, label_above=True, symbol=12),
}
TOP, AXIS, CHARACTER, LABEL_GAP = 26, 30, 6.4, 28
CLOSE = 0.8
"""A value this far below a line gets its label below the point, in g/dL."""


def svg(data: ChartData, *, width: int = WIDE, ident: str = "chart") -> str:
    """The picture as inline SVG: no script, no outside reference, colors from CSS variables.

    Args:
        data: from `chart_data`.
        width: `WIDE` or `NARROW`; draw both for a page and show the one that fits.
        ident: begins every id, so that several pictures can stand on one page.
    """
    picture = _Picture(data, FRAMES[width], ident)
    return environment().get_template("chart.svg.j2").render(p=picture, data=data)


class _Picture:
    """Positions of every mark; the template draws the shapes."""

    def __init__(self, data: ChartData, frame: Frame, ident: str) -> None:
        self.data, self.frame, self.ident = data, frame, ident
        dues = [m.start for m in data.of("due")]
        self.until = max([data.at, *(r.day for r in data.ribbon)])
        last = max([self.until, *dues])
        self.span = (last - data.since).total_seconds() * 1.02
        self.right = frame.width - frame.right
        values = [m.value for m in data.of("hemoglobin", "limit") if m.value is not None]
        values += [edge for r in data.ribbon for edge in (r.q05, r.q95)]
        self.low, self.high = int(min(values) - 0.6), int(max(values) + 1.5)
        self.bottom = TOP + frame.plot
        self.rows = {id(m): n for n, m in enumerate(data.marks)}
        self.lanes = self._lanes()
        self.height = self.bottom + AXIS + len(self.lanes) * frame.lane + 6

    def x(self, when: datetime) -> float:
        """Across: a moment, held inside the picture."""
        share = (when - self.data.since).total_seconds() / self.span
        width = self.right - self.frame.left
        return round(self.frame.left + min(max(share, 0.0), 1.0) * width, 1)

    def y(self, value: float) -> float:
        """Up: a hemoglobin."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.bottom - share * self.frame.plot, 1)

    def ticks(self) -> Iterator[tuple[float, int]]:
        """Whole g/dL with their places."""
        step = 1 if self.high - self.low <= 10 else 2  # noqa: PLR2004  (as many as fit)
        yield from ((self.y(v), v) for v in range(self.low + 1, self.high, step))

    def months(self) -> Iterator[tuple[float, str]]:
        """First days of months with their places."""
        first = self.data.since.date().replace(day=1)
        for n in range(1, 40):
            year, month = divmod(first.year * 12 + first.month - 1 + n, 12)
            when = datetime(year, month + 1, 1, tzinfo=UTC)
            if when > self.until:
                return
            yield self.x(when), MONTHS[month]

    @staticmethod
    def month_of(when: datetime) -> str:
        """The month's name."""
        return MONTHS[when.month - 1]

    def points(self) -> Iterator[dict[str, Any]]:
        """Counts with their places and, where there is room, their labels."""
        counts = self.data.of("hemoglobin")
        newest = counts[-1] if counts else None
        free = {True: float("inf"), False: float("inf")}
        found = []
        for m in reversed(counts):
            x, y = self.x(m.start), self.y(m.value or 0.0)
            gaps = [(line.value or 0) - (m.value or 0) for line in self.data.of("limit")]
            below = any(0 <= gap < CLOSE for gap in gaps)
            labeled = m is newest or free[below] - x >= LABEL_GAP
            free[below] = x if labeled else free[below]
            found.append(
                {
                    "x": x,
                    "y": y,
                    "row": self.rows[id(m)],
                    "mark": m,
                    "newest": m is newest,
                    "label": m.text.removesuffix(" g/dL") if labeled else "",
                    "label_y": y + 18 if below else y - 9,
                }
            )
        yield from reversed(found)

    def line(self) -> str:
        """The path through the counts that are used."""
        used = [m for m in self.data.of("hemoglobin") if not m.struck]
        places = " L".join(f"{self.x(m.start)},{self.y(m.value or 0)}" for m in used)
        return f"M{places}" if used else ""

    def band(self, low: str, high: str) -> str:
        """The outline of a band between two quantiles of the forecast, there and back."""
        over = [(self.x(r.day), self.y(getattr(r, high))) for r in self.data.ribbon]
        under = [(self.x(r.day), self.y(getattr(r, low))) for r in reversed(self.data.ribbon)]
        return _path([*over, *under]) + "Z"

    def middle(self) -> str:
        """The path of the forecast's median."""
        return _path((self.x(r.day), self.y(r.q50)) for r in self.data.ribbon)

    def fitted(self) -> str:
        """The path of the model's course through the counts, held inside the plot."""
        held = ((w, min(max(v, self.low), self.high)) for w, v in self.data.fitted)
        return _path((self.x(w), self.y(v)) for w, v in held)

    def limits(self) -> Iterator[dict[str, Any]]:
        """Lines across the plot."""
        for m in self.data.of("limit"):
            yield {"y": self.y(m.value or 0), "mark": m, "row": self.rows[id(m)]}

    def _lanes(self) -> list[dict[str, Any]]:
        named: dict[tuple[str, str], list[Mark]] = {}
        for m in self.data.marks:
            if m.kind not in ("hemoglobin", "limit"):
                named.setdefault((KIND_NAMES[m.kind], m.lane), []).append(m)
        lanes = []
        for n, ((_, lane), marks) in enumerate(named.items()):
            top = self.bottom + AXIS + n * self.frame.lane
            middle = top + self.frame.lane - 11
            items = [self._item(m) for m in marks]
            lanes.append({"label": wrap(lane, 20), "y": middle, "items": items})
        return lanes

    def _item(self, m: Mark) -> dict[str, Any]:
        x, end = self.x(m.start), self.x(m.end)
        width = max(end - x, 2.0)
        inside = width >= len(m.text) * CHARACTER
        left = x > (self.frame.left + self.right) / 2
        return {
            "kind": m.kind,
            "x": x,
            "w": round(width, 1),
            "end": end,
            "row": self.rows[id(m)],
            "text": m.text,
            "inside": inside,
            "left": left,
            "mark": m,
            "grade": "?" if m.value is None else plain(m.value),
            "weight": round(0.12 + 0.2 * (m.value or 0), 2),
            "day": day_text(m.start).rsplit(" ", 1)[0],
        }


def _path(places: Iterable[tuple[float, float]]) -> str:
    joined = " L".join(f"{x},{y}" for x, y in places)
    return f"M{joined}" if joined else ""
