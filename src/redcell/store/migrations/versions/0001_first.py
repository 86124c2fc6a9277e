"""The first schema.

Not yet released: until the first release this step makes the schema as it stands.
"""

from alembic import op

from redcell.store.database import create_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table and the triggers of the append-only ones."""
    create_tables(op.get_bind())
