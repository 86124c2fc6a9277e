"""The first schema, as it was when redcell was first released."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from redcell.store.database import guard

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NUMBER: Any = sa.Double().with_variant(sa.REAL(), "sqlite")
APPEND_ONLY = ("arrivals", "facts", "assessments", "events", "audit")


def upgrade() -> None:
    """Make every table, and the triggers of the append-only ones."""
    what_came_in()
    what_is_concluded()
    who_may_what()
    guard(op.get_bind(), APPEND_ONLY)


def what_came_in() -> None:
    """Arrivals, facts and what finds them."""
    op.create_table(
        "arrivals",
        sa.Column("id", COUNT, autoincrement=True, nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received", COUNT, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("replay_of", COUNT, nullable=True),
        sa.ForeignKeyConstraint(["replay_of"], ["arrivals.id"], name="fk_arrivals_replay_of"),
        sa.PrimaryKeyConstraint("id", name="pk_arrivals"),
        sqlite_strict=True,
    )
    op.create_index("ix_arrivals_feed_key", "arrivals", ["feed", "key"], unique=False)
    op.create_index("ix_arrivals_outcome_id", "arrivals", ["outcome", "id"], unique=False)
    op.create_table(
        "facts",
        sa.Column("id", COUNT, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rid", sa.Text(), nullable=False),
        sa.Column("version", COUNT, nullable=False),
        sa.Column("patient", sa.Text(), nullable=True),
        sa.Column("rank", COUNT, nullable=False),
        sa.Column("asserted", COUNT, nullable=False),
        sa.Column("received", COUNT, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("arrival", COUNT, nullable=False),
        sa.ForeignKeyConstraint(["arrival"], ["arrivals.id"], name="fk_facts_arrival"),
        sa.PrimaryKeyConstraint("id", name="pk_facts"),
        sa.UniqueConstraint(
            "kind", "rid", "hash", "asserted", name="uq_facts_kind_rid_hash_asserted"
        ),
        sa.UniqueConstraint("kind", "rid", "version", name="uq_facts_kind_rid_version"),
        sqlite_strict=True,
    )
    op.create_index("ix_facts_patient_kind", "facts", ["patient", "kind"], unique=False)
    op.create_table(
        "current",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rid", sa.Text(), nullable=False),
        sa.Column("fact", COUNT, nullable=False),
        sa.Column("patient", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["fact"], ["facts.id"], name="fk_current_fact"),
        sa.PrimaryKeyConstraint("kind", "rid", name="pk_current"),
        sqlite_strict=True,
    )
    op.create_index("ix_current_patient_kind", "current", ["patient", "kind"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rid", sa.Text(), nullable=False),
        sa.Column("param", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sqlite_strict=True,
    )
    op.create_index("ix_tokens_kind_param_code", "tokens", ["kind", "param", "code"], unique=False)
    op.create_index("ix_tokens_kind_rid", "tokens", ["kind", "rid"], unique=False)
    op.create_table(
        "readings",
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("time", COUNT, nullable=False),
        sa.Column("value", NUMBER, nullable=True),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rid", sa.Text(), nullable=False),
        sa.UniqueConstraint("kind", "rid", name="uq_readings_kind_rid"),
        sqlite_strict=True,
    )
    op.create_index("ix_readings_kind_time", "readings", ["kind", "time"], unique=False)
    op.create_index(
        "ix_readings_patient_code_time_value",
        "readings",
        ["patient", "code", "time", "value"],
        unique=False,
    )
    op.create_table(
        "persons",
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("patient", name="pk_persons"),
        sqlite_strict=True,
    )
    op.create_index("ix_persons_person", "persons", ["person"], unique=False)


def what_is_concluded() -> None:
    """Assessments, the worklist, events, audit, jobs."""
    op.create_table(
        "assessments",
        sa.Column("id", COUNT, autoincrement=True, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("at", COUNT, nullable=False),
        sa.Column("made", COUNT, nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("knowledge", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("forecast", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_assessments"),
        sqlite_strict=True,
    )
    op.create_index("ix_assessments_person_id", "assessments", ["person", "id"], unique=False)
    op.create_table(
        "worklist",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("assessment", COUNT, nullable=False),
        sa.Column("made", COUNT, nullable=False),
        sa.Column("level", COUNT, nullable=False),
        sa.Column("urgency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mrn", sa.Text(), nullable=False),
        sa.Column("hemoglobin", NUMBER, nullable=True),
        sa.Column("hemoglobin_at", COUNT, nullable=True),
        sa.Column("grade", COUNT, nullable=True),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("due", sa.Text(), nullable=True),
        sa.Column("probability", NUMBER, nullable=True),
        sa.Column("held", COUNT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("level between 0 and 5", name="ck_worklist_level"),
        sa.PrimaryKeyConstraint("person", name="pk_worklist"),
        sqlite_strict=True,
    )
    op.create_index("ix_worklist_due", "worklist", ["due"], unique=False)
    op.create_index(
        "ix_worklist_level_due_person", "worklist", ["level", "due", "person"], unique=False
    )
    op.create_index("ix_worklist_name", "worklist", ["name"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", COUNT, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", COUNT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("kind", "key", name="uq_events_kind_key"),
        sqlite_strict=True,
    )
    op.create_index("ix_events_kind_subject", "events", ["kind", "subject"], unique=False)
    op.create_index("ix_events_person_kind_id", "events", ["person", "kind", "id"], unique=False)
    op.create_table(
        "audit",
        sa.Column("seq", COUNT, autoincrement=False, nullable=False),
        sa.Column("at", COUNT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("prev", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
        sqlite_strict=True,
    )
    op.create_index("ix_audit_actor_seq", "audit", ["actor", "seq"], unique=False)
    op.create_index("ix_audit_person_seq", "audit", ["person", "seq"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("id", COUNT, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("run_after", COUNT, nullable=False),
        sa.Column("lease_until", COUNT, nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("attempts", COUNT, nullable=False),
        sa.Column("wanted", COUNT, nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("kind", "key", name="uq_jobs_kind_key"),
        sqlite_strict=True,
    )
    op.create_index("ix_jobs_run_after", "jobs", ["run_after"], unique=False)


def who_may_what() -> None:
    """Accounts, sessions, clients."""
    op.create_table(
        "accounts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("made", COUNT, nullable=False),
        sa.Column("disabled", COUNT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("login", name="uq_accounts_login"),
        sa.UniqueConstraint("subject", name="uq_accounts_subject"),
        sqlite_strict=True,
    )
    op.create_table(
        "grants",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("until", COUNT, nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_grants_account"),
        sa.PrimaryKeyConstraint("account", "person", name="pk_grants"),
        sqlite_strict=True,
    )
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("counter", COUNT, nullable=False),
        sa.Column("made", COUNT, nullable=False),
        sa.Column("used", COUNT, nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_passkeys_account"),
        sa.PrimaryKeyConstraint("id", name="pk_passkeys"),
        sqlite_strict=True,
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("made", COUNT, nullable=False),
        sa.Column("seen", COUNT, nullable=False),
        sa.Column("until", COUNT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_sessions_account"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sqlite_strict=True,
    )
    op.create_index("ix_sessions_account", "sessions", ["account"], unique=False)
    op.create_table(
        "one_time",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("until", COUNT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_one_time"),
        sqlite_strict=True,
    )
    op.create_table(
        "used_tokens",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("jti", sa.Text(), nullable=False),
        sa.Column("until", COUNT, nullable=False),
        sa.PrimaryKeyConstraint("issuer", "jti", name="pk_used_tokens"),
        sqlite_strict=True,
    )
    op.create_index("ix_used_tokens_until", "used_tokens", ["until"], unique=False)
    op.create_table(
        "clients",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("made", COUNT, nullable=False),
        sa.Column("disabled", COUNT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_clients"),
        sqlite_strict=True,
    )
