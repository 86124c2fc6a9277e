"""Takes in files: streamed, some hundred resources in one transaction, each batch once.

A batch is named by its file, its lines and its content. A run that was killed is started again with
the same command: batches that are there already are passed over, so nothing is doubled. What cannot
be used is kept line by line with its reason, and can be replayed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from redcell.clinic.intake import arrived
from redcell.clinic.resources import Part, kept, named, parts_of, read_json
from redcell.clinic.together import Brought, take_together
from redcell.clinic.versions import KINDS, Json, RefusedResourceError, encode_json
from redcell.feeds.bulk.forms import UnusableFileError, bounded, form_of, opened, whole
from redcell.feeds.bulk.tally import Tally
from redcell.population.reading.ndjson import RefusedFileError, files_of, numbered
from redcell.sources.fhir.kind import kind_of
from redcell.sources.fhir.read import OWN
from redcell.store import arrivals
from redcell.store.facts import Version

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic
    from redcell.feeds.bulk.translated import Unit

FORM = "bulk"
BATCH = 500
"""Lines in one transaction."""
WAITING = 4
"""Batches that may wait for the writer while the next ones are read."""
SEAL = 16
SENT = "reported-by-sender"

Progress = Callable[[Tally], None]


class Line(Struct, frozen=True):
    """One line of a file."""

    number: int
    text: bytes


class Loader:
    """Takes files into a clinic's store under one feed."""

    def __init__(
        self,
        clinic: Clinic,
        feed: str,
        now: Callable[[], int],
        progress: Progress | None = None,
    ) -> None:
        self.clinic, self.feed, self.now = clinic, feed, now
        self.tally = Tally(began=now())
        self._progress = progress or (lambda _: None)
        self._written: list[tuple[Future[list[str]], list[Brought]]] = []

    def folder(self, source: Path) -> Tally:
        """Take in a file, or every file of a folder.

        Raises:
            UnreadableSourceError: there is no such file or folder, or it is empty.
        """
        root = source if source.is_dir() else source.parent
        for path in files_of(source):
            self.file(path, str(path.relative_to(root)))
        return self.finish()

    def finish(self) -> Tally:
        """Wait until everything is on disk."""
        while self._written:
            self._count()
        self.tally.ended = self.now()
        return self.tally

    def file(self, path: Path, name: str) -> None:
        """Take in one file; one that cannot be used at all is counted, and the others go on."""
        self.tally.files += 1
        try:
            match form_of(path):
                case "ndjson":
                    self._ndjson(path, name)
                case "json":
                    self.document(name, whole(path))
                case "hl7v2":
                    self._messages(name, whole(path))
                case "csv":
                    self._table(name, whole(path))
                case _:
                    self.tally.refused["file of a form that is not read"] += 1
        except (UnusableFileError, RefusedFileError, OSError, EOFError) as error:
            self.tally.refused[_reason(error)] += 1

    def problem(self, name: str, data: bytes) -> None:
        """Keep a list of problems that a sender reports; a person has to look at it."""
        text = f"the sender reports {data.count(b'resourceType')} problems with its export."
        self._submit([self._refusal(name, FORM, data, RefusedResourceError(SENT, "", text))])

    # -- lines of JSON -----------------------------------------------------------------------------

    def _ndjson(self, path: Path, name: str) -> None:
        with opened(path) as stream:
            batch: list[Line] = []
            for number, _, text in numbered(bounded(stream, path)):
                if text is None:
                    self.tally.refused["line too long"] += 1
                elif not text.isspace():
                    batch.append(Line(number, text.strip()))
                if len(batch) >= BATCH:
                    self._lines(name, batch)
                    batch = []
            self._lines(name, batch)

    def _lines(self, name: str, batch: list[Line]) -> None:
        if not batch:
            return
        self.tally.read += len(batch)
        body = b"\n".join(line.text for line in batch)
        key = _key(f"{name}:{batch[0].number}-{batch[-1].number}", body)
        if self._known(key):
            self.tally.known += len(batch)
            return
        found = ((f"{name}:{line.number}", line.text) for line in batch)
        self._take(key, FORM, body, list(self._admitted(found)))

    def _admitted(self, lines: Iterable[tuple[str, bytes]]) -> Iterator[Version | Brought]:
        """The version that each line makes, or its refusal."""
        at = self.now()
        for place, text in lines:
            try:
                if self._is_left_out(text):
                    continue
                resource = named(read_json(text))
                if self._is_own(resource):
                    continue
                yield kept(resource, at)
            except RefusedResourceError as error:
                yield self._refusal(place, FORM, text, error)

    def _is_left_out(self, text: bytes) -> bool:
        """Is it of a type that is not kept? Such a line is not decoded."""
        try:
            kind = kind_of(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False  # reading it says what is wrong
        return self._is_other(kind)

    def _is_other(self, kind: object) -> bool:
        if not isinstance(kind, str) or not kind or kind in KINDS:
            return False
        self.tally.left_out[kind[:60] if kind.isalpha() else "not a type"] += 1
        return True

    def _is_own(self, resource: Json) -> bool:
        meta = resource.get("meta")
        own = isinstance(meta, dict) and meta.get("source") == OWN
        self.tally.own += own
        return own

    # -- one document ------------------------------------------------------------------------------

    def document(self, name: str, data: bytes) -> None:
        """Take in one JSON document: a resource, or a Bundle of them."""
        key = _key(name, data)
        self.tally.read += 1
        if self._known(key):
            self.tally.known += 1
            return
        try:
            parts = parts_of(read_json(data))
        except RefusedResourceError as error:
            self._submit([self._refusal(name, FORM, data, error)])
            return
        self._take(key, FORM, data, list(self._parts(name, parts)))

    def _parts(self, name: str, parts: Iterable[Part]) -> Iterator[Version | Brought]:
        at = self.now()
        for part in parts:
            if self._is_other(part.resource.get("resourceType")) or self._is_own(part.resource):
                continue
            try:
                yield kept(part.resource, at)
            except RefusedResourceError as error:
                place = f"{name}#{part.place}"
                yield self._refusal(place, FORM, encode_json(part.resource), error)

    # -- other formats -----------------------------------------------------------------------------

    def _messages(self, name: str, data: bytes) -> None:
        from redcell.feeds.bulk.translated import messages

        for unit in messages(self.clinic, self.feed, name, data):
            self._translated(unit, unit.key)

    def _table(self, name: str, data: bytes) -> None:
        from redcell.feeds.bulk.translated import table

        self._translated(table(self.clinic, self.feed, name, data), _key(name, data))

    def _translated(self, unit: Unit, key: str) -> None:
        """Take in a message or table: the same name with the same content counts once."""
        self.tally.read += 1
        found, at = unit.found, self.now()
        self.tally.aside.update(one.code for one in found.set_aside)
        refused = (found.refusal.code, found.refusal.text) if found.refusal else None
        versions: tuple[Version, ...] = ()
        try:
            versions = tuple(kept(one, at) for one in found.resources)
        except RefusedResourceError as error:
            refused = (error.code, error.text)
        arrival = arrived(self.feed, unit.form, key, unit.body, at)
        if refused:
            self.tally.refused[refused[0]] += 1
        self._submit([Brought(arrival, () if refused else versions, refused)])

    # -- into the store ----------------------------------------------------------------------------

    def _known(self, key: str) -> bool:
        with self.clinic.database.read() as connection:
            before = arrivals.known_arrivals(connection, self.feed, [key]).get(key, [])
        return any(outcome == "accepted" for _, outcome in before)

    def _refusal(self, place: str, form: str, text: bytes, error: RefusedResourceError) -> Brought:
        self.tally.refused[error.code] += 1
        arrival = arrived(self.feed, form, _key(place, text), text, self.now())
        return Brought(arrival, refused=(error.code, error.text))

    def _take(self, key: str, form: str, body: bytes, found: list[Version | Brought]) -> None:
        versions = tuple(one for one in found if isinstance(one, Version))
        refused = [one for one in found if isinstance(one, Brought)]
        arrival = arrived(self.feed, form, key, body, self.now())
        self._submit([Brought(arrival, versions), *refused])

    def _submit(self, brought: list[Brought]) -> None:
        while len(self._written) >= WAITING:
            self._count()
        write = self.clinic.writer.submit(lambda c: take_together(c, brought))
        self._written.append((write, brought))
        self._progress(self.tally)

    def _count(self) -> None:
        """Wait for the oldest batch, and count what became of it."""
        write, brought = self._written.pop(0)
        for one, outcome in zip(brought, write.result(), strict=True):
            if outcome == "accepted":
                self.tally.kept.update(version.kind for version in one.versions)
            elif outcome == "duplicate":
                self.tally.known += 1
            elif outcome == "held":
                self.tally.refused["held: other content under a known name"] += 1


def _key(place: str, body: bytes) -> str:
    """The name of a batch or line: its place and its content."""
    return f"{place[-200:]}@{hashlib.sha256(body).hexdigest()[:SEAL]}"


def _reason(error: Exception) -> str:
    if isinstance(error, RefusedFileError):
        return f"file: {error.args[0]}"
    if isinstance(error, UnusableFileError):
        return "file not readable"
    return "file not whole"
