"""The people whom a site's numbers are learned from, each at the newest moment that can be used."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from heapq import nsmallest
from pathlib import Path

from msgspec import Struct, field

from redcell.errors import DeceasedPatientError, UnderageError
from redcell.erythropoiesis.history import History
from redcell.forecasting.history import see, usable_counts
from redcell.forecasting.withhold import reason
from redcell.knowledge.load import Knowledge
from redcell.loop import run, situation_of
from redcell.population.each import Each
from redcell.population.patient import opened
from redcell.population.progress import Progress
from redcell.population.reading.ledger import Ledger, Refused, Tally
from redcell.population.reading.lines import Lines
from redcell.record.measured import Measured
from redcell.record.moment import Moment
from redcell.record.record import Record

MOST_PEOPLE = 1000
"""People that numbers are learned from; of more, a sample by the hash of the patient's id."""
TRIED = 6
"""Newest counts at which a person is tried before he or she is left out."""


class Person(Struct, frozen=True):
    """One record at the newest moment at which a forecast can be made of it."""

    record: Record
    """as known at `until`"""
    until: Moment
    """the last moment of which something is known"""
    at: Moment
    history: History

    @property
    def name(self) -> str:
        """The patient's id."""
        return self.record.patient.id


def counts_of(record: Record) -> tuple[Measured, ...]:
    """Final, exact hemoglobins, oldest first."""
    rows = record.results.get("hemoglobin", ())
    return tuple(m for m in rows if m.status != "preliminary" and not m.comparator)


def newest(record: Record) -> Moment | None:
    """The moment of the newest usable hemoglobin or red cells; none without a hemoglobin."""
    rows = counts_of(record)
    return max([rows[-1].time, *(t.start for t in record.transfusions)]) if rows else None


def person(whole: Record, until: Moment, knowledge: Knowledge) -> Person | str:
    """The person at the newest count up to `until` that can be used, or why there is none."""
    record = whole.known_at(until)
    times = [m.time for m in counts_of(record)]
    why = "no-counts"
    for moment in times[: -TRIED - 1 : -1]:
        try:
            s = situation_of(run(record, moment, knowledge))
        except DeceasedPatientError:
            why = "deceased"
            continue
        except UnderageError:
            return "under-18"
        counts = usable_counts(s.case)
        if len(counts) < knowledge.value("erythropoiesis.few_counts"):
            return "few-counts"
        withheld = reason(s.case, s.survey, s.blood, s.flags, counts)
        if withheld is None:
            return Person(record, until, moment, see(s.case, counts, 0).history)
        why = withheld
    return why


def chosen(
    records: Iterable[tuple[Record, Moment]], knowledge: Knowledge, left_out: Counter[str]
) -> list[Person]:
    """The people to learn from, in an order that does not depend on that of the source."""

    def usable() -> Iterator[Person]:
        for record, at in records:
            found = person(record, at, knowledge)
            if isinstance(found, Person):
                kept[0] += 1
                yield found
            else:
                left_out[found] += 1

    kept = [0]
    people = nsmallest(MOST_PEOPLE, usable(), key=lambda p: (_key(p.name), p.name))
    if kept[0] > len(people):
        left_out["not-in-sample"] += kept[0] - len(people)
    return sorted(people, key=lambda p: p.name)


def _key(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


class Found(Struct):
    """What came of one patient: a record with its last moment, or why there is none."""

    record: Record | None = None
    at: Moment | None = None
    left_out: str = ""
    refused: list[Refused] = []
    noted: Counter[str] = field(default_factory=Counter)


class Plan:
    """What a process needs to read the records of batches of patients."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    def work(self, people: int) -> Callable[[list[Lines]], list[Found]]:
        """What is done with a batch; the number of people changes nothing."""
        return lambda batch: [self._read(lines) for lines in batch]

    def _read(self, lines: Lines) -> Found:
        one = opened(lines, self._knowledge, keeps=False)
        at = newest(one.record) if one.record is not None else None
        record = one.record if at is not None else None
        left_out = one.left_out or ("" if at is not None else "no-counts")
        return Found(record, at, left_out, one.refused, one.noted)


def records(
    source: Path, knowledge: Knowledge, tally: Tally, progress: Progress
) -> Iterator[tuple[Record, Moment]]:
    """Every record of a folder of FHIR NDJSON that has a hemoglobin, with its last moment.

    Args:
        source: the folder.
        knowledge: the knowledge base, with the site's policy.
        tally: counts what was found, rejected and left out.
        progress: what is told how far the reading is.

    Raises:
        UnreadableSourceError: no patient was found in the source.
    """
    book = Ledger(tally)
    each = Each(source, Plan(knowledge), knowledge, title="Choosing", workers=1)
    for found in each.run(book, progress):
        book.settle(found)
        if found.record is not None and found.at is not None:
            yield found.record, found.at
