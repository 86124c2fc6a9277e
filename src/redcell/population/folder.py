"""A folder of FHIR NDJSON by patient: one pass notes where each line stands and whose it is.

Nothing but places in files is kept in memory. Lines of gzipped files that are needed again are
unpacked into one unnamed temporary file, which is gone when the run ends, however it ends.
"""

from __future__ import annotations

import gzip
import tempfile
import zlib
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from redcell.errors import UnreadableSourceError
from redcell.population.belonging import NotRead, Owned, Shared, belonging, stranger, wanted
from redcell.population.ledger import Ledger, Refused
from redcell.population.lines import Lines
from redcell.population.ndjson import (
    MAX_LINE,
    Bounded,
    RefusedFileError,
    files_of,
    glance,
    numbered,
)
from redcell.population.source import no_patient
from redcell.sources.read import CHUNK, GZIP, MAX_RATIO

OPEN_FILES = 64
EVERY = 4096
"""Lines between two reports of progress."""
Progress = Callable[[int], None]


class Meter:
    """Says how far into a file the reading is, in bytes on the disk."""

    def __init__(self, raw: IO[bytes], progress: Progress) -> None:
        self._raw, self._progress, self._told = raw, progress, 0

    def tell(self) -> None:
        """Report the bytes since the last report."""
        here = self._raw.tell()
        self._progress(here - self._told)
        self._told = here


class Folder:
    """The lines of a source by patient."""

    def __init__(self, source: Path, ledger: Ledger, progress: Progress | None = None) -> None:
        """Read through the source once.

        Args:
            source: a folder, or one file; hidden files are passed over.
            ledger: where lines that cannot be used are counted.
            progress: called with the number of bytes read since it was last called.

        Raises:
            UnreadableSourceError: there is no such folder, or no Patient in it.
        """
        self.ledger = ledger
        self._progress = progress or (lambda _: None)
        self._files = files_of(source)
        root = source if source.is_dir() else source.parent
        self._names = [str(path.relative_to(root)) for path in self._files]
        self._spool: IO[bytes] = tempfile.TemporaryFile(prefix="redcell-")  # noqa: SIM115
        self._open: OrderedDict[int, IO[bytes]] = OrderedDict()
        self._spooled: set[int] = set()
        self._file, self._number, self._length = array("I"), array("I"), array("I")
        self._offset, self._owner = array("Q"), array("Q")
        self._owners: dict[str, int] = {}
        self._patients: set[int] = set()
        self._shared: dict[str, list[int]] = {}
        for file, path in enumerate(self._files):
            self._scan(file, path)
        self._refuse_strangers()
        if not self._patients:
            self.__exit__()
            raise UnreadableSourceError(no_patient(source))

    def __len__(self) -> int:
        """How many patients there are."""
        return len(self._patients)

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()
        while self._open:
            self._open.popitem()[1].close()

    def patients(self) -> Iterator[Lines]:
        """Each patient's lines, patients in the order in which the source first names them."""
        names = list(self._owners)
        owned = (i for i in range(len(self._owner)) if self._owner[i] != NOBODY)
        order = sorted(owned, key=self._owner.__getitem__)
        for owner, group in groupby(order, key=self._owner.__getitem__):
            yield self._of(names[owner], list(group))

    # -- the first pass ------------------------------------------------------------------------

    def _scan(self, file: int, path: Path) -> None:
        """Note every line of one file; what is wrong with the file as a whole is refused."""
        name = self._names[file]
        try:
            with path.open("rb") as raw:
                packed = raw.read(len(GZIP)) == GZIP
                raw.seek(0)
                meter = Meter(raw, self._progress)
                if packed:
                    self._spooled.add(file)
                    most = max(CHUNK, path.stat().st_size * MAX_RATIO)
                    with gzip.GzipFile(fileobj=raw) as stream:
                        glance(stream)
                        self._scan_lines(file, Bounded(stream, most), meter)
                else:
                    glance(raw)
                    self._scan_lines(file, raw, meter)
                meter.tell()
        except RefusedFileError as error:
            self._refuse_file(name, *error.args)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            text = f"not a whole gzip file ({error}); what came before was used."
            self._refuse_file(name, "file-not-whole", text)
        except OSError as error:
            self._refuse_file(name, "file-not-readable", f"{error.strerror or error}.")

    def _scan_lines(self, file: int, stream: Any, meter: Meter) -> None:
        for number, offset, line in numbered(stream):
            if number % EVERY == 0:
                meter.tell()
            if line is None:
                text = f"the line is longer than {MAX_LINE >> 20} MiB; it was not used."
                place = f"{self._names[file]}:{number}"
                self.ledger.refuse(Refused("not-readable", place, text))
            elif not line.isspace():
                self._note(file, number, offset, line)

    def _note(self, file: int, number: int, offset: int, line: bytes) -> None:
        """Note one line under its patient, or refuse it."""
        found = belonging(line, f"{self._names[file]}:{number}", first=number == 1)
        match found:
            case Refused():
                self.ledger.refuse(found)
                return
            case NotRead():
                self.ledger.tally.not_read[found.kind] += 1
                return
            case Shared():
                self._shared.setdefault(found.name, []).append(len(self._owner))
                owner = NOBODY
            case Owned():
                owner = self._owners.setdefault(found.owner, len(self._owners))
                if found.is_patient:
                    self._patients.add(owner)
        if file in self._spooled:
            offset = self._spool.tell()
            self._spool.write(line)
        self._file.append(file)
        self._number.append(number)
        self._offset.append(offset)
        self._length.append(len(line))
        self._owner.append(owner)

    def _refuse_strangers(self) -> None:
        """Refuse the lines of subjects that have no Patient resource."""
        names = list(self._owners)
        for i, owner in enumerate(self._owner):
            if owner == NOBODY or owner in self._patients:
                continue
            self._owner[i] = NOBODY
            line = self._read(i) if self.ledger.keeps else b""
            self.ledger.refuse(stranger(names[owner], self._place(i), line))

    # -- reading again ---------------------------------------------------------------------------

    def _of(self, reference: str, own: list[int]) -> Lines:
        texts = {i: self._read(i) for i in own}
        for text in list(texts.values()) if self._shared else ():
            for i in self._referred(text):
                texts.setdefault(i, self._read(i))
        lines = [(self._place(i), texts[i]) for i in sorted(texts)]
        return Lines(reference.partition("/")[2], lines)

    def _referred(self, line: bytes) -> Iterator[int]:
        """The shared resources that a line refers to."""
        for name in wanted(line):
            yield from self._shared.get(name, ())

    def _read(self, i: int) -> bytes:
        file = self._file[i]
        handle = self._spool if file in self._spooled else self._handle(file)
        handle.seek(self._offset[i])
        return handle.read(self._length[i]).strip()

    def _handle(self, file: int) -> IO[bytes]:
        handle = self._open.pop(file, None) or self._files[file].open("rb")
        self._open[file] = handle
        if len(self._open) > OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        return handle

    # -- saying where ----------------------------------------------------------------------------

    def _place(self, i: int) -> str:
        return f"{self._names[self._file[i]]}:{self._number[i]}"

    def _refuse_file(self, name: str, reason: str, text: str) -> None:
        self.ledger.refuse(Refused(reason, name, text))


NOBODY = (1 << 64) - 1
