"""Why one row of a cohort is as it is: its rules, and what became of each line of the patient."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from redcell.errors import UnreadableSourceError
from redcell.knowledge.load import Knowledge
from redcell.loop import Steps, run
from redcell.population.patient import record_of
from redcell.population.progress import Progress, silent
from redcell.population.reading.deletions import deletions_of
from redcell.population.reading.ledger import Ledger, Tally
from redcell.population.reading.lines import Lines
from redcell.population.reading.partition import index, numbers_of, partition
from redcell.population.reading.pieces import pieces_of, read_piece
from redcell.population.reading.source import Form, refuse_tables
from redcell.population.rows import COLUMNS, row
from redcell.record.moment import Moment
from redcell.record.record import Record, SetAside
from redcell.rule import Finding

MEMORY = 1 << 28
SHOWN = 4
"""References, or reasons, that are named one by one."""


def explain(
    source: Path,
    patient: str,
    at: Moment,
    knowledge: Knowledge,
    *,
    form: Form = "fhir",
    progress: Progress = silent,
) -> Iterator[str]:
    """The row of one patient with its rules, then each line and what became of it.

    Args:
        source: a folder of FHIR NDJSON, or an OMOP CDM.
        patient: the id of the patient.
        at: the moment of the row.
        knowledge: the knowledge base, with the site's policy.
        form: what the source is.
        progress: what is told how far the reading is.

    Raises:
        UnreadableSourceError: the patient is not in the source.
        RedcellError: the patient has died or is under 18, or an extra is missing.
    """
    lines = lines_of(source, patient, knowledge, form=form, progress=progress)
    record = _read(source, lines, knowledge)
    steps = run(record, at, knowledge)
    yield f"Patient/{lines.patient} at {at}: {len(lines.lines)} lines"
    yield from _row(steps)
    yield from _lines(lines, steps, record)


def _read(source: Path, lines: Lines, knowledge: Knowledge) -> Record:
    """The record of the lines; where their Patient cannot be read, the error says why."""
    aside: list[SetAside] = []
    try:
        return record_of(lines, knowledge, aside)
    except UnreadableSourceError as error:
        why = " ".join(one.text for one in aside[:SHOWN])
        raise UnreadableSourceError(
            f"{source}: Patient/{lines.patient} cannot be read. {why}".rstrip()
        ) from error


def lines_of(
    source: Path,
    patient: str,
    knowledge: Knowledge,
    *,
    form: Form = "fhir",
    progress: Progress = silent,
) -> Lines:
    """The lines of one patient, as the whole run would bring them together.

    Raises:
        UnreadableSourceError: the patient is not in the source.
    """
    wanted = patient.removeprefix("Patient/")
    if form == "omop":
        from redcell.population.omop import OmopFolder

        with OmopFolder(source, Ledger(Tally()), knowledge, memory=MEMORY) as tables:
            found = list(tables.patients(wanted))
    else:
        refuse_tables(source)
        found = _of_lines(source, f"Patient/{wanted}", progress)
    if not found:
        raise UnreadableSourceError(f"{source}: there is no Patient/{wanted} in it.")
    return found[0]


def _of_lines(source: Path, wanted: str, progress: Progress) -> list[Lines]:
    pieces = pieces_of(source)
    with tempfile.TemporaryDirectory(prefix="redcell-") as place:
        folder, counts = Path(place), list[int]()
        with progress("Reading", sum(p.end - p.begin for p in pieces), "B") as tell:
            for piece in pieces:
                counts.append(read_piece(piece, folder, 1, only=wanted).lines)
                tell(piece.end - piece.begin)
        index(folder, deletions_of(source).names)
        return list(partition(folder, 0, numbers_of(pieces, counts), keeps=False).patients)


def _row(steps: Steps) -> Iterator[str]:
    """Each column with its rule and the resources that it rests on."""
    reasons = _reasons(steps)
    for name, cell in zip(COLUMNS, row(steps), strict=True):
        if name == "forecast_status":
            break
        why = reasons.get(name)
        said = "" if why is None else f"   {why.rule}   {_short(why.evidence)}".rstrip()
        yield f"  {name:<27} {'-' if cell is None else cell}{said}"


def _reasons(steps: Steps) -> dict[str, Finding[Any]]:
    found = {
        "status": steps.survey.status,
        "ctcae_grade": steps.survey.grade,
        "who_severity": steps.survey.who,
        "trend_g_dl_per_week": steps.survey.trend,
        "transfusion_decision": steps.transfusion.verdict,
        "transfusion_units": steps.transfusion.units,
        "urgency": steps.flags.urgency,
        "next_cbc_due": steps.monitoring.due,
        "cbc_overdue": steps.monitoring.overdue,
    }
    return {name: one for name, one in found.items() if isinstance(one, Finding)}


def _short(references: Sequence[str]) -> str:
    more = f" and {len(references) - SHOWN} more" if len(references) > SHOWN else ""
    return ", ".join(references[:SHOWN]) + more


def _lines(lines: Lines, steps: Steps, record: Record) -> Iterator[str]:
    """Each line: used by a rule, read, set aside and why, or no evidence."""
    from redcell.outputs.explain import all_findings

    used = {r for finding in all_findings(steps) for r in finding.evidence}
    facts: dict[str, list[str]] = {}
    for reference, said in _facts(record):
        facts.setdefault(reference, []).append(said)
    aside: dict[str, list[SetAside]] = {}
    for one in steps.case.record.set_aside:
        aside.setdefault(one.place, []).append(one)
    names = _names(lines)
    for place, _ in lines.lines:
        name = names[place]
        what = "used" if name in used else "read" if name in facts else "no evidence"
        problems = "; ".join(one.code for one in aside.get(place, ()))
        if problems and what == "no evidence":
            what = "not used"
        said = "; ".join(facts.get(name, ()))
        yield "  ".join(x for x in (place, name, what, said, problems) if x)


def _names(lines: Lines) -> dict[str, str]:
    """The reference of each line, as the reader names it."""
    from redcell.sources.fhir.read import RawResource, decode

    raws = (RawResource(place, line) for place, line in lines.lines)
    found = {located.place: located.reference for located in decode(raws, [], {})}
    return {place: found.get(place, "") for place, _ in lines.lines}


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    for name in record.__struct_fields__:
        if name != "set_aside":
            yield from _walk(getattr(record, name))


def _walk(item: object) -> Iterator[tuple[str, str]]:
    if isinstance(item, Struct) and isinstance(getattr(item, "reference", None), str):
        yield str(item.reference), _said(item)  # type: ignore[attr-defined]
    elif isinstance(item, dict):
        yield from _walk(tuple(item.values()))
    elif isinstance(item, Iterable) and not isinstance(item, str):
        for inner in item:
            yield from _walk(inner)


def _said(fact: Struct) -> str:
    """A fact in few words: what it is about, and itself where it can say so."""
    about = next(
        (
            str(getattr(fact, name))
            for name in ("analyte", "symptom", "drug", "meaning")
            if getattr(fact, name, None)
        ),
        type(fact).__name__.lower(),
    )
    own = type(fact).__str__ is not object.__str__ and type(fact).__str__ is not Struct.__str__
    return f"{about} {fact}" if own else about
