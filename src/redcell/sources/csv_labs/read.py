"""One patient's rows of one or more tables gathered into a record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from redcell.errors import SeveralPatientsError, UnreadableSourceError
from redcell.record.record import Record, SetAside, assemble
from redcell.sources.csv_labs.layout import maybe_person
from redcell.sources.csv_labs.people import patient_of
from redcell.sources.csv_labs.rows import RowReader
from redcell.sources.csv_labs.table import RefusedTableError, Row, Table, cell, open_table
from redcell.sources.fhir.reading import Reading
from redcell.sources.results import Sent, cross_check, read_sent
from redcell.sources.terms import Terms
from redcell.sources.written import clean_id, shown

LISTED = 8
MAX_STEM = 24
UNNAMED = "unknown"


def read_tables(files: Sequence[tuple[str, bytes]], terms: Terms, patient: str | None) -> Record:
    """One patient's record from tables of laboratory results.

    Args:
        files: the name and the bytes of each file.
        terms: the code tables.
        patient: the value of the patient column, when there are several; without such a column,
            the id to use.

    Raises:
        UnreadableSourceError: no result could be read, or the patient is not in the tables.
        SeveralPatientsError: the tables hold several patients and none was chosen.
    """
    reading = Reading(terms, says_place=True)
    tables = _tables(files, reading)
    wanted = _choose(tables, patient)
    if wanted is not None:
        tables = _named(tables, reading.aside)
    for table, stem in zip(tables, _stems(tables), strict=True):
        _OnesRows(reading, table, wanted, stem).read()
    cross_check(reading)
    if not reading.facts:
        raise UnreadableSourceError(_nothing(files, reading.aside))
    person = patient_of(tables, wanted, wanted or patient or UNNAMED, reading.aside)
    return assemble(person, reading.facts, reading.aside, (name for name, _ in files))


def _tables(files: Sequence[tuple[str, bytes]], reading: Reading) -> list[Table]:
    found: list[Table] = []
    for name, data in files:
        try:
            found.append(open_table(name, data, reading.terms, reading.aside))
        except RefusedTableError as error:
            reading.aside.append(SetAside("not-readable", name, f"{name}: {error}."))
    if not found:
        raise UnreadableSourceError(_nothing(files, reading.aside))
    return found


def _nothing(files: Sequence[tuple[str, bytes]], aside: Sequence[SetAside]) -> str:
    """No result at all: the first problem that a row or a file had, and how many there were."""
    place = files[0][0] if files else "The source"
    order = ("not-readable", "date-not-understood", "row-not-readable")
    told = sorted(aside, key=lambda a: order.index(a.code) if a.code in order else len(order))
    first = f" First of {len(told)} problems: {told[0].text}" if told else ""
    return f"{place}: no laboratory result was read.{first}"


def _stems(tables: Sequence[Table]) -> list[str]:
    """What references of one file begin with; nothing when there is only one file."""
    if len(tables) == 1:
        return [""]
    stems = [clean_id(str(PurePath(table.name).with_suffix("")))[-MAX_STEM:] for table in tables]
    unique = len(set(stems)) == len(stems)
    return [f"{stem}-" if unique else f"{n}-{stem}-" for n, stem in enumerate(stems, 1)]


# -- whose rows ----------------------------------------------------------------------------------


def _choose(tables: Sequence[Table], patient: str | None) -> str | None:
    """The patient whose rows count; `None` when no table says whose they are."""
    found: dict[str, None] = {}
    for table in tables:
        if "patient" not in table.layout.roles:
            refuse_hidden_people(table)
            continue
        for row in table.rows:
            said = cell(row, table, "patient")
            if said:
                found.setdefault(said)
    if not found:
        _refuse_several_files(tables, patient)
    listed = ", ".join(list(found)[:LISTED])
    if patient is not None and found:
        if patient not in found:
            raise UnreadableSourceError(f"No patient {patient!r} in the source; it holds: {listed}")
        return patient
    if len(found) > 1:
        more = ", ..." if len(found) > LISTED else ""
        raise SeveralPatientsError(
            f"The source holds {len(found)} patients ({listed}{more}). "
            "Choose one with --patient ID."
        )
    return next(iter(found), None)


def _named(tables: Sequence[Table], aside: list[SetAside]) -> list[Table]:
    """The tables that say whose rows they are, when one of them does."""
    for table in tables:
        if "patient" not in table.layout.roles:
            text = f"{table.name}: no column says whose rows these are; the file was not used."
            aside.append(SetAside("foreign-patient-ignored", table.name, text))
    return [table for table in tables if "patient" in table.layout.roles]


def _refuse_several_files(tables: Sequence[Table], patient: str | None) -> None:
    if len(tables) > 1 and patient is None:
        raise SeveralPatientsError(
            f"{len(tables)} tables and no column says whose rows they are: they may be of "
            "different people. Add a column patient_id, or say with --patient ID that all are of "
            "one person."
        )


def refuse_hidden_people(table: Table) -> None:
    """Stop when an unknown column repeats several values and may say whose results they are."""
    taken = {*table.layout.roles.values(), *(c.position for c in table.layout.columns)}
    for position, header in enumerate(table.header):
        if position in taken or not maybe_person(header):
            continue
        values = [row.cells[position] for row in table.rows if position < len(row.cells)]
        if 1 < len(set(values)) < len(values):
            raise UnreadableSourceError(
                f"{table.name}: the column {shown(header)} has {len(set(values))} values and may "
                "name patients. Name it patient_id if it does; take it out if it does not."
            )


class _OnesRows(RowReader):
    """Reads one patient's rows of one table."""

    def __init__(self, reading: Reading, table: Table, wanted: str | None, stem: str) -> None:
        super().__init__(reading, table, stem)
        self.wanted = wanted

    def belongs(self, row: Row) -> bool:
        """Is it the patient's?"""
        if "patient" not in self.table.layout.roles:
            return True
        said = cell(row, self.table, "patient")
        if not said:
            self.refuse(row, "foreign-patient-ignored", "it names no patient")
        elif said != self.wanted:
            self.counted["foreign"] += 1
        return said == self.wanted

    def take(self, row: Row, sent: Sent) -> None:
        """Read a result as a FHIR Observation would be."""
        del row
        read_sent(self.reading, sent)
