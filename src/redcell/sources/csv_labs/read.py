"""One patient's rows of one or more tables gathered into a record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from msgspec import Struct

from redcell.errors import SeveralPatientsError, UnreadableSourceError
from redcell.record.record import Record, SetAside, assemble
from redcell.sources.csv_labs.cells import (
    BadCellError,
    DayOrder,
    Marks,
    day_order,
    iso_time,
    missing,
    status_of,
)
from redcell.sources.csv_labs.layout import maybe_person
from redcell.sources.csv_labs.people import patient_of
from redcell.sources.csv_labs.table import RefusedTableError, Row, Table, cell, open_table
from redcell.sources.fhir.reading import Located, Reading
from redcell.sources.fhir.resources import Observation
from redcell.sources.results import Sent, cross_check, named_analyte, read_sent
from redcell.sources.terms import Terms
from redcell.sources.written import MAX_ID, Number, clean_id, limits, shown

LISTED = 8
MAX_REPORTED = 1000
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
        _TableReader(reading, table, wanted, stem).read()
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
            _refuse_hidden_people(table)
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


def _refuse_hidden_people(table: Table) -> None:
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


# -- one table -----------------------------------------------------------------------------------


class _Value(Struct, frozen=True):
    """One value of a row before it is read: which analyte, which cell, which unit."""

    slug: str
    text: str
    unit: str
    tail: str = ""


class _TableReader:
    """Reads one patient's rows of one table."""

    def __init__(self, reading: Reading, table: Table, wanted: str | None, stem: str) -> None:
        self.reading = reading
        self.table = table
        self.wanted = wanted
        self.stem = stem
        self.order: DayOrder = day_order(cell(row, table, "date") for row in table.rows)
        self.marks = Marks(table.delimiter, self._value_cells())
        self.status_used = any(cell(row, table, "status") for row in table.rows)
        self.counted: Counter[str] = Counter()
        self.unmapped: Counter[tuple[str, str]] = Counter()

    def _value_cells(self) -> Iterable[str]:
        layout = self.table.layout
        positions = (
            [layout.roles["value"]] if not layout.wide else [c.position for c in layout.columns]
        )
        for row in self.table.rows:
            yield from (row.cells[p] for p in positions if p < len(row.cells))

    def read(self) -> None:
        """Read every row of the patient; the counts of what was passed over come last."""
        before = len(self.reading.aside)
        for row in self.table.rows:
            if self._belongs(row):
                self._row(row)
        self._shorten(before)
        self._summary()

    def _belongs(self, row: Row) -> bool:
        if "patient" not in self.table.layout.roles:
            return True
        said = cell(row, self.table, "patient")
        if not said:
            self._refuse(row, "foreign-patient-ignored", "it names no patient")
        elif said != self.wanted:
            self.counted["foreign"] += 1
        return said == self.wanted

    def _row(self, row: Row) -> None:
        header = self.table.header
        if any(text.strip() for text in (*row.cells[len(header) :], *header[len(row.cells) :])):
            why = f"it has {len(row.cells)} cells; expected {len(header)}"
            self._refuse(row, "row-not-readable", why)
            return
        if any("\x00" in text for text in row.cells):
            self._refuse(row, "row-not-readable", "it holds a NUL character")
            return
        values = self._values(row)
        if not values:
            return
        try:
            time, naive = iso_time(
                cell(row, self.table, "date"), self.order, cell(row, self.table, "clock")
            )
        except BadCellError as error:
            self._refuse(row, "date-not-understood", str(error))
            return
        self.counted["naive"] += naive
        status = self._status(row)
        if status is not None:
            for value in values:
                self._value(row, value, time, status)

    def _values(self, row: Row) -> list[_Value]:
        if not self.table.layout.wide:
            return self._long(row)
        found = []
        for column in self.table.layout.columns:
            text = row.cells[column.position].strip() if column.position < len(row.cells) else ""
            if not missing(text):
                found.append(_Value(column.slug, text, column.unit, f"-{column.slug}"))
        return found

    def _long(self, row: Row) -> list[_Value]:
        text = cell(row, self.table, "value")
        name, code = cell(row, self.table, "analyte"), cell(row, self.table, "loinc")
        if missing(text):
            self.counted["empty"] += 1
            return []
        unit = cell(row, self.table, "unit")
        slug = self._analyte(row, name, code, unit)
        if slug is None:
            self.unmapped[(name[:MAX_ID], code[:MAX_ID])] += 1
            return []
        return [_Value(slug, text, unit)]

    def _analyte(self, row: Row, name: str, code: str, unit: str) -> str | None:
        terms = self.reading.terms
        if not missing(code):
            return terms.loinc.get(code)
        if name in terms.loinc:
            return terms.loinc[name]
        specimen = f"{cell(row, self.table, 'specimen')} {cell(row, self.table, 'category')}"
        short = cell(row, self.table, "short")
        found = named_analyte(terms, name, unit, specimen)
        return found or named_analyte(terms, short, unit, specimen)

    def _status(self, row: Row) -> str | None:
        """The status in FHIR's words; `None` when the row does not count, which is said."""
        text = cell(row, self.table, "status")
        flag = cell(row, self.table, "flag")
        worded = status_of(flag) if len(flag) > 1 else None
        found = status_of(text) if self.status_used else worded or "final"
        if found is None:
            self._refuse(row, "status-not-understood", f"status {shown(text)} is none that counts")
        elif found == "entered-in-error":
            self._refuse(row, "entered-in-error-ignored", "this result was entered in error")
        elif found == "pending":
            self._refuse(row, "result-pending", "the result is pending")
        return found if found in ("final", "preliminary", "corrected", "amended") else None

    def _value(self, row: Row, value: _Value, time: str, status: str) -> None:
        try:
            number, unit = self._number(value)
        except BadCellError as error:
            self._refuse(row, "value-not-understood", str(error))
            return
        low, high, written = self._limits(row, unit)
        sent = Sent(
            slug=value.slug,
            place=self._place(row),
            reference=f"Observation/{self._reference(row)}{value.tail}",
            time=time,
            status=status,
            number=number,
            unit=unit,
            text="" if number else value.text,
            low=low,
            high=high,
            range_text=written,
            note=cell(row, self.table, "comment"),
        )
        read_sent(self.reading, sent)

    def _number(self, value: _Value) -> tuple[Number | None, str]:
        """The number and its unit; the unit may stand in the cell of the value ("12.5 g/dL")."""
        found = self.marks.number(value.text)
        if found is not None or value.unit:
            return found, value.unit
        first, _, rest = value.text.partition(" ")
        if rest and self.reading.terms.unit_factor(value.slug, rest.strip()):
            return self.marks.number(first), rest.strip()
        return None, value.unit

    def _limits(self, row: Row, unit: str) -> tuple[float | None, float | None, str]:
        if self.table.layout.wide:
            return None, None, ""
        written = self.marks.plain(cell(row, self.table, "range"))
        if written:
            return *limits(written, unit), written
        low = _bound(self.marks, cell(row, self.table, "low"))
        high = _bound(self.marks, cell(row, self.table, "high"))
        if low is not None and high is not None and low > high:
            return None, None, ""
        said = [f"{bound:g}" for bound in (low, high) if bound is not None]
        return low, high, " to ".join(said)

    # -- reports -------------------------------------------------------------------------------

    def _place(self, row: Row) -> str:
        return f"{self.table.name}:{row.line}"

    def _reference(self, row: Row) -> str:
        return f"{self.stem}row-{row.line}"

    def _refuse(self, row: Row, code: str, why: str) -> None:
        reference = f"Observation/{self._reference(row)}"
        where = Located(self._place(row), reference, "", Observation(), b"")
        self.reading.set_aside(code, where, f"{why}. The row was set aside.")

    def _shorten(self, before: int) -> None:
        """Keep the first thousand problems of each kind, and count the others."""
        aside = self.reading.aside
        kinds: Counter[str] = Counter()
        kept: list[SetAside] = []
        for one in aside[before:]:
            kinds[one.code] += 1
            if kinds[one.code] <= MAX_REPORTED:
                kept.append(one)
        aside[before:] = kept
        for code, count in kinds.items():
            if count > MAX_REPORTED:
                text = f"{self.table.name}: {count - MAX_REPORTED} more of this kind."
                aside.append(SetAside(code, self.table.name, text))

    def _summary(self) -> None:
        name, aside = self.table.name, self.reading.aside
        for (test, code), count in sorted(self.unmapped.items()):
            said = shown(" ".join(x for x in (test, code) if x))
            text = f"{name}: {count} rows of {said} are no analyte that redcell knows; not used."
            aside.append(SetAside("unmapped-code", name, text))
        for code, key, text in (
            ("naive-time-assumed-utc", "naive", "times have no offset; read as UTC."),
            ("foreign-patient-ignored", "foreign", "rows belong to another patient; left out."),
            ("value-missing", "empty", "rows have no value; not used."),
        ):
            if self.counted[key]:
                aside.append(SetAside(code, name, f"{name}: {self.counted[key]} {text}"))


def _bound(marks: Marks, text: str) -> float | None:
    try:
        found = marks.number(text)
    except BadCellError:
        return None
    return found.value if found is not None and not found.comparator else None
