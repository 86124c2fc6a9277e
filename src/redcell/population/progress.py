"""How far a run is, on standard error: a bar with rate and time left on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import monotonic

import click

Tell = Callable[[int], None]
Progress = Callable[[str, int, str], AbstractContextManager[Tell]]
"""Called with a title, the whole, and its unit; tells of each part that is done."""

SAID_EVERY = 30.0
"""Seconds between two lines where there is no terminal."""
PREFIXES = ("", "k", "M", "G", "T")
THOUSAND = 1000.0


@contextmanager
def silent(title: str, whole: int, unit: str) -> Iterator[Tell]:
    """Says nothing."""
    yield lambda _: None


@contextmanager
def shown(title: str, whole: int, unit: str) -> Iterator[Tell]:
    """A bar on a terminal; otherwise a line now and then. Both on standard error."""
    start = monotonic()
    if not sys.stderr.isatty():
        yield _Lines(title, whole, unit, start).tell
        return
    with click.progressbar(
        length=whole, label=f"{title:<9}", file=sys.stderr, show_eta=True, item_show_func=_item
    ) as bar:

        def tell(done: int) -> None:
            bar.update(done, rate(bar.pos + done, monotonic() - start, unit))

        yield tell


def _item(said: str | None) -> str | None:
    return said


class _Lines:
    def __init__(self, title: str, whole: int, unit: str, start: float) -> None:
        self._title, self._whole, self._unit = title, whole, unit
        self._start = self._last = start
        self._done = 0

    def tell(self, done: int) -> None:
        self._done += done
        now = monotonic()
        if now - self._last < SAID_EVERY:
            return
        self._last = now
        seconds = now - self._start
        share = self._done / max(1, self._whole)
        left = seconds * (1 - share) / share if share else 0.0
        speed = rate(self._done, seconds, self._unit)
        click.echo(f"{self._title}: {share:.0%}, {speed}, about {left:.0f} s left", err=True)


def rate(done: int, seconds: float, unit: str) -> str:
    """How fast, for people: `12.3 patients/s`, `45.0 MB/s`."""
    speed = done / seconds if seconds > 0 else 0.0
    prefix = 0
    while unit == "B" and speed >= THOUSAND and prefix < len(PREFIXES) - 1:
        speed, prefix = speed / THOUSAND, prefix + 1
    return f"{speed:.1f} {PREFIXES[prefix]}{unit}/s"
