"""What a run did not use: counted by reason, and kept on request."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec
from msgspec import Struct

from redcell.population.files import replacing, writing
from redcell.record.record import SetAside

NOTED = frozenset(
    {
        "ambiguous-drug",
        "code-display-mismatch",
        "conflicting-records",
        "corrected-result-used",
        "deleted-by-sender",
        "entered-in-error-ignored",
        "future-data-ignored",
        "naive-time-assumed-utc",
        "site-mapping-unknown",
        "unmapped-code",
        "unmapped-drug",
    }
)
"""Codes of what was read and understood, or is no concern of redcell's: counted, not rejected."""


class Refused(Struct, frozen=True):
    """One piece of input that was not used as it stood, and why."""

    reason: str
    place: str
    text: str
    line: bytes = b""


class Told(Protocol):
    """What became of one patient."""

    @property
    def left_out(self) -> str:
        """Why nothing came of it; empty where something did."""

    @property
    def refused(self) -> Iterable[Refused]:
        """What was not used as it stood."""

    @property
    def noted(self) -> Counter[str]:
        """What was used and is worth a count."""


class Tally(Struct):
    """Counts of one run: patients found, rows written, and by reason what was left out."""

    patients: int = 0
    rows: int = 0
    left_out: Counter[str] = msgspec.field(default_factory=Counter)
    rejected: Counter[str] = msgspec.field(default_factory=Counter)
    noted: Counter[str] = msgspec.field(default_factory=Counter)
    not_read: Counter[str] = msgspec.field(default_factory=Counter)
    """Resources of types that redcell does not read, by type."""

    def lines(self) -> Iterator[str]:
        """The counts for people, one sentence a line."""
        yield f"{self.patients:,} patients in the source, {self.rows:,} assessed."
        yield from _counted("Left out", self.left_out)
        yield from _counted("Rejected", self.rejected)
        yield from _counted("Noted", self.noted)
        yield from _counted("Types not read", self.not_read)


def _counted(title: str, counts: Counter[str]) -> Iterator[str]:
    if counts:
        parts = ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items()))
        yield f"{title}: {counts.total():,} ({parts})."


class Ledger:
    """Counts what was refused and writes it where that was asked for."""

    def __init__(self, tally: Tally, file: IO[bytes] | None = None) -> None:
        self.tally = tally
        self._file = file

    @property
    def keeps(self) -> bool:
        """Is the refused input itself wanted?"""
        return self._file is not None

    def refuse(self, refused: Refused) -> None:
        """Count one piece of input that was rejected, and keep it."""
        self.tally.rejected[refused.reason] += 1
        if self._file is not None:
            with writing(Path(self._file.name)):
                self._file.write(msgspec.json.encode(_entry(refused)) + b"\n")

    def settle(self, told: Told) -> None:
        """Count a patient, and what was not used of it."""
        for refused in told.refused:
            self.refuse(refused)
        self.tally.noted.update(told.noted)
        if told.left_out:
            self.tally.left_out[told.left_out] += 1
        else:
            self.tally.rows += 1


def _entry(refused: Refused) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "reason": refused.reason,
        "place": refused.place,
        "text": refused.text,
    }
    try:
        entry["line"] = refused.line.decode()
    except UnicodeDecodeError:
        entry["line_base64"] = base64.b64encode(refused.line).decode()
    return entry


@contextmanager
def ledger(path: Path | None) -> Iterator[Ledger]:
    """A ledger; its file appears under its name when the run is over, even when it failed."""
    if path is None:
        yield Ledger(Tally())
        return
    with replacing(path, keep_on_error=True) as file:
        yield Ledger(Tally(), file)


def rejects(aside: SetAside) -> bool:
    """Is what was set aside bad input, rather than something merely noted?"""
    return aside.code not in NOTED
