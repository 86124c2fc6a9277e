"""The steps of the schema make what the tables say, whole or not at all."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from redcell.errors import StoreError
from redcell.store import migrate
from redcell.store.database import open_database
from redcell.store.migrations import versions  # noqa: F401  (a package of the wheel)
from redcell.store.schema import APPEND_ONLY, metadata


@pytest.mark.trust("A6", "A8")
def test_the_steps_make_the_tables_as_they_are(database):
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


@pytest.mark.trust("A8", "P2", "H9.4")
def test_append_only_is_the_same_in_both():
    from importlib import import_module

    first = import_module("redcell.store.migrations.versions.0001_first")
    assert tuple(t.name for t in APPEND_ONLY) == first.APPEND_ONLY


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
