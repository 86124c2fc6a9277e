"""One person's record from an OMOP CDM."""

from __future__ import annotations

from pathlib import Path

from redcell.errors import SeveralPatientsError, UnreadableSourceError
from redcell.record.record import Record, SetAside
from redcell.sources.fhir.read import RawResource, decode, read_patient_record
from redcell.sources.omop.tables import Row
from redcell.sources.omop.translate import Omop
from redcell.sources.terms import Terms

LISTED = 8


def read_cdm(source: Path, terms: Terms, patient: str | None) -> Record:
    """One person's record.

    Args:
        source: a folder of CSV or Parquet files, or a DuckDB database.
        terms: the code tables.
        patient: the `person_id`, when there are several.

    Raises:
        UnreadableSourceError: the person is not in the source.
        SeveralPatientsError: the source holds several persons and none was chosen.
    """
    aside: list[SetAside] = []

    def refuse(one: SetAside, row: Row) -> None:
        aside.append(one)

    with Omop(source, terms, refuse) as tables:
        wanted = _choose(source, tables.ids(), patient)
        read = list(tables.persons(wanted))  # to the end: what is damaged is known only then
        if not read:
            raise UnreadableSourceError(f"{source}: person {wanted} cannot be read.")
        found = read[0]
        raws = (RawResource(place, line, checked=True) for place, line in found.resources)
        counts: dict[str, int] = {}
        located = decode(raws, aside, counts)
        if tables.clock.used:
            text = "OMOP keeps times without a zone; they were read as UTC."
            aside.append(SetAside("naive-time-assumed-utc", "", text))
    return read_patient_record(located, terms, aside, counts, found.id, (source.name,))


def _choose(source: Path, ids: list[str], patient: str | None) -> str:
    listed = ", ".join(ids[:LISTED]) + (", ..." if len(ids) > LISTED else "")
    if patient is not None:
        wanted = patient.removeprefix("Patient/")
        if wanted not in ids:
            raise UnreadableSourceError(f"No patient {wanted!r} in the source; it holds: {listed}")
        return wanted
    if len(ids) > 1:
        raise SeveralPatientsError(
            f"The source holds {len(ids)} patients ({listed}). Choose one with --patient ID."
        )
    if not ids:
        raise UnreadableSourceError(f"{source}: PERSON has no rows.")
    return ids[0]
