"""One set of messages read both ways: as files, and translated, folded and read as FHIR."""

from __future__ import annotations

import importlib.util
import inspect
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from redcell.clinic import fold, moved
from redcell.clinic.versions import version_of
from redcell.errors import RedcellError
from redcell.knowledge.load import knowledge
from redcell.record.record import Record
from redcell.sources.as_fhir import Authorities, patient_id
from redcell.sources.hl7v2 import read_messages
from redcell.sources.hl7v2.framing import RefusedMessageError, split
from redcell.sources.hl7v2.people import key_of, name_of, people
from redcell.sources.hl7v2.segments import parse
from redcell.sources.hl7v2.to_fhir import TranslatedMessage, translate
from redcell.sources.terms import terms
from redcell.sources.translated import Translated
from redcell.store.facts import Fact, Version
from redcell.store.persons import LINK

TERMS = terms(knowledge())
RECEIVED = 2_000_000_000_000_000
"""When the messages came in: after every time that they name."""
Files = Sequence[tuple[str, bytes]]


class Case:
    """Files that some test reads, and under which settings."""

    def __init__(self, name: str, files: Files, allow_test: bool = False, patient=None) -> None:
        self.name, self.files, self.allow_test, self.patient = name, files, allow_test, patient


def cases(module, reader: str) -> Iterator[Case]:
    """Every set of files that the tests of a module read, with all of their parameters."""
    kept: list[tuple[Files, bool, str | None]] = []
    original = getattr(module, reader)

    def note(files, terms_, patient, *, allow_test=False):
        kept.append((files, allow_test, patient))
        more = {"allow_test": True} if allow_test else {}
        return original(files, terms_, patient, **more)

    setattr(module, reader, note)
    try:
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if not name.startswith("test_") or hasattr(function, "hypothesis"):
                continue
            for number, arguments in enumerate(_arguments(function)):
                kept.clear()
                function(**arguments)
                for files, allow_test, patient in kept:
                    yield Case(f"{name}[{number}]", files, allow_test, patient)
    finally:
        setattr(module, reader, original)


def load(name: str):
    """A module of the unit tests."""
    path = Path(__file__).parents[1] / "unit" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _arguments(function) -> Iterator[dict[str, object]]:
    """What pytest would call a test with."""
    axes = []
    for mark in getattr(function, "pytestmark", ()):
        if mark.name != "parametrize":
            continue
        names, rows = mark.args
        names = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)
        axes.append(
            [dict(zip(names, row if len(names) > 1 else [row], strict=True)) for row in rows]
        )
    for chosen in itertools.product(*axes):
        yield {name: value for part in chosen for name, value in part.items()}


def messages_of(files: Files) -> Iterator[bytes]:
    """The messages of files, one by one, as a feed would bring them."""
    for name, data in files:
        try:
            for raw in split(name, data, []):
                yield b"\r".join(raw.lines) + b"\r"
        except RefusedMessageError:
            yield data


def translated(case: Case) -> list[TranslatedMessage]:
    """Each message once: the same name again is a duplicate, or held."""
    seen: set[tuple[str, str]] = set()
    found = []
    for data in messages_of(case.files):
        one = translate(data, allow_test=case.allow_test)
        name = (one.sender, one.control)
        if one.control and name in seen:
            continue
        seen.add(name)
        found.append(one)
    return found


class Current(dict[tuple[str, str], Version]):
    """The current version of each resource, and every one in `versions`."""

    versions: dict[tuple[str, str], list[Version]]


def current_of(found: Sequence[Translated]) -> Current:
    """The current version of each resource."""
    current = Current()
    current.versions = {}
    for number, one in enumerate(found):
        for resource in one.resources:
            version = version_of(resource, RECEIVED + number)
            current.versions.setdefault(version.name, []).append(version)
            before = current.get(version.name)
            if before is None or version.key > before.key:
                current[version.name] = version
    return current


def record_of(current: Current, person: str) -> Record:
    """One patient's record, as the clinic makes it of the facts that are current in its store."""
    names = {person, *(v.rid for v in current.values() if leads_to(v, person))}
    facts = [
        fact(number, v) for number, (_, v) in enumerate(sorted(current.items()))
        if v.patient in names
    ]  # fmt: skip

    def history(kind: str, rid: str) -> list[Fact]:
        return [fact(0, version) for version in current.versions[kind, rid]]

    return fold.record_of(person, moved.standing(facts, history), knowledge())


def fact(number: int, v: Version) -> Fact:
    """A version as the store gives it."""
    return Fact(number, v.kind, v.rid, 1, v.patient, v.received, v.body, v.hash, v.asserted)


def leads_to(version: Version, person: str) -> bool:
    """Is this a Patient that says it was replaced by this one?"""
    return any(t.param == LINK and t.code == person for t in version.tokens)


def patients(case: Case) -> Iterator[tuple[str, str]]:
    """Each patient of the messages: the name for the file reader, and the FHIR id."""
    segments = []
    for name, data in case.files:
        try:
            for raw in split(name, data, []):
                segments.append((raw.place, parse(raw).segments))
        except RefusedMessageError:
            continue
    found = people(segments)
    for person in found:
        system = Authorities().system(*person.key[0].split("&")[:2])
        yield ":".join(person.key), patient_id(system, person.key[1])
    assert all(name_of(p.key, found) for p in found)
    assert all(key_of(s) for p in found for _, s in p.segments)


def as_file(case: Case, wanted: str) -> Record | None:
    """The record by the reader of files; `None` when it has none."""
    try:
        return read_messages(case.files, TERMS, wanted, allow_test=case.allow_test)
    except RedcellError:
        return None


def essence(record: Record | None) -> dict[str, object]:
    """What decides anything: results, words, the person, and what was held."""
    if record is None:
        return {}
    return {
        "results": {
            name: [(str(m.time), m.value, m.comparator, m.low, m.high, m.status) for m in rows]
            for name, rows in sorted(record.results.items())
        },
        "coded": {
            name: [(str(c.time), c.answer, c.status) for c in rows]
            for name, rows in sorted(record.coded.items())
        },
        "person": (
            record.patient.sex,
            str(record.patient.birth_date),
            str(record.patient.deceased),
        ),
        "symptoms": dict(record.symptoms),
    }


HELD = ("unit-not-understood", "implausible-value", "conflicting-records", "unmapped-code",
        "naive-time-assumed-utc", "entered-in-error-ignored", "corrected-result-used")  # fmt: skip


def held(record: Record | None) -> Counter[str]:
    """How often what is held for a person to look at was said."""
    said = record.set_aside if record is not None else ()
    return Counter(aside.code for aside in said if aside.code in HELD)
