"""The persons of an OMOP CDM as lines of FHIR, person by person, in the place of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from redcell.errors import UnreadableSourceError
from redcell.knowledge.load import Knowledge
from redcell.population.reading.ledger import Ledger, Refused, rejects
from redcell.population.reading.lines import Lines
from redcell.record.record import SetAside
from redcell.sources.omop.tables import Row
from redcell.sources.omop.translate import Omop
from redcell.sources.terms import terms


class OmopFolder:
    """The lines of a CDM by person. DuckDB sorts the tables, within the memory that it may use."""

    def __init__(
        self, source: Path, ledger: Ledger, knowledge: Knowledge, *, memory: int, threads: int = 1
    ) -> None:
        """Open the tables and look up their concepts.

        Args:
            source: a folder of CSV or Parquet files, or a DuckDB database.
            ledger: where rows that cannot be used are counted.
            knowledge: the knowledge base.
            memory: bytes that DuckDB may use.
            threads: of DuckDB.

        Raises:
            RedcellError: the extra `omop` is missing.
            UnreadableSourceError: there is no person in it.
        """
        self.ledger = ledger
        limit = f"{memory >> 20}MiB"
        self._tables = Omop(source, terms(knowledge), self._refuse, memory=limit, threads=threads)
        self._people = len(self._tables)
        if not self._people:
            self._tables.__exit__()
            raise UnreadableSourceError(f"{source}: PERSON has no rows.")

    def __len__(self) -> int:
        """How many rows PERSON has."""
        return self._people

    def __enter__(self) -> OmopFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self._tables.__exit__()

    def patients(self, only: str | None = None) -> Iterator[Lines]:
        """Each person's resources, in the order of the ids as text.

        Args:
            only: the one person that is wanted.
        """
        for person in self._tables.persons(only):
            yield Lines(person.id, person.resources)
        self.ledger.tally.not_read.update(self._tables.not_read)
        if self._tables.clock.used:
            self.ledger.tally.noted["naive-time-assumed-utc"] += 1

    def _refuse(self, aside: SetAside, row: Row) -> None:
        if not rejects(aside):
            self.ledger.tally.noted[aside.code] += 1
            return
        line = msgspec.json.encode(row) if self.ledger.keeps else b""
        self.ledger.refuse(Refused(aside.code, aside.place, aside.text, line))
