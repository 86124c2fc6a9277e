"""Who a person is, for banners, lists and search: read off the Patient resource."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from redcell.store.facts import Fact

RECORD_NUMBER = "MR"


class Person(Struct, frozen=True):
    """A person as a banner names them. Empty text where it is not known."""

    id: str
    family: str = ""
    given: str = ""
    birth_date: str = ""
    sex: str = ""
    mrn: str = ""
    deceased: bool = False
    language: str = ""

    @property
    def name(self) -> str:
        """FAMILY, Given; the id where there is no name."""
        parts = [p for p in (self.family.upper(), self.given) if p]
        return ", ".join(parts) or self.id

    def age(self, on: date) -> int | None:
        """Whole years on a day."""
        try:
            born = date.fromisoformat(self.birth_date)
        except ValueError:
            return None
        return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def person_in(person: str, found: Iterable[Fact]) -> Person:
    """The person as their own Patient resource has it; what it lacks, from their other ones."""
    patients = sorted(
        (f for f in found if f.kind == "Patient"), key=lambda f: (f.rid != person, f.rid)
    )
    read = [read_patient(person, msgspec.json.decode(f.body)) for f in patients]
    merged = Person(person)
    for one in reversed(read):
        known = {n: v for n in Person.__struct_fields__ if (v := getattr(one, n))}
        merged = replace(merged, **known)
    return merged


def read_patient(person: str, resource: dict[str, Any]) -> Person:
    """A Patient resource as a person; anything odd in it is left out."""
    names = sorted(_objects(resource.get("name")), key=lambda n: n.get("use") != "official")
    first = names[0] if names else {}
    given = first.get("given")
    return Person(
        id=person,
        family=_text(first.get("family")) or _text(first.get("text")),
        given=" ".join(g for g in given if isinstance(g, str)) if isinstance(given, list) else "",
        birth_date=_text(resource.get("birthDate")),
        sex=_text(resource.get("gender")),
        mrn=_mrn(resource),
        deceased=bool(resource.get("deceasedDateTime") or resource.get("deceasedBoolean")),
        language=_language(resource),
    )


def _mrn(resource: dict[str, Any]) -> str:
    found = list(_objects(resource.get("identifier")))
    of_records = [i for i in found if RECORD_NUMBER in _codes(i.get("type"))]
    return next((_text(i.get("value")) for i in (*of_records, *found) if i.get("value")), "")


def _language(resource: dict[str, Any]) -> str:
    spoken = sorted(
        _objects(resource.get("communication")), key=lambda c: c.get("preferred") is not True
    )
    return next((code for c in spoken for code in sorted(_codes(c.get("language")))), "")


def _codes(concept: object) -> set[str]:
    found = concept.get("coding") if isinstance(concept, dict) else None
    return {_text(c.get("code")) for c in _objects(found)} - {""}


def _objects(value: object) -> Iterator[dict[str, Any]]:
    yield from (one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
