"""The little picture of twelve weeks: every line on one scale, so that slopes can be compared."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from redcell.clinic.lines import COURSE_DAYS, Point
from redcell.clock import DAY
from redcell.outputs.chart.data import tenths

WIDTH, HEIGHT, EDGE = 116, 38, 4
LOW, HIGH = 6.0, 13.0
"""g/dL at the bottom and at the top; values beyond stand at the edge."""
MARK = 8.0
"""The dotted line, g/dL."""
WEEK_DAYS = 7


class Sparkline(Struct, frozen=True):
    """Places of the counts in the picture, and the same in words."""

    path: str
    points: tuple[tuple[float, float], ...]
    mark: float
    words: str
    width: int = WIDTH
    height: int = HEIGHT


def sparkline(course: Sequence[Point], at: int) -> Sparkline | None:
    """The picture of a course that ends now; `None` where there is no count."""
    if not course:
        return None
    points = tuple((_x(p.at, at), _y(p.value)) for p in course)
    path = "M" + "L".join(f"{x} {y}" for x, y in points)
    return Sparkline(path, points, _y(MARK), words(course))


def words(course: Sequence[Point]) -> str:
    """10.4 to 7.6 in 9 weeks, 7 counts."""
    first, last = course[0], course[-1]
    if len(course) == 1:
        return f"{tenths(last.value)}, one count"
    weeks = max(1, round((last.at - first.at) / DAY / WEEK_DAYS))
    span = f"{weeks} week{'' if weeks == 1 else 's'}"
    return f"{tenths(first.value)} to {tenths(last.value)} in {span}, {len(course)} counts"


def _x(time: int, at: int) -> float:
    share = 1 - (at - time) / (COURSE_DAYS * DAY)
    return round(EDGE + min(max(share, 0.0), 1.0) * (WIDTH - 2 * EDGE), 1)


def _y(value: float) -> float:
    share = (min(max(value, LOW), HIGH) - LOW) / (HIGH - LOW)
    return round(HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE), 1)
