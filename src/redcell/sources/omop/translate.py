"""The persons of an OMOP CDM, one after another, each as FHIR R4 resources with their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, tzinfo
from itertools import groupby
from pathlib import Path

import msgspec
from msgspec import Struct

from redcell.record.record import SetAside
from redcell.sources.as_fhir import Json, meta
from redcell.sources.fhir.reading import name_of
from redcell.sources.omop.columns import EVENTS
from redcell.sources.omop.concepts import Concepts
from redcell.sources.omop.people import condition, patient, refusal, visit
from redcell.sources.omop.results import UnusedRowError, result
from redcell.sources.omop.tables import MEMORY, Cdm, Row
from redcell.sources.omop.times import Clock
from redcell.sources.omop.treatment import device, drug, procedure
from redcell.sources.terms import Terms
from redcell.sources.written import shown

FORM = "omop"
Refuse = Callable[[SetAside, Row], None]
Translate = Callable[[Row, Concepts, Clock, Json], Json | None]

TRANSLATE: dict[str, Translate] = {
    "visit_occurrence": visit,
    "condition_occurrence": condition,
    "drug_exposure": drug,
    "procedure_occurrence": procedure,
    "device_exposure": device,
    "measurement": lambda row, *more: result(row, "measurement", *more),
    "observation": lambda row, *more: result(row, "observation", *more),
}


class OmopPerson(Struct):
    """One person's rows as FHIR resources, each with the table and row that it comes from."""

    id: str
    resources: list[tuple[str, bytes]]


class Omop:
    """The persons of a source, read once through."""

    def __init__(
        self,
        source: Path,
        known: Terms,
        refuse: Refuse,
        *,
        memory: str = MEMORY,
        threads: int = 1,
        zone: tzinfo = UTC,
    ) -> None:
        """Open the tables and look up their concepts.

        Args:
            source: a folder of CSV or Parquet files, or a DuckDB database.
            known: the code tables.
            refuse: told of each row that is not used, and why.
            memory: how much DuckDB may use.
            threads: of DuckDB.
            zone: of the times, which the CDM keeps without one.

        Raises:
            RedcellError: the extra `omop` is missing.
            UnreadableSourceError: there is no PERSON table.
        """
        self._refuse = refuse
        self._cdm = Cdm(source, memory=memory, threads=threads)
        try:
            self._concepts = Concepts(known, self._cdm)
        except BaseException:
            self._cdm.close()
            raise
        self.clock = Clock(zone)
        self.not_read: dict[str, int] = {}
        """Rows of tables that are no evidence, such as visits, by table."""
        self._meta = meta(FORM)
        self._encode = msgspec.json.Encoder(decimal_format="number").encode

    def __enter__(self) -> Omop:
        return self

    def __exit__(self, *_: object) -> None:
        self._cdm.close()

    def __len__(self) -> int:
        """How many rows PERSON has."""
        return self._cdm.count("person")

    def ids(self) -> list[str]:
        """The ids of all persons, in order."""
        found = self._cdm.select("SELECT DISTINCT person_id FROM person_rows ORDER BY 1")
        return [str(row[0]) for row in found if row[0]]

    def persons(self, only: str | None = None) -> Iterator[OmopPerson]:
        """Each person with all rows, in the order of the ids as text.

        Args:
            only: the one person that is wanted.
        """
        streams = {table: _Stream(self._cdm.rows(table, only)) for table in EVENTS}
        for id_, rows in groupby(self._cdm.rows("person", only), lambda row: row.get("person_id")):
            place = f"PERSON {id_}"
            first, *more = rows
            for extra in more:
                text = f"{place}: the person is given twice; the first row was used."
                self._refuse(SetAside("conflicting-records", place, text), extra)
            if not id_ or name_of("Patient", id_, "", "") != f"Patient/{id_}":
                text = f"{place}: person_id is missing, or no id (A-Z a-z 0-9 - . and at most 64)."
                self._refuse(SetAside("patient-id-not-valid", place, text), first)
                continue
            own = {table: self._of(id_, table, stream) for table, stream in streams.items()}
            yield self._person(id_, first, own)
        for table, stream in streams.items():
            self._of("", table, stream, rest=True)
        self._refuse_damage()

    def _of(self, id_: str, table: str, stream: _Stream, *, rest: bool = False) -> list[Row]:
        """The rows of a person; those of nobody on the way there are refused."""
        for row in stream.before(None if rest else id_):
            place = _place(table, row)
            if not row.get("person_id"):
                aside = SetAside("no-patient-named", place, f"{place}: it names no person.")
            else:
                text = f"{place}: person {row['person_id']} is not in PERSON; the row was left out."
                aside = SetAside("patient-not-in-source", place, text)
            self._refuse(aside, row)
        return list(stream.of(id_)) if not rest else []

    def _refuse_damage(self) -> None:
        for one in dict.fromkeys(self._cdm.damage):
            text = f"{one.place}: {one.text}"
            self._refuse(SetAside("not-readable", one.place, text), {"line": one.line})

    def _person(self, id_: str, row: Row, own: dict[str, list[Row]]) -> OmopPerson:
        head = patient(row, own.pop("death"), self._concepts, self.clock, self._meta)
        found = [(f"PERSON {id_}", self._encode(head))]
        for table, rows in own.items():
            for one in rows:
                place = _place(table, one)
                for made in self._translated(table, place, one):
                    found.append((place, self._encode(made)))
        return OmopPerson(id_, found)

    def _translated(self, table: str, place: str, row: Row) -> Iterator[Json]:
        try:
            made = TRANSLATE[table](row, self._concepts, self.clock, self._meta)
        except UnusedRowError as error:
            code, why = error.args
            self._refuse(SetAside(code, place, f"{place}: {why}; it was not used."), row)
            return
        if made is None:
            self.not_read[table.upper()] = self.not_read.get(table.upper(), 0) + 1
            return
        yield made
        denied = refusal(made) if table in ("observation", "condition_occurrence") else None
        if denied is not None:
            yield denied


class _Stream:
    """Rows in the order of the person, taken person by person."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def _take(self) -> Row:
        row = self._next
        assert row is not None  # noqa: S101  (the callers looked)
        self._next = next(self._rows, None)
        return row

    def before(self, id_: str | None) -> Iterator[Row]:
        """The rows of persons that come before this one; all that are left without one."""
        while self._next is not None and (id_ is None or self._next.get("person_id", "") < id_):
            yield self._take()

    def of(self, id_: str) -> Iterator[Row]:
        """The rows of this person."""
        while self._next is not None and self._next.get("person_id", "") == id_:
            yield self._take()


def _place(table: str, row: Row) -> str:
    """The table and the number of the row."""
    key = next((cell for name, cell in row.items() if name in KEYS), "")
    return f"{table.upper()} {key if key.isalnum() else shown(key)}"


KEYS = frozenset(
    ("visit_occurrence_id", "condition_occurrence_id", "drug_exposure_id",
     "procedure_occurrence_id", "device_exposure_id", "measurement_id", "observation_id")
)  # fmt: skip
