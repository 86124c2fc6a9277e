"""A table of laboratory results as FHIR R4 resources: every patient in it, or why not."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, tzinfo

from msgspec.structs import replace

from redcell.errors import SeveralPatientsError, UnreadableSourceError
from redcell.knowledge.load import knowledge
from redcell.record.patient import Patient
from redcell.record.record import SetAside
from redcell.sources.as_fhir import (
    AUTHORITY,
    LABORATORY,
    Json,
    coding,
    concept,
    filled,
    hashed,
    identifier,
    known_code,
    meta,
    notes,
    patient,
    patient_id,
    quantity,
    reference_range,
    subject,
)
from redcell.sources.csv_labs.people import patient_of
from redcell.sources.csv_labs.read import refuse_hidden_people
from redcell.sources.csv_labs.rows import RowReader
from redcell.sources.csv_labs.table import RefusedTableError, Row, Table, cell, open_table
from redcell.sources.fhir.reading import Reading
from redcell.sources.fhir.times import BadTimeError, moment
from redcell.sources.results import Sent
from redcell.sources.terms import Terms, terms
from redcell.sources.translated import FAULT, Refusal, Translated

FORM = "csv"
SYSTEM = f"{AUTHORITY}default"
WITHDRAWN = ("entered-in-error", "cancelled")
SECONDS_IN_MINUTE = 60

PIECE = 1000
"""Resources in one transaction, so that other writers need not wait long."""


class TranslatedTable(Translated, frozen=True):
    """One table as FHIR resources, and how much of it that is."""

    people: int = 0
    results: int = 0

    @property
    def pieces(self) -> list[tuple[Json, ...]]:
        """Its resources in pieces of a size that is kept in one go; one at least."""
        starts = range(0, len(self.resources), PIECE)
        return [tuple(self.resources[n : n + PIECE]) for n in starts] or [()]


def translate_table(
    name: str,
    data: bytes,
    *,
    system: str = SYSTEM,
    patient: str = "",
    zone: tzinfo | None = None,
    base: Terms | None = None,
) -> TranslatedTable:
    """A table of laboratory results as FHIR resources.

    Whatever the bytes, the answer is a value. The same result in a later table (same patient,
    analyte and time) has the same id, so that it replaces the earlier one.

    Args:
        name: the file's name, for what is said of it.
        data: its bytes.
        system: the identifier system of the patient column.
        patient: whose results they are, when no column says so.
        zone: the zone of times without an offset.
        base: the code tables; those of the bundled knowledge base when not given.
    """
    reading = Reading(base or terms(knowledge()), says_place=True)
    try:
        return _translated(name, data, system, patient, zone, reading)
    except Exception as error:  # a fault here must not keep a feed from its other files
        return _refused(FAULT, f"it could not be read ({type(error).__name__})", reading)


def _translated(
    name: str, data: bytes, system: str, patient: str, zone: tzinfo | None, reading: Reading
) -> TranslatedTable:
    try:
        table = open_table(name, data, reading.terms, reading.aside)
        if "patient" not in table.layout.roles:
            refuse_hidden_people(table)
            if not patient:
                why = "no column says whose rows these are; add a column patient_id"
                return _refused("patient-missing", why, reading)
    except RefusedTableError as error:
        return _refused("not-readable", str(error), reading)
    except (UnreadableSourceError, SeveralPatientsError) as error:
        return _refused("patient-missing", str(error), reading)
    rows = _AllRows(reading, table, system, patient, zone)
    rows.read()
    if not rows.resources:
        return _refused("not-readable", "no laboratory result was read", reading)
    people = [_patient(rows, one) for one in rows.people]
    return TranslatedTable(
        resources=(*people, *rows.resources),
        set_aside=tuple(reading.aside),
        people=len(people),
        results=len(rows.resources),
    )


def _refused(code: str, why: str, reading: Reading) -> TranslatedTable:
    return TranslatedTable(refusal=Refusal(code, why), set_aside=tuple(reading.aside))


class _AllRows(RowReader):
    """Reads the rows of every patient of a table into Observations."""

    def __init__(
        self, reading: Reading, table: Table, system: str, only: str, zone: tzinfo | None
    ) -> None:
        super().__init__(reading, table)
        self.system = system
        self.only = only
        self.zone = zone
        self.people: dict[str, list[Row]] = {}
        self.resources: list[Json] = []
        self._seen: Counter[tuple[str, ...]] = Counter()

    def whose(self, row: Row) -> str:
        """The identifier of the patient."""
        named = "patient" in self.table.layout.roles
        return cell(row, self.table, "patient") if named else self.only

    def belongs(self, row: Row) -> bool:
        """Does it say whose it is?"""
        who = self.whose(row)
        if not who:
            self.refuse(row, "foreign-patient-ignored", "it names no patient")
            return False
        self.people.setdefault(who, []).append(row)
        return True

    def withdrawn(self, row: Row, status: str) -> bool:
        """A result that is taken back takes back the one that an earlier table brought."""
        del row
        return status in WITHDRAWN

    def placed(self, time: str) -> str:
        """A time without an offset in the zone of the feed."""
        if self.zone is None:
            return time
        local = datetime.fromisoformat(time).replace(tzinfo=self.zone)
        offset = local.utcoffset()
        whole = offset is not None and offset.seconds % SECONDS_IN_MINUTE == 0
        try:
            found = (local if whole else local.astimezone(UTC)).isoformat()
            moment(found)
        except (OverflowError, BadTimeError):
            return time  # at the ends of the calendar
        self.counted["naive"] -= 1
        self.counted["zoned"] += 1
        return found

    def read(self) -> None:
        """Read the rows, and say in which zone their times were read."""
        super().read()
        if self.counted["zoned"]:
            name = self.table.name
            text = f"{name}: {self.counted['zoned']} times have no offset; read in {self.zone}."
            self.reading.aside.append(SetAside("feed-zone-assumed", name, text))

    def take(self, row: Row, sent: Sent) -> None:
        """One result as an Observation; a second one of the same name gets a number."""
        owner = patient_id(self.system, self.whose(row))
        parts = ("csv", owner, sent.slug, str(moment(sent.time)[0]))
        self._seen[parts] += 1
        ordinal = (str(self._seen[parts]),) if self._seen[parts] > 1 else ()
        found = {"resourceType": "Observation", "id": hashed(*parts, *ordinal)}
        self.resources.append(found | _observation(self.reading.terms, sent, owner))


def _observation(known: Terms, sent: Sent, owner: str) -> Json:
    analyte = known.knowledge.analytes[sent.slug]
    value: Json = {}
    if sent.number is not None:
        value["valueQuantity"] = quantity(sent.number, sent.unit)
    elif sent.text and sent.status not in WITHDRAWN:
        value["valueString"] = sent.text
    code = known_code(known, sent.slug)
    return filled(
        {
            "meta": meta(FORM),
            "status": sent.status,
            "category": [LABORATORY],
            "code": concept([coding(code["system"], code["code"], analyte.name)], analyte.name),
            "subject": subject(owner),
            "effectiveDateTime": sent.time,
            "referenceRange": reference_range(sent.low, sent.high, sent.range_text, sent.unit),
            "note": notes([sent.note]),
        }
        | value
    )


def _patient(rows: _AllRows, who: str) -> Json:
    """A patient, from the columns about them in their own rows."""
    own = replace(rows.table, rows=rows.people[who])
    found = patient_of([own], who, who, rows.reading.aside)
    known = {
        "meta": meta(FORM),
        "identifier": [identifier(rows.system, who)],
        "gender": found.sex if found.sex != "unknown" else "",
        "birthDate": found.birth_date.isoformat() if found.birth_date else "",
    }
    return patient(patient_id(rows.system, who), known | _death(found))


def _death(found: Patient) -> Json:
    if isinstance(found.deceased, bool):
        return {"deceasedBoolean": True} if found.deceased else {}
    return {"deceasedDateTime": str(found.deceased)}
