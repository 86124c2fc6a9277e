"""The steps of the schema make what the tables say, whole or not at all."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from redcell.errors import StoreError
from redcell.store import migrate
from redcell.store.database import insert_many, open_database
from redcell.store.migrations import versions  # noqa: F401  (a package of the wheel)
from redcell.store.schema import APPEND_ONLY, metadata, worklist


@pytest.mark.trust("A6", "A8")
def test_the_steps_make_the_tables_as_they_are(database):
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_step_is_known_without_the_library_that_takes_it(database):
    config = Config()
    config.set_main_option("script_location", str(migrate.HERE))
    assert migrate.newest() == ScriptDirectory.from_config(config).get_current_head()
    with database.read() as connection:
        taken = MigrationContext.configure(connection).get_current_revision()
    assert migrate.revision(database) == taken == migrate.newest()


def test_a_store_without_tables_is_at_no_step(store_address):
    empty = open_database(store_address)
    assert migrate.revision(empty) is None
    with pytest.raises(StoreError, match="empty"):
        migrate.require_current(empty)
    empty.close()


@pytest.mark.trust("A8", "P2", "H9.4")
def test_append_only_is_the_same_in_both():
    from importlib import import_module

    first = import_module("redcell.store.migrations.versions.0001_first")
    assert tuple(t.name for t in APPEND_ONLY) == first.APPEND_ONLY


@pytest.mark.trust("A6")
def test_a_store_of_the_first_release_is_brought_up_to_date(store_address, monkeypatch):
    old = open_database(store_address)
    with monkeypatch.context() as patched:
        upgrade = command.upgrade
        patched.setattr(command, "upgrade", lambda config, _: upgrade(config, "0001"))
        migrate.upgrade(old)
    assert migrate.revision(old) == "0001"
    with pytest.raises(StoreError, match="redcell init"):
        migrate.require_current(old)
    migrate.upgrade(old)
    migrate.require_current(old)
    with old.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    old.close()


def test_lines_newer_than_known_are_found_by_the_index(database):
    query = "select person, body from worklist where assessment > 9990"
    row = {c.name: 0 if c.type.python_type in (int, float) else b"" for c in worklist.columns}
    rows = [
        {n: v if v != b"" or n == "body" else "" for n, v in row.items()}
        | {"person": f"p{n}", "assessment": n}
        for n in range(10_000)
    ]
    with database.write() as connection:
        insert_many(connection, worklist, rows)
        connection.execute(sa.text("analyze worklist"))
        explain = "explain query plan" if database.dialect == "sqlite" else "explain"
        plan = connection.execute(sa.text(f"{explain} {query}")).all()
    assert "ix_worklist_assessment" in str(plan)


def test_an_empty_store_is_refused_with_what_to_do(store_address):
    empty = open_database(store_address)
    with pytest.raises(StoreError, match="redcell init"):
        migrate.require_current(empty)
    empty.close()


@pytest.mark.trust("A6")
def test_a_store_of_another_version_is_refused(database):
    with database.write() as connection:
        connection.execute(sa.text("update alembic_version set version_num = '9999'"))
    with pytest.raises(StoreError, match="step 9999"):
        migrate.require_current(database)


def test_upgrading_twice_changes_nothing(database):
    migrate.upgrade(database)
    migrate.require_current(database)


class CutError(RuntimeError):
    """The power is gone."""


def cut_off(store, after: int) -> bool:
    """Bring a store up to date, cut off after so many statements; was it?"""
    left = [after]

    def stop(*_of_the_statement):
        left[0] -= 1
        if left[0] < 0:
            raise CutError

    sa.event.listen(store.engine, "before_cursor_execute", stop)
    try:
        migrate.upgrade(store)
    except CutError:
        return True
    finally:
        sa.event.remove(store.engine, "before_cursor_execute", stop)
    return False


def tables(store) -> list[str]:
    with store.read() as connection:
        return sa.inspect(connection).get_table_names()


@pytest.mark.trust("A6")
def test_a_step_that_is_cut_off_at_any_statement_leaves_nothing(store_address):
    store, after = open_database(store_address), 0
    while cut_off(store, after):
        assert tables(store) == [], after
        after += 1
    assert after > len(metadata.tables)
    migrate.require_current(store)
    store.close()


@pytest.mark.trust("A6")
def test_a_later_step_that_is_cut_off_at_any_statement_leaves_the_earlier_one(
    store_address, monkeypatch
):
    store, after = open_database(store_address), 0
    with monkeypatch.context() as patched:
        upgrade = command.upgrade
        patched.setattr(command, "upgrade", lambda config, _: upgrade(config, "0001"))
        migrate.upgrade(store)
    row = {"person": "p", "assessment": 1, "level": 5, "made": 1, "held": 0}
    with store.write() as connection:
        texts = {c.name: "x" for c in worklist.columns if c.type.python_type is str}
        full = {c.name: 0 for c in worklist.columns} | texts | {"body": b"{}"} | row
        insert_many(connection, worklist, [full])
    while cut_off(store, after):
        assert migrate.revision(store) == "0001", after
        after += 1
    assert after > 0
    migrate.require_current(store)
    with store.read() as connection:
        assert connection.scalar(sa.select(worklist.c.person)) == "p"
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    store.close()
