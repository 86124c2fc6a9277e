"""Facts: each kept once, the current version chosen by what it says, nothing changed or removed."""

from __future__ import annotations

import itertools

import pytest
import sqlalchemy as sa

from redcell.store import adding, facts
from redcell.store.arrivals import Arrival, add_arrival
from redcell.store.facts import Reading, Token, Version
from redcell.store.schema import APPEND_ONLY, readings, tokens


def arrival(number: int = 1, **more) -> Arrival:
    fields = {"feed": "lab", "form": "fhir", "key": f"m{number}", "hash": "h", "body": b"{}"}
    return Arrival(**fields | {"received": number} | more)


def version(value: str, *, rank: int = 1, asserted: int = 10, rid: str = "hb1", **more) -> Version:
    fields = {"kind": "Observation", "rid": rid, "patient": "p1", "received": asserted}
    return Version(
        **fields
        | {"rank": rank, "asserted": asserted, "hash": f"hash-{value}", "body": value.encode()}
        | {"own_time": True, "reading": Reading("718-7", asserted, 7.6, "g/dL")}
        | {"tokens": (Token("code", "loinc", "718-7"),)}
        | more
    )


def keep(database, *versions: Version) -> list[facts.Kept]:
    with database.write() as connection:
        number = add_arrival(connection, arrival())
        return adding.add(connection, versions, number)


def body(database, rid: str = "hb1") -> bytes:
    with database.read() as connection:
        found = facts.read_one(connection, "Observation", rid)
        assert found is not None
        return found.body


@pytest.mark.trust("P2")
def test_a_new_version_becomes_current(database):
    assert [k.current for k in keep(database, version("7.6"))] == [True]
    assert [k.version for k in keep(database, version("7.9", asserted=20))] == [2]
    assert body(database) == b"7.9"
    with database.read() as connection:
        assert [f.body for f in facts.history(connection, "Observation", "hb1")] == [
            b"7.9",
            b"7.6",
        ]


@pytest.mark.trust("D3", "H3.4")
def test_the_same_content_is_kept_once(database):
    keep(database, version("7.6"))
    (again,) = keep(database, version("7.6"))
    assert not again.new
    assert again.current
    both = keep(database, version("8.1", rid="hb2"), version("8.1", rid="hb2"))
    assert [k.new for k in both] == [True, False]


@pytest.mark.trust("D4", "P3")
def test_the_order_of_arrival_does_not_matter(database):
    events = [
        version("prelim", rank=0, asserted=5),
        version("final", rank=1, asserted=10),
        version("corrected", rank=2, asserted=8),
        version("again", rank=2, asserted=9),
    ]
    ends = set()
    for number, order in enumerate(itertools.permutations(events)):
        rid = f"hb{number}"
        for one in order:
            keep(
                database, version(one.body.decode(), rank=one.rank, asserted=one.asserted, rid=rid)
            )
        ends.add(body(database, rid))
    assert ends == {b"again"}


def test_codes_and_readings_follow_the_current_version(database):
    keep(database, version("7.6"))
    keep(database, version("8.0", asserted=20, tokens=(Token("code", "x", "y"),)))
    with database.read() as connection:
        assert connection.execute(sa.select(tokens.c.code)).scalars().all() == ["y"]
        assert connection.execute(sa.select(readings.c.time)).scalars().all() == [20]


def test_a_version_without_a_time_of_its_own_can_come_back(database):
    keep(database, version("a", asserted=1, own_time=False))
    keep(database, version("b", asserted=2, own_time=False))
    (again,) = keep(database, version("a", asserted=3, own_time=False))
    assert again.new
    assert body(database) == b"a"
    (same,) = keep(database, version("a", asserted=4, own_time=False))
    assert not same.new


@pytest.mark.trust("P2", "H9.4")
@pytest.mark.parametrize("table", APPEND_ONLY, ids=lambda t: t.name)
def test_nothing_is_changed_or_removed(database, table):
    keep(database, version("7.6"))
    with database.write() as connection:
        from redcell.store import assessments, audit, events

        audit.append(connection, [audit.Entry(1, "a", "nurse", "R", "chart")])
        events.add(connection, [events.Event("claimed", 1, "a")])
        made = assessments.Assessment("p1", 1, 1, "", (), "", "", "", "", "assessed", b"{}")
        assessments.add(connection, made)
    column = next(c for c in table.c if not c.primary_key)
    for statement in (sa.update(table).values({column.name: column}), sa.delete(table)):
        with pytest.raises(sa.exc.DatabaseError, match="append-only"), database.write() as open_:
            open_.execute(statement)


def test_everything_comes_in_order_of_name(database):
    keep(database, *(version("x", rid=f"r{n:04}") for n in range(950)))
    with database.read() as connection:
        names = [f.rid for f in facts.everything(connection)]
    assert names == sorted(names)
    assert len(names) == 950
