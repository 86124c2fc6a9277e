"""The audit chain: every kind of tampering shows."""

from __future__ import annotations

import numpy as np
import pytest
import sqlalchemy as sa

from redcell.errors import AuditError
from redcell.store import audit as chain
from redcell.store.audit import Entry, append, head, of_persons, verify
from redcell.store.schema import audit


def fill(database, count: int = 40) -> None:
    with database.write() as connection:
        drop_guard(connection)
    for start in range(0, count, 10):
        with database.write() as connection:
            entries = [
                Entry(start + n, f"u{n % 3}", "nurse", "R", "chart", f"p{n % 7}", detail=f"row {n}")
                for n in range(10)
            ]
            append(connection, entries)


def drop_guard(connection) -> None:
    """What an administrator of the database can do."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("DROP TRIGGER audit_no_update")
        connection.exec_driver_sql("DROP TRIGGER audit_no_delete")
    else:
        connection.exec_driver_sql("DROP TRIGGER audit_append_only ON audit")


def check(database, anchors=()):
    with database.read() as connection:
        return verify(connection, anchors)


def test_a_whole_chain_verifies(database):
    fill(database)
    assert check(database).seq == 40


@pytest.mark.trust("S12", "H9.1")
def test_every_edit_is_found(database):
    fill(database)
    chance = np.random.default_rng(7)
    columns = [c for c in audit.c if c.name not in ("seq", "at")]
    for _ in range(60):
        seq, column = int(chance.integers(1, 41)), columns[chance.integers(len(columns))]
        with database.write() as connection:
            where = audit.c.seq == seq
            before = connection.execute(sa.select(audit).where(where)).one()
            new = f"{getattr(before, column.name)}x"
            connection.execute(sa.update(audit).where(where).values({column.name: new}))
        with pytest.raises(AuditError, match=f"entry {seq}"):
            check(database)
        with database.write() as connection:
            old = getattr(before, column.name)
            connection.execute(sa.update(audit).where(where).values({column.name: old}))
    assert check(database).seq == 40


@pytest.mark.trust("S12", "H9.1", "P2")
@pytest.mark.parametrize("seq", [1, 17, 39])
def test_a_removed_entry_is_found(database, seq):
    fill(database)
    with database.write() as connection:
        connection.execute(sa.delete(audit).where(audit.c.seq == seq))
    with pytest.raises(AuditError, match=f"entry {seq} is missing"):
        check(database)


@pytest.mark.trust("S12", "H9.1")
@pytest.mark.parametrize("seq", [1, 17, 39])
def test_an_entry_that_was_changed_and_sealed_anew_is_found_by_the_next(database, seq):
    fill(database)
    with database.write() as connection:
        row = connection.execute(sa.select(audit).where(audit.c.seq == seq)).one()
        fields = {name: getattr(row, name) for name in Entry.__struct_fields__}
        seal = chain._seal(seq, row.prev, Entry(**fields | {"actor": "somebody else"}))
        new = {"actor": "somebody else", "hash": seal}
        connection.execute(sa.update(audit).where(audit.c.seq == seq).values(new))
    with pytest.raises(AuditError, match=f"entry {seq + 1} does not fit"):
        check(database)


@pytest.mark.trust("S12", "H9.1")
def test_reordered_entries_are_found(database):
    fill(database)
    with database.write() as connection:
        for old, new in ((5, 1005), (6, 5), (1005, 6)):
            connection.execute(sa.update(audit).where(audit.c.seq == old).values(seq=new))
    with pytest.raises(AuditError, match="entry 5"):
        check(database)


@pytest.mark.trust("S12", "H9.1")
def test_an_inserted_entry_is_found(database):
    fill(database)
    with database.write() as connection:
        row = connection.execute(sa.select(audit).where(audit.c.seq == 40)).one()._asdict()
        connection.execute(sa.insert(audit).values({**row, "seq": 41}))
    with pytest.raises(AuditError, match="entry 41"):
        check(database)


@pytest.mark.trust("S12", "H9.2")
def test_a_cut_end_shows_against_an_anchor(database):
    fill(database)
    with database.write() as connection:
        anchor = head(connection)
        connection.execute(sa.delete(audit).where(audit.c.seq > 35))
    assert check(database).seq == 35
    with pytest.raises(AuditError, match="ends at entry 35; entry 40 was anchored"):
        check(database, [anchor])


@pytest.mark.trust("S12", "H9.2")
def test_a_rewritten_end_shows_against_an_anchor(database):
    fill(database)
    with database.write() as connection:
        anchor = head(connection)
        connection.execute(sa.delete(audit).where(audit.c.seq > 35))
        append(connection, [Entry(n, "x", "nurse", "R", "chart") for n in range(5)])
    with pytest.raises(AuditError, match="not the one that was anchored"):
        check(database, [anchor])


@pytest.mark.trust("S12", "H9.1")
@pytest.mark.parametrize("batch", [1, 7, 8, 39, 40, 41])
def test_a_chain_longer_than_a_batch_is_walked_to_its_end(database, monkeypatch, batch):
    monkeypatch.setattr(chain, "BATCH", batch)
    fill(database)
    assert check(database).seq == 40
    with database.write() as connection:
        connection.execute(sa.update(audit).where(audit.c.seq == 40).values(outcome="other"))
    with pytest.raises(AuditError, match="entry 40"):
        check(database)


def test_the_seals_of_kept_chains_stay_as_they_are(database):
    first = Entry(1, "u1", "nurse", "R", "chart", "p1", detail="row 1")
    second = Entry(2, "u2", "admin", "D", "store", purpose="HOPERAT", outcome="refused")
    with database.write() as connection:
        append(connection, [first])
        append(connection, [second])
    with database.read() as connection:
        rows = connection.execute(sa.select(audit).order_by(audit.c.seq)).all()
    assert [row.prev for row in rows] == ["0" * 64, rows[0].hash]
    assert [row.hash for row in rows] == [
        "059fde5562485fe79c5ce434e33910549337c0687304acf7ae7fcb9dc1c31be1",
        "c1004595b4e3e563f0398b8cd12aa9dc63f3bafcb9d4d9cec62bc8b2de6dcb06",
    ]


def test_entries_of_persons_are_those_alone_in_their_order(database):
    entries = [
        Entry(0, "u1", "nurse", "R", "chart/a", "p1"),
        Entry(5, "u2", "nurse", "U", "worklist", "p2"),
        Entry(3, "u3", "nurse", "R", "chart_b", "p1"),
        Entry(4, "u4", "nurse", "R", "chart/c", "p3"),
        Entry(9, "u5", "nurse", "R", "worklist"),
    ]
    with database.write() as connection:
        append(connection, entries)
    with database.read() as connection:
        assert of_persons(connection, ["p1", "p2"]) == entries[:3]
        assert of_persons(connection, ["p1"], after=3) == [entries[2]]
        assert of_persons(connection, ["p1"], what="chart_") == [entries[2]]
        assert of_persons(connection, ["p1"], what="chart") == [entries[0], entries[2]]
        assert of_persons(connection, []) == []
