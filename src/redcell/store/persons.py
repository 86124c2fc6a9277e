"""Persons: the patient ids that are one human being, by shared identifiers and by merges.

Two Patient resources are one person when they share an identifier (its system and value), or when
one says that it was replaced by the other. Both facts are looked up among the current versions, so
the answer does not depend on the order in which they came, and an unmerge takes effect by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from redcell.store.database import upsert
from redcell.store.schema import persons, tokens

PATIENT = "Patient"
IDENTIFIER = "person-identifier"
"""Token of an identifier that names one person: a record number, not a family's insurance."""
LINK = "link"
REPLACED_BY = "replaced-by"
"""System of a link's token when this Patient was replaced by the other one."""
CHUNK = 400
DERIVED = "v2-"
"""How ids begin that were derived from a message; an id of the hospital's own is preferred."""


def person_of(connection: Connection, patient: str) -> str:
    """The person to whom a patient id belongs; the id itself while nothing is known of it."""
    found = connection.scalar(sa.select(persons.c.person).where(persons.c.patient == patient))
    return str(found) if found is not None else patient


def people_of(connection: Connection, patients: Iterable[str]) -> dict[str, str]:
    """The persons to whom patient ids belong."""
    wanted = sorted(set(patients))
    found = {patient: patient for patient in wanted}
    for start in range(0, len(wanted), CHUNK):
        query = sa.select(persons.c.patient, persons.c.person).where(
            persons.c.patient.in_(wanted[start : start + CHUNK])
        )
        found.update((row.patient, row.person) for row in connection.execute(query))
    return found


def patients_of(connection: Connection, person: str) -> list[str]:
    """Every patient id of a person, the person's own first."""
    rows = connection.scalars(sa.select(persons.c.patient).where(persons.c.person == person))
    found = sorted(set(rows) - {person})
    return [person, *found]


def by_identifier(connection: Connection, value: str, system: str | None = None) -> list[str]:
    """Patient ids that carry an identifier."""
    c = tokens.c
    query = sa.select(c.rid).where(
        c.kind == PATIENT, c.param.in_((IDENTIFIER, "identifier")), c.code == value
    )
    if system is not None:
        query = query.where(c.system == system)
    return sorted(set(connection.scalars(query)))


def relink(connection: Connection, changed: Iterable[str]) -> set[str]:
    """Work out again who is who around these patient ids; the persons whose record may differ."""
    touched: set[str] = set()
    todo = set(changed)
    for patient in list(todo):
        before = patients_of(connection, person_of(connection, patient))
        todo.update(before)
    while todo:
        group, replaced = _component(connection, todo.pop())
        todo -= group
        person = _chosen(group, replaced)
        old = connection.execute(
            sa.select(persons.c.patient, persons.c.person).where(persons.c.patient.in_(group))
        ).all()
        if {(r.patient, r.person) for r in old} != {(p, person) for p in group}:
            rows = [{"patient": p, "person": person} for p in sorted(group)]
            upsert(connection, persons, rows, ("patient",))
            touched.update(r.person for r in old)
        touched.add(person)
    return touched


def _component(connection: Connection, start: str) -> tuple[set[str], set[str]]:
    """Everybody reachable over identifiers and links, and who of them was replaced."""
    group, replaced, edge = {start}, set(), {start}
    while edge:
        near: set[str] = set()
        named, back = _tokens(connection, edge), _pointing(connection, edge)
        for row in named:
            if row.param == LINK:
                near.add(row.code)
                replaced |= {row.rid} if row.system == REPLACED_BY else set()
        for row in back:
            near.add(row.rid)
            replaced |= {row.rid} if row.system == REPLACED_BY else set()
        near |= _sharing(connection, [(r.system, r.code) for r in named if r.param == IDENTIFIER])
        edge = near - group
        group |= near
    return group, replaced


def _tokens(connection: Connection, patients: set[str]) -> Sequence[sa.Row]:  # type: ignore[type-arg]
    c = tokens.c
    return connection.execute(
        sa.select(c.rid, c.param, c.system, c.code).where(
            c.kind == PATIENT, c.rid.in_(sorted(patients)), c.param.in_((LINK, IDENTIFIER))
        )
    ).all()


def _pointing(connection: Connection, patients: set[str]) -> Sequence[sa.Row]:  # type: ignore[type-arg]
    c = tokens.c
    return connection.execute(
        sa.select(c.rid, c.system).where(
            c.kind == PATIENT, c.param == LINK, c.code.in_(sorted(patients))
        )
    ).all()


def _sharing(connection: Connection, names: Sequence[tuple[str, str]]) -> set[str]:
    c = tokens.c
    found: set[str] = set()
    for system, value in names:
        found.update(
            connection.scalars(
                sa.select(c.rid).where(
                    c.kind == PATIENT,
                    c.param == IDENTIFIER,
                    c.code == value,
                    c.system == system,
                )
            )
        )
    return found


def _chosen(group: set[str], replaced: set[str]) -> str:
    """The id that names the person: not replaced, the hospital's own, the first by name."""
    return min(group, key=lambda p: (p in replaced, p.startswith(DERIVED), p))
