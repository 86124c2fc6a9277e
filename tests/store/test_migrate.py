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


@pytest.mark.trust("A6")
@pytest.mark.parametrize("after", [1, 4, 9, 15])
def test_a_step_that_is_cut_off_leaves_nothing(store_address, after):
    broken = open_database(store_address)
    seen = []

    def stop(_conn, _cursor, statement, *_rest):
        seen.append(statement)
        if statement.lstrip().upper().startswith("CREATE TABLE") and len(seen) > after:
            raise RuntimeError("power loss")

    sa.event.listen(broken.engine, "before_cursor_execute", stop)
    with pytest.raises(RuntimeError, match="power loss"):
        migrate.upgrade(broken)
    sa.event.remove(broken.engine, "before_cursor_execute", stop)
    assert migrate.revision(broken) is None
    migrate.upgrade(broken)
    migrate.require_current(broken)
    broken.close()
