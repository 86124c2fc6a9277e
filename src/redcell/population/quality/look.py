"""The events of everybody in a source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from redcell.knowledge.load import Knowledge
from redcell.population.each import Each
from redcell.population.patient import opened
from redcell.population.progress import Progress, silent
from redcell.population.quality.event import Event
from redcell.population.quality.measures import MEASURES
from redcell.population.quality.past import Past
from redcell.population.reading.ledger import Ledger, Refused, Tally, ledger
from redcell.population.reading.lines import Lines
from redcell.population.reading.source import Form
from redcell.record.moment import Moment
from redcell.record.record import Record

ADULT = 18


class Answer(Struct):
    """What came of one patient."""

    events: list[Event]
    left_out: str = ""
    refused: list[Refused] = []
    noted: Counter[str] = msgspec.field(default_factory=Counter)


class Practice(Struct):
    """Every event of a source in the period up to a moment."""

    at: Moment
    days: float
    people: int
    """people whose records were looked at"""
    events: list[Event]
    """ordered by measure, patient and time"""


def events_of(record: Record, at: Moment, knowledge: Knowledge, days: float) -> list[Event]:
    """The events of one record in the period up to a moment, measure by measure."""
    past = Past(record, at, knowledge, days)
    return [event for measure in MEASURES for event in measure.find(past)]


class Plan:
    """What a process needs to look at batches of patients."""

    def __init__(self, at: Moment, knowledge: Knowledge, days: float, *, keeps: bool) -> None:
        self._at, self._knowledge, self._days, self._keeps = at, knowledge, days, keeps

    def work(self, people: int) -> Callable[[list[Lines]], list[Answer]]:
        """What is done with a batch; the number of people changes nothing."""
        return lambda batch: [self._look(lines) for lines in batch]

    def _look(self, lines: Lines) -> Answer:
        one = opened(lines, self._knowledge, keeps=self._keeps)
        answer = Answer([], one.left_out, one.refused, one.noted)
        if one.record is not None:
            age = one.record.patient.age_years(self._at)
            if age is not None and age < ADULT:
                answer.left_out = "under-18"
            else:
                answer.events = events_of(one.record, self._at, self._knowledge, self._days)
        return answer


def look(
    source: Path,
    at: Moment,
    knowledge: Knowledge,
    *,
    days: float | None = None,
    workers: int | None = None,
    rejected: Path | None = None,
    form: Form = "fhir",
    progress: Progress = silent,
) -> tuple[Practice, Tally]:
    """Every event of a source in the period up to a moment, and the counts of the run.

    People who have died are looked at too: a measure without them would flatter.

    Args:
        source: a folder of FHIR NDJSON, or an OMOP CDM.
        at: the end of the period; nothing dated later is used.
        knowledge: the knowledge base, with the site's policy.
        days: the length of the period; by default the number `quality.period`.
        workers: processes; by default one for each core.
        rejected: where rejected input is kept, one JSON object a line.
        form: what the source is.
        progress: what is told how far the run is.

    Raises:
        UnreadableSourceError: no patient was found in the source.
    """
    length = knowledge.value("quality.period") if days is None else days
    with ledger(rejected) as book:
        plan = Plan(at, knowledge, length, keeps=book.keeps)
        each = Each(source, plan, knowledge, title="Measures", workers=workers, form=form)
        events = list(_settled(each.run(book, progress), book))
        order = {measure.name: i for i, measure in enumerate(MEASURES)}
        events.sort(key=lambda e: (order[e.measure], e.patient, e.time, e.evidence))
        return Practice(at, length, book.tally.rows, events), book.tally


def _settled(answers: Iterable[Answer], book: Ledger) -> Iterable[Event]:
    for answer in answers:
        book.settle(answer)
        yield from answer.events
