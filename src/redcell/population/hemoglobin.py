"""Only the hemoglobin of every patient: newest value, grade, slope; most lines are never decoded.

Lines are found by the bytes of a LOINC code. A line with a backslash is decoded whatever it holds,
since JSON may write any character as an escape; without one a text is spelled in one way. What is
found is read by the FHIR reader and judged by the same rules as everything else.
"""

from __future__ import annotations

import gzip
import re
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from itertools import accumulate, chain
from pathlib import Path
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from redcell.errors import DeceasedPatientError, UnderageError, UnreadableSourceError
from redcell.findings.case import Case
from redcell.findings.surveillance import survey
from redcell.knowledge.load import Knowledge
from redcell.loop import refuse
from redcell.population.belonging import Owned, belonging
from redcell.population.lines import Lines
from redcell.population.ndjson import RefusedFileError
from redcell.population.partition import index_shared, partition
from redcell.population.patient import record_of
from redcell.population.pieces import Piece, owner_at_a_glance, pieces_of
from redcell.population.pool import Pool, cores, pool
from redcell.population.progress import Progress, silent
from redcell.population.source import no_patient, refuse_tables, size_of
from redcell.population.spill import Spill
from redcell.quantity import half_up
from redcell.record.moment import Moment
from redcell.sources.fhir.read import kind_of
from redcell.sources.read import CHUNK, MAX_RATIO

if TYPE_CHECKING:
    import polars as pl

BLOCK = 1 << 22
SHARE = 1 << 29
"""Bytes of the source for each partition: only a small part of them is kept."""
BEFORE = 3.0
"""Days added to what is looked back, for times in other zones and days without a time."""
EFFECTIVE = b'"effectiveDateTime":"'
PATIENT = b'"Patient"'
ESCAPE = b"\\"
DAY = re.compile(rb"\d{4}-\d{2}-\d{2}")
DAY_LONG = 10
SMALL = 1 << 24
Row = tuple[str, float | None, object, int | None, float | None]


class Scan(Struct, frozen=True):
    """What is looked for, the same in every process."""

    at: Moment
    knowledge: Knowledge

    def make(self) -> Scan:
        """Itself: it is ready as it is."""
        return self

    @property
    def codes(self) -> tuple[bytes, ...]:
        """The LOINC codes of hemoglobin as JSON writes them."""
        return tuple(f'"{code}"'.encode() for code in self.knowledge.analytes["hemoglobin"].loinc)

    @property
    def since(self) -> bytes:
        """The first day whose counts can matter: usable ones, and those of their slope."""
        days = self.knowledge.value("freshness.hemoglobin_usable")
        days += self.knowledge.value("anemia.trend_days") + BEFORE
        return (self.at.day - timedelta(days=days)).isoformat().encode()


class Part(Struct, frozen=True):
    """One piece to look through, or one partition to judge."""

    piece: Piece | None
    folder: str
    number: int
    """How many partitions there are, or which one this is."""


def hemoglobin(
    source: Path,
    at: Moment,
    knowledge: Knowledge,
    *,
    workers: int | None = None,
    progress: Progress = silent,
) -> pl.DataFrame:
    """The newest hemoglobin, its grade and its slope of every patient of a FHIR NDJSON folder.

    One row per patient: `patient_id`, `hemoglobin_g_dl`, `hemoglobin_time`, `ctcae_grade`,
    `trend_g_dl_per_week`. Value and time are those of the whole cohort. Grade and slope are those
    of the counts alone: the cohort gives none while other counts of the same sample make a value
    doubtful, and leaves counts before a transfusion out of the slope.

    Args:
        source: a folder of FHIR NDJSON.
        at: nothing dated later is used.
        knowledge: the knowledge base, with the site's policy.
        workers: processes; by default one for each core.
        progress: what is told how far the run is.

    Raises:
        UnreadableSourceError: no patient was found in the source.
        RedcellError: the extra `frames` is missing, or a process was ended from outside.
    """
    from redcell.population.parquet import schema

    typed = schema()
    refuse_tables(source)
    processes = workers or max(1, min(cores(), size_of(source) // SMALL))
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="redcell-") as place,
        pool(Scan(at, knowledge), processes) as hands,
    ):
        for found in _judged(source, place, hands, processes, progress):
            rows += found
    if not rows:
        raise UnreadableSourceError(no_patient(source))
    import polars

    return polars.DataFrame(
        sorted(rows, key=lambda row: row[0]),
        schema={name: typed[name] for name in COLUMNS},
        orient="row",
    )


COLUMNS = (
    "patient_id",
    "hemoglobin_g_dl",
    "hemoglobin_time",
    "ctcae_grade",
    "trend_g_dl_per_week",
)


def _judged(
    source: Path, place: str, hands: Pool, processes: int, progress: Progress
) -> Iterator[list[Row]]:
    pieces = pieces_of(source)
    partitions = max(processes, -(-sum(p.end - p.begin for p in pieces) // SHARE))
    with progress("Reading", sum(p.end - p.begin for p in pieces), "B") as tell:
        parts = [Part(piece, place, partitions) for piece in pieces]
        for piece, _ in zip(pieces, hands.answers(look, parts), strict=True):
            tell(piece.end - piece.begin)
    index_shared(Path(place))
    yield from hands.answers(judge, [Part(None, place, n) for n in range(partitions)])


# -- looking -----------------------------------------------------------------------------------


def look(scan: Scan, part: Part) -> int:
    """Find the lines of a piece that can matter and spill them by patient; gives their number."""
    piece = part.piece
    assert piece is not None  # noqa: S101  (parts of this kind have one)
    spill = Spill(Path(part.folder), piece.number, part.number)
    codes, since = scan.codes, scan.since
    kept = 0
    for block in _blocks(piece):
        for line in _lines_with(block, codes):
            if _is_old(line, since):
                continue
            owner, is_patient = _owner(line)
            if owner:
                kept += 1
                spill.own(kept, owner, line.strip(), is_patient=is_patient)
    spill.close()
    return kept


def _blocks(piece: Piece) -> Iterator[bytes]:
    """The bytes of a piece in blocks of whole lines."""
    if piece.packed:
        most = max(CHUNK, (piece.end - piece.begin) * MAX_RATIO)
        with gzip.open(piece.file, "rb") as packed:
            while most > 0 and (block := packed.read(BLOCK)):
                most -= len(block)
                yield block if block.endswith(b"\n") else block + packed.readline()
        return
    with Path(piece.file).open("rb", buffering=0) as file:
        here = piece.begin
        if here:  # a line that began before belongs to the piece before
            here = _line_end(file, here - 1)
        while here < piece.end:
            file.seek(here)
            block = file.read(min(BLOCK, piece.end - here)) or b""
            end = block.rfind(b"\n") + 1
            if here + len(block) >= piece.end or not end:
                file.seek(here)
                end = _line_end(file, here + max(0, len(block) - 1)) - here
                file.seek(here)
                block = file.read(end) or b""
            if not block:
                return
            here += end
            yield block[:end]


def _line_end(file: IO[bytes], at: int) -> int:
    """Where the line ends that this byte is in."""
    file.seek(at)
    while chunk := file.read(1 << 16):
        found = chunk.find(b"\n")
        if found >= 0:
            return at + found + 1
        at += len(chunk)
    return at


def _lines_with(block: bytes, codes: tuple[bytes, ...]) -> Iterator[bytes]:
    """The lines that hold a code, an escape or the name of the type Patient, each once."""
    found: dict[int, int] = {}
    for at in chain(_codes_in(block, codes), _each(block, PATIENT), _each(block, ESCAPE)):
        begin = block.rfind(b"\n", 0, at) + 1
        if begin not in found:
            end = block.find(b"\n", at)
            found[begin] = len(block) if end < 0 else end
    for begin in sorted(found):
        yield block[begin : found[begin]]


SYSTEM = b'//loinc.org"'
COMPACT = b'//loinc.org","code":'


def _codes_in(block: bytes, codes: tuple[bytes, ...]) -> Iterator[int]:
    """Where a code stands. One pass where each code follows its system, as most writers do."""
    parts = block.split(COMPACT)
    if len(parts) - 1 != block.count(SYSTEM):
        for code in codes:
            yield from _each(block, code)
        return
    hits = [i for i, part in enumerate(parts) if part.startswith(codes)]
    ends = list(accumulate(map(len, parts))) if hits else []
    for i in hits:
        if i:
            yield ends[i - 1] + i * len(COMPACT)


def _each(block: bytes, text: bytes) -> Iterator[int]:
    """Where a text stands, once for each line that holds it."""
    at = block.find(text)
    while at >= 0:
        yield at
        end = block.find(b"\n", at)
        at = block.find(text, end) if end >= 0 else -1


def _is_old(line: bytes, since: bytes) -> bool:
    """Is it a result of a day that cannot matter? Never of a line that must be decoded."""
    at = line.find(EFFECTIVE)
    if at < 0 or ESCAPE in line or line.count(EFFECTIVE) != 1:
        return False
    day = line[at + len(EFFECTIVE) :][:DAY_LONG]
    return DAY.fullmatch(day) is not None and day < since


def _owner(line: bytes) -> tuple[str, bool]:
    """Whose a line is, if it is an Observation or a Patient; empty for every other."""
    owner = owner_at_a_glance(line)
    if owner is not None:
        return owner, False
    try:
        found = belonging(line, "", first=False)
        if isinstance(found, Owned) and kind_of(line) in ("Observation", "Patient"):
            return found.owner, found.is_patient
    except RefusedFileError:
        pass
    return "", False


# -- judging -----------------------------------------------------------------------------------


def judge(scan: Scan, part: Part) -> list[Row]:
    """The row of each patient of a partition."""
    found = partition(Path(part.folder), part.number, None, keeps=False)
    return [row for lines in found.patients if (row := _row(lines, scan)) is not None]


def _row(lines: Lines, scan: Scan) -> Row | None:
    try:
        record = record_of(lines, scan.knowledge, [])
        refuse(record, scan.at)
    except (UnreadableSourceError, DeceasedPatientError, UnderageError):
        return None
    case = Case(record, scan.at, scan.knowledge)
    counts = survey(case)
    newest, slope = case.hemoglobin, counts.trend.value
    return (
        record.patient.id,
        None if newest is None else half_up(newest.value, 2),
        None if newest is None else newest.time.time,
        counts.grade.value,
        None if slope is None else slope.g_dl_per_week,
    )
