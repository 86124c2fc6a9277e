"""Runs the steps of Alembic on the connection that `migrate` hands over."""

from alembic import context

from redcell.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
