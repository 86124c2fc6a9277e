"""What the rows of a table say: results with their analyte, value, unit, time and status."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from redcell.record.record import SetAside
from redcell.sources.csv_labs.cells import (
    BadCellError,
    DayOrder,
    Marks,
    day_order,
    iso_time,
    missing,
    status_of,
)
from redcell.sources.csv_labs.table import Row, Table, cell
from redcell.sources.fhir.reading import Located, Reading
from redcell.sources.fhir.resources import Observation
from redcell.sources.results import Sent, named_analyte
from redcell.sources.written import MAX_ID, Number, limits, shown

MAX_REPORTED = 1000


class _Value(Struct, frozen=True):
    """One value of a row before it is read: which analyte, which cell, which unit."""

    slug: str
    text: str
    unit: str
    tail: str = ""


class RowReader(ABC):
    """Reads the rows of one table; what a row says is handed to `take`."""

    def __init__(self, reading: Reading, table: Table, stem: str = "") -> None:
        """Prepare to read.

        Args:
            reading: collects what is set aside.
            table: the file.
            stem: what references begin with.
        """
        self.reading = reading
        self.table = table
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

    @abstractmethod
    def take(self, row: Row, sent: Sent) -> None:
        """Do something with a result."""

    @abstractmethod
    def belongs(self, row: Row) -> bool:
        """Is the row to be read?"""

    def withdrawn(self, row: Row, status: str) -> bool:
        """Is a row read that takes a result back? If not, it is only named."""
        del row, status
        return False

    def placed(self, time: str) -> str:
        """A time that was written without an offset, with the one that is assumed."""
        return time

    def read(self) -> None:
        """Read the rows; the counts of what was passed over come last."""
        before = len(self.reading.aside)
        for row in self.table.rows:
            if self.belongs(row):
                self._row(row)
        self._shorten(before)
        self._summary()

    def _row(self, row: Row) -> None:
        header = self.table.header
        if any(text.strip() for text in (*row.cells[len(header) :], *header[len(row.cells) :])):
            why = f"it has {len(row.cells)} cells; expected {len(header)}"
            self.refuse(row, "row-not-readable", why)
            return
        if any("\x00" in text for text in row.cells):
            self.refuse(row, "row-not-readable", "it holds a NUL character")
            return
        values = self._values(row)
        if not values:
            return
        try:
            time, naive = iso_time(
                cell(row, self.table, "date"), self.order, cell(row, self.table, "clock")
            )
        except BadCellError as error:
            self.refuse(row, "date-not-understood", str(error))
            return
        self.counted["naive"] += naive
        status = self._status(row)
        if status is not None:
            for value in values:
                self._value(row, value, self.placed(time) if naive else time, status)

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
        if missing(text) and not self.withdrawn(row, self.status(row) or ""):
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

    def status(self, row: Row) -> str | None:
        """The status in FHIR's words, or `pending`; `None` when it is not understood."""
        flag = cell(row, self.table, "flag")
        worded = status_of(flag) if len(flag) > 1 else None
        return status_of(cell(row, self.table, "status")) if self.status_used else worded or "final"

    def _status(self, row: Row) -> str | None:
        """The status of a row that counts; `None` when it does not, which is said."""
        found = self.status(row)
        if found is not None and self.withdrawn(row, found):
            return found
        if found is None:
            text = cell(row, self.table, "status")
            self.refuse(row, "status-not-understood", f"status {shown(text)} is none that counts")
        elif found == "entered-in-error":
            self.refuse(row, "entered-in-error-ignored", "this result was entered in error")
        elif found == "pending":
            self.refuse(row, "result-pending", "the result is pending")
        return found if found in ("final", "preliminary", "corrected", "amended") else None

    def _value(self, row: Row, value: _Value, time: str, status: str) -> None:
        try:
            number, unit = self._number(value)
        except BadCellError as error:
            self.refuse(row, "value-not-understood", str(error))
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
        self.take(row, sent)

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

    def refuse(self, row: Row, code: str, why: str) -> None:
        """Set a row aside."""
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
