"""A folder into which somebody puts files: taken once they are whole, then moved with a report.

A file is whole when it was renamed from `NAME.part`, or when it did not change for a few looks; a
text without a last line end has to rest longer. What was taken moves to `done/`, what was not to
`refused/`, each with a report beside it. The content names the file: a kill at any moment, or the
same file put there again, has no second effect.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import structlog
from msgspec import Struct

from redcell import clock
from redcell.feeds.channels import Channel
from redcell.feeds.intake import Arrival, Intake, Outcome
from redcell.feeds.mllp.listener import message_arrival
from redcell.record.record import SetAside
from redcell.sources.csv_labs.to_fhir import TranslatedTable, translate_table
from redcell.sources.hl7v2.framing import RefusedMessageError, split
from redcell.sources.translated import Translated

UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload")
TABLES = (".csv", ".tsv", ".txt")
MESSAGES = ".hl7"
DONE, REFUSED = "done", "refused"
LARGEST = 256 << 20
LOOKS = 3
"""At how many looks in a row a file must be the same."""
LOOKS_WITHOUT_END = 15
"""The same, for a file whose last line has no end."""
LISTED = 200
"""Lines of what was set aside in a report."""
FORM, PART = "csv", "csv-part"


class Seen(Struct):
    """What a look found of one file, and how often it has been so."""

    size: int
    changed: int
    times: int = 1


class Report(Struct):
    """What became of a file."""

    outcomes: list[tuple[str, Outcome]] = []
    set_aside: list[SetAside] = []
    people: int = 0
    results: int = 0
    refusal: str = ""
    seal: str = ""
    """A hash of the content."""

    @property
    def taken(self) -> bool:
        """Was all of it taken, now or before?"""
        good = all(o.verdict in ("accepted", "duplicate") for _, o in self.outcomes)
        return not self.refusal and bool(self.outcomes) and good

    def lines(self) -> Iterator[str]:
        """The report in words."""
        yield "taken" if self.taken else f"refused: {self.refusal or 'see the lines below'}"
        if self.people:
            yield f"{self.results} results of {self.people} patients"
        for name, outcome in self.outcomes:
            if name or outcome.reason:
                yield ": ".join(x for x in (name, outcome.verdict, outcome.reason) if x)
        if self.outcomes and all(o.verdict == "duplicate" for _, o in self.outcomes):
            yield "all of it was known already"
        for aside in self.set_aside[:LISTED]:
            yield f"{aside.code}: {aside.text}"
        if len(self.set_aside) > LISTED:
            yield f"and {len(self.set_aside) - LISTED} more lines like these"


class DropFolder:
    """One folder of one feed. `run` watches it; `step` is one look."""

    def __init__(
        self,
        folder: Path,
        channel: Channel,
        intake: Intake,
        *,
        now: Callable[[], int] = clock.now,
        looks: int = LOOKS,
    ) -> None:
        """Prepare to watch.

        Args:
            folder: is made when it is not there.
            channel: how its files are read.
            intake: keeps what arrives.
            now: gives the time in microseconds since 1970.
            looks: at how many looks in a row a file must be the same.
        """
        self.folder = folder
        self.channel = channel
        self._intake = intake
        self._now = now
        self._looks = looks
        self._seen: dict[str, Seen] = {}
        self._unfinished: set[str] = set()
        self._log = structlog.get_logger("redcell.drop-folder")
        for name in (".", DONE, REFUSED):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)

    async def run(self, pause: float = 2) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.step()
            except Exception as error:  # the folder may be on a share that comes back
                self._log.error("folder-failed", feed=self.channel.name, error=type(error).__name__)
            await asyncio.sleep(pause)

    async def step(self) -> int:
        """Take the files that are whole; how many there were."""
        taken = 0
        for path in self._whole():
            try:
                state = path.lstat()
                report = await self._take(path)
                if _same(state, path.lstat()):
                    self._put_aside(path, report)
                    taken += 1
            except Exception as error:  # it stays where it is, and is tried again
                self._log.error("not-kept", feed=self.channel.name, error=type(error).__name__)
        return taken

    # -- which files are whole ---------------------------------------------------------------------

    def _whole(self) -> list[Path]:
        found: list[Path] = []
        now: dict[str, Seen] = {}
        begun: set[str] = set()
        for entry in sorted(os.scandir(self.folder), key=lambda e: e.name):
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith(UNFINISHED):
                begun.add(entry.name.rpartition(".")[0])
                continue
            with contextlib.suppress(FileNotFoundError):
                state = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(state.st_mode):
                    now[entry.name] = self._look(entry.name, state)
                    if self._is_whole(entry.name, now[entry.name]):
                        found.append(Path(entry.path))
        self._seen, self._unfinished = now, begun
        return found

    def _look(self, name: str, state: os.stat_result) -> Seen:
        seen = Seen(state.st_size, state.st_mtime_ns)
        before = self._seen.get(name)
        if before is not None and (before.size, before.changed) == (seen.size, seen.changed):
            seen.times = before.times + 1
        return seen

    def _is_whole(self, name: str, seen: Seen) -> bool:
        if name in self._unfinished:
            return True
        if seen.times < self._looks:
            return False
        return seen.times >= LOOKS_WITHOUT_END or self._ends(self.folder / name)

    @staticmethod
    def _ends(path: Path) -> bool:
        """Does the last line have its end?"""
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - 1, 0))
            return file.read(1) in (b"\n", b"\r", b"\x1c")

    # -- one file ----------------------------------------------------------------------------------

    async def _take(self, path: Path) -> Report:
        if path.stat().st_size > LARGEST:
            return Report(refusal=f"it is larger than {LARGEST >> 20} MB")
        data = await asyncio.to_thread(path.read_bytes)
        report = await self._read(path, data)
        report.seal = _seal(data)
        return report

    async def _read(self, path: Path, data: bytes) -> Report:
        suffix = path.suffix.lower()
        if suffix == MESSAGES or data[:64].lstrip(b"\xef\xbb\xbf\x0b\r\n ").startswith(b"MSH"):
            return await self._messages(data)
        if suffix in TABLES:
            return await self._table(path.name, data)
        return Report(refusal=f"expected a table ({', '.join(TABLES)}) or messages ({MESSAGES})")

    async def _table(self, name: str, data: bytes) -> Report:
        found = await asyncio.to_thread(
            translate_table,
            name,
            data,
            system=self.channel.authorities.default,
            zone=self.channel.zone,
            base=self.channel.terms,
        )
        refusal = found.refusal.text if found.refusal else ""
        report = Report([], list(found.set_aside), found.people, found.results, refusal)
        for arrival in _parts(found, data, self.channel.name, self._now()):
            report.outcomes.append(("", await self._intake.submit(arrival)))
        return report

    async def _messages(self, data: bytes) -> Report:
        report = Report()
        try:
            raws = list(split("file", data, report.set_aside))
        except RefusedMessageError as error:
            report.refusal = str(error)
            return report
        for raw in raws:
            body = b"\r".join(raw.lines) + b"\r"
            arrival = message_arrival(self.channel, body, self._now())
            outcome = await self._intake.submit(arrival)
            report.outcomes.append((raw.place.partition("#")[2], outcome))
            report.set_aside += arrival.translated.set_aside
        return report

    def _put_aside(self, path: Path, report: Report) -> None:
        """Write the report, then move the file: after a kill in between it is read again."""
        where = self.folder / (DONE if report.taken else REFUSED)
        seal = report.seal[:8]
        target = where / "-".join(x for x in (path.stem, f"{seal}{path.suffix}") if x)
        _write(target.with_name(f"{target.name}.report.txt"), report.lines())
        path.replace(target)
        outcome = "accepted" if report.taken else "refused"
        self._log.info("file", feed=self.channel.name, outcome=outcome, key=seal)


def _seal(data: bytes) -> str:
    return sha256(data).hexdigest()


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def _parts(found: TranslatedTable, data: bytes, feed: str, at: int) -> Iterator[Arrival]:
    """A table as one arrival, or a large one as several; the first one holds the file."""
    key = f"sha256:{_seal(data)}"
    pieces = found.pieces
    for number, resources in enumerate(pieces, 1):
        some = Translated(resources, (), found.set_aside, found.refusal)
        if number == 1:
            yield Arrival(feed, FORM, key, data, at, some)
        else:
            body = f"part {number} of {len(pieces)} of {key}".encode()
            yield Arrival(feed, PART, f"{key}#{number}", body, at, some)


def _write(path: Path, lines: Iterator[str]) -> None:
    begun = path.with_name(f".{path.name}")
    descriptor = os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    begun.replace(path)
