"""Sessions: a random value in a cookie, its hash in the store, and what it stands for.

A new value is made at each sign-in, so that one planted before it is worth nothing. A session ends
when nothing is asked for a while, after some hours whatever is done, or when somebody ends it.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.engine import Connection

from redcell.clinic.settings import SignIn
from redcell.clock import HOUR, MINUTE
from redcell.identity import accounts, secret
from redcell.identity.accounts import Account
from redcell.identity.caller import Caller
from redcell.store import persons
from redcell.store.schema import sessions

TOUCH = MINUTE
"""`seen` is written again when it is older than this, not at every request."""
AT_HOME = frozenset({"patient", "proxy"})


class About(Struct, frozen=True):
    """What a session keeps besides whose it is."""

    how: str = "password"
    """password, passkey, link, hospital, launch."""
    launched: str = ""
    glass: tuple[str, ...] = ()


class Session(Struct, frozen=True):
    """An open session. `id` is the hash of the cookie's value."""

    id: str
    account: str
    made: int
    seen: int
    until: int
    about: About


def start(
    connection: Connection,
    account: Account,
    *,
    at: int,
    times: SignIn,
    about: About | None = None,
    instead: str = "",
) -> str:
    """Open a session; the cookie's value. `instead` is a cookie's value that ends by it.

    Raises:
        AccountError: the account is disabled.
    """
    if not account.open:
        raise accounts.AccountError("This account is closed.")
    if instead:
        end(connection, instead)
    value = secret.new()
    connection.execute(
        sa.insert(sessions).values(
            id=secret.digest(value),
            account=account.id,
            made=at,
            seen=at,
            until=at + times.hours * HOUR,
            body=msgspec.json.encode(about or About()),
        )
    )
    return value


def end(connection: Connection, value: str) -> None:
    """End one session, by its cookie's value."""
    end_by_id(connection, secret.digest(value))


def end_by_id(connection: Connection, session: str) -> None:
    """End one session, by its id."""
    connection.execute(sa.delete(sessions).where(sessions.c.id == session))


def end_all(connection: Connection, account: str, *, but: str = "") -> int:
    """Sign out everywhere, perhaps but for one session; how many ended."""
    where = (sessions.c.account == account, sessions.c.id != but)
    return connection.execute(sa.delete(sessions).where(*where)).rowcount


def every(connection: Connection, account: str, *, at: int) -> list[Session]:
    """The open sessions of an account, the newest first."""
    where = (sessions.c.account == account, sessions.c.until > at)
    rows = connection.execute(sa.select(sessions).where(*where).order_by(sessions.c.made.desc()))
    return [_session(row) for row in rows]


def resolve(
    connection: Connection, value: str, *, at: int, times: SignIn
) -> tuple[Caller, Session] | None:
    """Whose request carries this cookie; `None` when the session is unknown or over."""
    query = sa.select(sessions).where(sessions.c.id == secret.digest(value))
    row = connection.execute(query).first()
    if row is None:
        return None
    found = _session(row)
    account = accounts.by_id(connection, found.account)
    if account is None or not account.open:
        return None
    if not found.made <= at < found.until or at - found.seen >= idle(account, times):
        return None
    return _caller(connection, account, found, at=at), found


def idle(account: Account, times: SignIn) -> int:
    """How long a session of this account may rest."""
    home = account.roles <= AT_HOME
    return (times.patient_idle_minutes if home else times.idle_minutes) * MINUTE


def is_due(found: Session, *, at: int) -> bool:
    """Should `seen` be written again?"""
    return at - found.seen >= TOUCH


def touch(connection: Connection, session: str, *, at: int) -> None:
    """Something was asked for in a session."""
    later = (sessions.c.id == session, sessions.c.seen < at)
    connection.execute(sa.update(sessions).where(*later).values(seen=at))


def open_glass(connection: Connection, session: str, person: str) -> None:
    """Let the rest of a session see one more person."""
    row = connection.execute(sa.select(sessions).where(sessions.c.id == session)).first()
    if row is None:
        raise accounts.AccountError("This session is over.")
    about = _session(row).about
    about = replace(about, glass=tuple(sorted({*about.glass, person})))
    changed: dict[str, Any] = {"body": msgspec.json.encode(about)}
    connection.execute(sa.update(sessions).where(sessions.c.id == session).values(**changed))


def forget_old(connection: Connection, *, at: int) -> None:
    """Remove sessions that are over."""
    connection.execute(sa.delete(sessions).where(sessions.c.until <= at))


def _caller(connection: Connection, account: Account, found: Session, *, at: int) -> Caller:
    about = found.about
    people = accounts.people(connection, account, at=at)
    launched = persons.person_of(connection, about.launched) if about.launched else ""
    glass = frozenset(about.glass) | {persons.person_of(connection, p) for p in about.glass}
    return Caller(
        account=account.id,
        name=account.name,
        roles=account.roles,
        people=people,
        launched=launched,
        glass=glass,
        own=accounts.own(connection, account),
        session=found.id,
    )


def _session(row: Any) -> Session:
    about = msgspec.json.decode(row.body, type=About)
    return Session(row.id, row.account, row.made, row.seen, row.until, about)
