"""Only the hemoglobin of every patient: newest value, grade, slope; most lines are never decoded.

Lines are found by the bytes of a LOINC code. A line with a backslash is decoded whatever it holds,
since JSON may write any character as an escape; without one a text is spelled in one way. What is
found is read by the FHIR reader and judged by the same rules as everything else.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from redcell.errors import DeceasedPatientError, UnderageError, UnreadableSourceError
from redcell.findings.case import Case
from redcell.findings.surveillance import survey
from redcell.knowledge.load import Knowledge
from redcell.loop import refuse
from redcell.population.patient import record_of
from redcell.population.pool import Pool, pool, processes_for
from redcell.population.progress import Progress, silent
from redcell.population.reading.belonging import Owned, belonging
from redcell.population.reading.deletions import deletions_of
from redcell.population.reading.joined import refused_files
from redcell.population.reading.lines import Lines
from redcell.population.reading.ndjson import MAX_LINE, RefusedFileError
from redcell.population.reading.partition import index, partition
from redcell.population.reading.pieces import (
    Piece,
    Read,
    blocks_of,
    owner_at_a_glance,
    pieces_of,
    refused_file,
)
from redcell.population.reading.search import Search
from redcell.population.reading.source import no_patient, refuse_tables, size_of
from redcell.population.reading.spill import Spill
from redcell.quantity import half_up
from redcell.record.moment import Moment
from redcell.sources.fhir.kind import kind_of

if TYPE_CHECKING:
    import polars as pl

SHARE = 1 << 29
"""Bytes of the source for each partition: only a small part of them is kept."""
BEFORE = 3.0
"""Days added to what is looked back, for times in other zones and days without a time."""
EFFECTIVE = b'"effectiveDateTime":"'
PATIENT = b'"Patient"'
ESCAPE = b"\\"
CONTAINED = b'"contained"'
DAY = re.compile(rb"\d{4}-\d{2}-\d{2}")
DAY_LONG = 10
WORTH = 1 << 24
"""Bytes of a source for each process that is worth its start: looking through them is quick."""
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
        """The LOINC codes of hemoglobin."""
        return tuple(code.encode() for code in self.knowledge.analytes["hemoglobin"].loinc)

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
    doubtful, and leaves counts before a transfusion out of the slope. A file that cannot be used,
    or not to its end, is a warning.

    Args:
        source: a folder of FHIR NDJSON.
        at: nothing dated later is used.
        knowledge: the knowledge base, with the site's policy.
        workers: processes; by default one for each core.
        progress: what is told how far the run is.

    Raises:
        UnreadableSourceError: no patient was found in the source.
        RedcellError: the extra `frames` is missing, the disk is full, or a process was ended from
            outside.
    """
    from redcell.population.parquet import schema

    typed = schema()
    refuse_tables(source)
    processes = processes_for(workers, size_of(source), worth=WORTH)
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
    partitions = max(processes, -(-sum(p.size for p in pieces) // SHARE))
    with progress("Reading", sum(p.end - p.begin for p in pieces), "B") as tell:
        parts = [Part(piece, place, partitions) for piece in pieces]
        found: list[Read] = []
        for piece, read in zip(pieces, hands.answers(look, parts), strict=True):
            tell(piece.end - piece.begin)
            found.append(read)
    deletions = deletions_of(source)
    for refused in (*refused_files(pieces, found), *deletions.refused):
        warnings.warn(f"{refused.place}: {refused.text}", stacklevel=2)
    index(Path(place), deletions.names)
    yield from hands.answers(judge, [Part(None, place, n) for n in range(partitions)])


# -- looking -----------------------------------------------------------------------------------


def look(scan: Scan, part: Part) -> Read:
    """Find the lines of a piece that can matter and spill them by patient; tells their number."""
    piece = part.piece
    assert piece is not None  # noqa: S101  (parts of this kind have one)
    found = Read()
    with Spill(Path(part.folder), piece.number, part.number) as spill:
        try:
            for line in _lines(piece, scan):
                _keep(line, spill, found)
        except RefusedFileError as error:
            found.failed = refused_file(piece, error)
    return found


def _lines(piece: Piece, scan: Scan) -> Iterator[bytes]:
    """The lines of a piece that can matter, by their bytes."""
    codes, signs, since = Search(*scan.codes, together=True), Search(PATIENT, ESCAPE), scan.since
    for block in blocks_of(piece):
        for line in dict.fromkeys((*codes.lines(block), *signs.lines(block))):
            if len(line) < MAX_LINE and not _is_old(line, since):
                yield line


def _keep(line: bytes, spill: Spill, found: Read) -> None:
    owner, is_patient = _owner(line)
    if not owner:
        return
    found.lines += 1
    spill.keep(found.lines, owner, line.strip(), is_patient=is_patient)


def _is_old(line: bytes, since: bytes) -> bool:
    """Is it a result of a day that cannot matter? Never of a line that must be decoded."""
    at = line.find(EFFECTIVE)
    if at < 0 or ESCAPE in line or line.count(EFFECTIVE) != 1 or CONTAINED in line:
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
