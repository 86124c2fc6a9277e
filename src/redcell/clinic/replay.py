"""What was held or refused, and doing it again after a code or a setting was mended.

A replay takes the payload as it came through today's reading. What it brings is kept as a new
arrival that names the old one; the old one stays as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic import intake
from redcell.clinic.intake import Sender, Taken, arrived
from redcell.clinic.resources import kept, parts_of, read_json
from redcell.clinic.settings import Feed
from redcell.clinic.versions import KINDS, Json, RefusedResourceError
from redcell.errors import RedcellError
from redcell.sources.as_fhir import Authorities
from redcell.store import search
from redcell.store.schema import arrivals
from redcell.store.search import Came

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic
    from redcell.sources.csv_labs.to_fhir import TranslatedTable

JSON_FORMS = frozenset({"fhir", "bulk", "entry"})
MESSAGE, TABLE, PIECE = "hl7v2", "csv", "csv-part"
"""A piece of a large table names the table by its key, a hash and its number: `sha256:...#2`."""


class NothingToReplayError(RedcellError):
    """There is no such arrival, or it was used already."""


class Open(Struct, frozen=True):
    """A held or refused arrival that waits for a person."""

    number: int
    feed: str
    form: str
    received: int
    outcome: str
    code: str
    text: str


def waiting(connection: Connection, *, before: int | None = None, limit: int = 100) -> list[Open]:
    """Held and refused arrivals, the newest first; those put right are not among them."""
    found = search.open_arrivals(connection, before=before, limit=limit)
    return [Open(a.id, a.feed, a.form, a.received, a.outcome, a.code, a.text) for a in found]


def replay(clinic: Clinic, number: int, sender: Sender, *, at: int) -> Taken:
    """Take a held or refused arrival again.

    What is refused again changes nothing: the answer says why, and the arrival goes on waiting.

    Raises:
        NothingToReplayError: it is not there, was used, or was put right before.
    """
    with clinic.database.read() as connection:
        came, body = _found(connection, number)
        whole = _whole(connection, came) if came.form == PIECE else body
    try:
        resources = resources_of(clinic, came, whole)
        versions = [kept(one, at) for one in resources]
    except RefusedResourceError as error:
        return Taken("refused", 0, text=error.text)
    arrival = arrived(came.feed, came.form, came.key, body, at, replay_of=number)

    def write(connection: Connection) -> Taken:
        _found(connection, number)  # somebody else may have been faster
        return intake.take_versions(connection, arrival, versions, sender)

    return clinic.writer.write(write)


def _found(connection: Connection, number: int) -> tuple[Came, bytes]:
    came = search.arrival(connection, number)
    body = search.body_of(connection, number)
    if came is None or body is None or came.outcome == "accepted":
        raise NothingToReplayError(f"arrival {number} is not there, or is in use.")
    if search.is_mended(connection, number):
        raise NothingToReplayError(f"arrival {number} was put right already.")
    return came, body


def resources_of(clinic: Clinic, came: Came, body: bytes) -> list[Json]:
    """The resources that a payload gives today.

    Raises:
        RefusedResourceError: it gives none.
    """
    if came.form in JSON_FORMS:
        return _documents(read_json(body))
    feed = clinic.settings.feed(came.feed)
    if came.form == MESSAGE:
        return _message(clinic, feed, body)
    if came.form == TABLE:
        return list(_table(clinic, feed, came.key, body).resources)
    if came.form == PIECE:
        return _piece(_table(clinic, feed, came.key, body), came.key)
    raise RefusedResourceError("not-supported", "", f"the form {came.form} cannot be replayed.")


def _documents(document: Json) -> list[Json]:
    """The resources of a document that are of a type that is kept; all of them if none is."""
    found = [part.resource for part in parts_of(document)]
    return [one for one in found if one.get("resourceType") in KINDS] or found


def zone_of(clinic: Clinic, feed: Feed) -> ZoneInfo:
    """The zone of a feed's times; the site's where it has none of its own."""
    return ZoneInfo(feed.zone) if feed.zone else clinic.settings.zone


def _message(clinic: Clinic, feed: Feed, body: bytes) -> list[Json]:
    from redcell.sources.hl7v2 import to_fhir

    done = to_fhir.translate(
        body,
        zone=zone_of(clinic, feed),
        authorities=Authorities(feed.authorities, feed.authority),
        allow_test=feed.test,
    )
    if done.refusal is not None:
        raise RefusedResourceError(done.refusal.code, "", done.refusal.text)
    return list(done.resources)


def _table(clinic: Clinic, feed: Feed, key: str, body: bytes) -> TranslatedTable:
    from redcell.sources.csv_labs.to_fhir import translate_table

    name = key.rpartition("@")[0] or key
    done = translate_table(name, body, system=feed.authority, zone=zone_of(clinic, feed))
    if done.refusal is not None:
        raise RefusedResourceError(done.refusal.code, "", done.refusal.text)
    return done


def _whole(connection: Connection, came: Came) -> bytes:
    """The table of which this is a piece; it came with the first one."""
    key = came.key.rpartition("#")[0]
    wanted = sa.select(arrivals.c.body).where(
        arrivals.c.feed == came.feed, arrivals.c.key == key, arrivals.c.form == TABLE
    )
    found = connection.scalar(wanted.order_by(arrivals.c.id).limit(1))
    if found is None:
        raise NothingToReplayError(f"the table of arrival {came.id} is not there.")
    return bytes(found)


def _piece(table: TranslatedTable, key: str) -> list[Json]:
    number = key.rpartition("#")[2]
    if not number.isdecimal() or not 0 < int(number) <= len(table.pieces):
        raise RefusedResourceError("not-found", "", "the table has no such piece today.")
    return list(table.pieces[int(number) - 1])
