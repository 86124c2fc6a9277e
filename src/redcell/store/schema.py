"""The tables. What came in and what was concluded is append-only; the rest is work state.

Times are microseconds since 1970 UTC. `body` columns hold UTF-8 JSON (or the message as it came).
Types are the ones that SQLite's STRICT tables and PostgreSQL share.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint

Count = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""Whole numbers, 64 bits."""
Number: Any = sa.Double().with_variant(sa.REAL(), "sqlite")
Text = sa.Text()
Bytes = sa.LargeBinary()

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def column(name: str, kind: Any, *rest: object, **kw: object) -> sa.Column:  # type: ignore[type-arg]
    """A column that is not null unless it says so."""
    kw.setdefault("nullable", False)
    return sa.Column(name, kind, *rest, **kw)  # type: ignore[arg-type]


def table(name: str, *parts: Any) -> sa.Table:
    """A table; STRICT where the database knows it."""
    made: sa.Table = sa.Table(name, metadata, *parts, sqlite_strict=True)
    return made


def number() -> sa.Column:  # type: ignore[type-arg]
    """A growing number as primary key."""
    return sa.Column("id", Count, primary_key=True, autoincrement=True)


# -- append-only ---------------------------------------------------------------------------------

arrivals = table(
    "arrivals",
    number(),
    column("feed", Text),
    column("form", Text),  # fhir, hl7v2, csv, bulk, entry
    column("key", Text),  # the sender's own name for it: MSH-10, file and line, request id
    column("hash", Text),
    column("body", Bytes),
    column("received", Count),
    column("outcome", Text),  # accepted, held, refused
    column("code", Text, default=""),
    column("text", Text, default=""),
    column("replay_of", Count, ForeignKey("arrivals.id"), nullable=True),
    Index(None, "feed", "key"),
    Index(None, "outcome", "id"),
)

facts = table(
    "facts",
    number(),
    column("kind", Text),  # FHIR resource type
    column("rid", Text),  # logical id
    column("version", Count),
    column("patient", Text, nullable=True),
    column("rank", Count),
    column("asserted", Count),
    column("received", Count),
    column("hash", Text),
    column("body", Bytes),
    column("arrival", Count, ForeignKey("arrivals.id")),
    UniqueConstraint("kind", "rid", "version"),
    UniqueConstraint("kind", "rid", "hash", "asserted"),
    Index(None, "patient", "kind"),
)

assessments = table(
    "assessments",
    number(),
    column("person", Text),
    column("at", Count),
    column("made", Count),
    column("inputs", Text),  # hash of the ids of the facts that went in
    column("facts", Bytes),  # the ids, JSON
    column("knowledge", Text),
    column("code", Text),
    column("policy", Text),
    column("state", Text),  # hash of what would change what a person does
    column("status", Text),  # assessed, left-out:REASON, failed
    column("body", Bytes),  # the output contract, forecast included
    column("forecast", Bytes, nullable=True),  # the prediction, to be shown again as it was
    Index(None, "person", "id"),
)

events = table(
    "events",
    number(),
    column("kind", Text),  # claimed, snoozed, done, decided, released, message, card-shown, ...
    column("at", Count),
    column("actor", Text),  # account or client id
    column("person", Text, nullable=True),
    column("subject", Text, default=""),  # what it is about: a resource, card, message, line
    column("key", Text, nullable=True),  # idempotency
    column("body", Bytes),
    UniqueConstraint("kind", "key"),
    Index(None, "person", "kind", "id"),
    Index(None, "kind", "subject"),
)

audit = table(
    "audit",
    column("seq", Count, primary_key=True, autoincrement=False),
    column("at", Count),
    column("actor", Text),
    column("role", Text),
    column("action", Text),  # C R U D E, as FHIR AuditEvent
    column("person", Text, nullable=True),
    column("what", Text),
    column("purpose", Text),
    column("outcome", Text),
    column("origin", Text),
    column("detail", Text),
    column("prev", Text),
    column("hash", Text),
    Index(None, "person", "seq"),
    Index(None, "actor", "seq"),
)

APPEND_ONLY = (arrivals, facts, assessments, events, audit)

# -- projections: derived from the above, can be rebuilt ------------------------------------------

current = table(
    "current",
    column("kind", Text, primary_key=True),
    column("rid", Text, primary_key=True),
    column("fact", Count, ForeignKey("facts.id")),
    column("patient", Text, nullable=True),
    Index(None, "patient", "kind"),
)

tokens = table(
    "tokens",
    column("kind", Text),
    column("rid", Text),
    column("param", Text),  # code, category, status, identifier, ...
    column("system", Text),
    column("code", Text),
    Index(None, "kind", "rid"),
    Index(None, "kind", "param", "code"),
)

readings = table(
    "readings",
    column("patient", Text),
    column("code", Text),  # the first code of the Observation
    column("time", Count),
    column("value", Number, nullable=True),
    column("unit", Text),
    column("kind", Text),
    column("rid", Text),
    UniqueConstraint("kind", "rid"),
    Index(None, "patient", "code", "time", "value"),
    Index(None, "kind", "time"),
)

persons = table(
    "persons",
    column("patient", Text, primary_key=True),
    column("person", Text),
    Index(None, "person"),
)

worklist = table(
    "worklist",
    column("person", Text, primary_key=True),
    column("assessment", Count),
    column("made", Count),
    column("level", Count),  # 0 emergency ... 5 routine
    column("urgency", Text),
    column("status", Text),
    column("name", Text),  # sort and search; shown only to those who may see the person
    column("mrn", Text),
    column("hemoglobin", Number, nullable=True),
    column("hemoglobin_at", Count, nullable=True),
    column("grade", Count, nullable=True),
    column("decision", Text),
    column("due", Text, nullable=True),  # date of the next count
    column("probability", Number, nullable=True),  # of a transfusion within 28 days
    column("held", Count),
    column("state", Text),
    column("body", Bytes),  # the line as JSON: reasons, symptoms, course
    CheckConstraint("level between 0 and 5", name="level"),
    Index(None, "assessment"),  # lines that are newer than what was read before
    Index(None, "level", "due", "person"),
    Index(None, "due"),
    Index(None, "name"),
)

# -- work state ------------------------------------------------------------------------------------

jobs = table(
    "jobs",
    number(),
    column("kind", Text),
    column("key", Text),
    column("body", Bytes),
    column("run_after", Count),
    column("lease_until", Count, default=0),
    column("worker", Text, default=""),
    column("attempts", Count, default=0),
    column("wanted", Count),  # asked for at; asked again while it runs, it runs again
    column("error", Text, default=""),
    UniqueConstraint("kind", "key"),
    Index(None, "run_after"),
)

accounts = table(
    "accounts",
    column("id", Text, primary_key=True),
    column("login", Text, unique=True),
    column("name", Text),
    column("password", Text, nullable=True),  # argon2id
    column("roles", Text),  # space separated
    column("person", Text, nullable=True),  # for a patient: who; a proxy's people are grants
    column("subject", Text, nullable=True, unique=True),  # issuer and subject of OIDC
    column("made", Count),
    column("disabled", Count, nullable=True),
)

grants = table(
    "grants",
    column("account", Text, ForeignKey("accounts.id"), primary_key=True),
    column("person", Text, primary_key=True),
    column("until", Count, nullable=True),
)

passkeys = table(
    "passkeys",
    column("id", Text, primary_key=True),
    column("account", Text, ForeignKey("accounts.id")),
    column("public_key", Bytes),
    column("counter", Count),
    column("made", Count),
    column("used", Count, nullable=True),
)

sessions = table(
    "sessions",
    column("id", Text, primary_key=True),  # hash of the cookie's value
    column("account", Text, ForeignKey("accounts.id")),
    column("made", Count),
    column("seen", Count),
    column("until", Count),
    column("body", Bytes),
    Index(None, "account"),
)

one_time = table(
    "one_time",
    column("id", Text, primary_key=True),  # hash of a secret: sign-in link, code, state
    column("kind", Text),
    column("until", Count),
    column("body", Bytes),
)

used_tokens = table(
    "used_tokens",
    column("issuer", Text, primary_key=True),
    column("jti", Text, primary_key=True),
    column("until", Count),
    Index(None, "until"),
)

clients = table(
    "clients",
    column("id", Text, primary_key=True),
    column("name", Text),
    column("kind", Text),  # backend, public, cds
    column("roles", Text),
    column("body", Bytes),  # keys, redirect addresses, scopes
    column("made", Count),
    column("disabled", Count, nullable=True),
)
