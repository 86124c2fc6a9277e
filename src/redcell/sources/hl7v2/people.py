"""Whose result it is: patients by assigning authority and value, and which one was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from msgspec import Struct

from redcell.errors import SeveralPatientsError, UnreadableSourceError
from redcell.record.moment import Moment
from redcell.record.patient import Patient, Sex
from redcell.record.record import SetAside
from redcell.sources.fhir.times import BadTimeError, latest_day, moment
from redcell.sources.hl7v2.observed import iso_time
from redcell.sources.hl7v2.segments import Segment
from redcell.sources.written import clean_id

Key = tuple[str, str]
"""Assigning authority and value: the same number of two hospitals is two patients."""

LISTED = 8
LENGTHS = (4, 7, 10)
"""How many signs a year, a month and a day have in ISO 8601."""
SEXES: dict[str, Sex] = {"F": "female", "M": "male", "O": "other", "A": "other", "N": "other"}


class Person(Struct):
    """One patient and every PID segment about them, oldest message first."""

    key: Key
    segments: list[tuple[str, Segment]]


def people(messages: Iterable[tuple[str, Sequence[Segment]]]) -> list[Person]:
    """Every patient of the messages, in the order of their first mention."""
    found: dict[Key, Person] = {}
    for place, segments in messages:
        for segment in segments:
            key = key_of(segment) if segment.name == "PID" else None
            if key is not None:
                found.setdefault(key, Person(key, [])).segments.append((place, segment))
    return list(found.values())


def key_of(pid: Segment) -> Key | None:
    """The patient that a PID names: by the medical record number, else the first identifier."""
    field = pid[3]
    filled = [n for n in range(len(field.repeats)) if field.part(1, n)]
    for kind in ("MR", "PI"):
        for n in filled:
            if field.part(5, n).upper() == kind:
                return field.part(4, n), field.part(1, n)
    if filled:
        return field.part(4, filled[0]), field.part(1, filled[0])
    return ("", pid[2].part()) if pid[2].part() else None


def choose(found: Sequence[Person], wanted: str | None, place: str) -> Person:
    """The patient of the record.

    Raises:
        SeveralPatientsError: there are several and none was chosen, or two share the number.
        UnreadableSourceError: there is none, or not the one wanted.
    """
    named = ", ".join(name_of(p.key, found) for p in found[:LISTED])
    if wanted is not None:
        same = [p for p in found if wanted in (p.key[1], ":".join(p.key))]
        if not same:
            raise UnreadableSourceError(
                f"No patient {wanted!r} in the source; it holds: {named or 'none'}"
            )
        found = same
        named = ", ".join(":".join(p.key) for p in found)
    if not found:
        raise UnreadableSourceError(
            f"{place}: no message names a patient. Expected an identifier in PID-3."
        )
    if len(found) > 1:
        more = ", ..." if len(found) > LISTED else ""
        raise SeveralPatientsError(
            f"The source holds {len(found)} patients ({named}{more}). Choose one with --patient ID."
        )
    return found[0]


def name_of(key: Key, among: Iterable[Person]) -> str:
    """The number alone; with its authority in front when another authority gave out the same."""
    shared = sum(p.key[1] == key[1] for p in among) > 1
    return ":".join(key) if shared else key[1]


def patient_of(person: Person, aside: list[SetAside]) -> Patient:
    """Sex, birth date and death from the PID segments; the newest one that says so counts."""
    sex: Sex = "unknown"
    birth: date | None = None
    deceased: Moment | bool = False
    said: dict[str, set[object]] = {"sex": set(), "birth date": set()}
    for place, pid in person.segments:
        sex = SEXES.get(pid[8].part().upper(), sex)
        birth = _birth(pid, place, aside) or birth
        if pid[29].part() or pid[30].part():
            deceased = _death(pid)
        said["sex"].add(sex)
        said["birth date"].add(birth)
    for what, values in said.items():
        if len(values - {None, "unknown"}) > 1:
            text = f"the messages give different values for the {what}; the newest one was used."
            aside.append(SetAside("conflicting-records", "", f"{text} Check whose they are."))
    return Patient(clean_id(person.key[1]), sex, birth, deceased)


def _birth(pid: Segment, place: str, aside: list[SetAside]) -> date | None:
    text = pid[7].part()
    try:
        return birth_of(text)[1] if text else None
    except BadTimeError:
        told = f"{place}: PID-7 is not an HL7 v2 date; the age is unknown."
        aside.append(SetAside("time-not-understood", place, told))
        return None


def birth_of(text: str) -> tuple[str, date]:
    """PID-7 as a date, a month or a year, and the latest day that it can mean.

    Raises:
        BadTimeError: it is none of them.
    """
    digits = text[:8]
    if not (digits.isascii() and digits.isdecimal()):
        raise BadTimeError("PID-7 is not an HL7 v2 date")
    parts = [x for x in (digits[:4], digits[4:6], digits[6:8]) if x]
    latest = latest_day("-".join(parts))
    return latest.isoformat()[: LENGTHS[len(parts) - 1]], latest


def _death(pid: Segment) -> Moment | bool:
    """When the patient died; `True` when only the fact is given."""
    try:
        return moment(iso_time(pid[29].part()))[0]
    except BadTimeError:
        return pid[30].part().upper() == "Y" or bool(pid[29].part())
