"""An index that finds the lines of the worklist that are newer than what was read before."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_worklist_assessment", "worklist", ["assessment"], unique=False)
