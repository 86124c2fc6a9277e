"""Files of HL7 v2 messages and tables, each message or table translated into FHIR resources."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

from redcell.feeds.channels import channel_of
from redcell.sources.csv_labs.to_fhir import translate_table
from redcell.sources.hl7v2.framing import RefusedMessageError, split
from redcell.sources.translated import Refusal, Translated

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

MESSAGE, TABLE = "hl7v2", "csv"


class Unit(Struct, frozen=True):
    """One message or table: its name at the sender, as it came, and what it says."""

    form: str
    key: str
    body: bytes
    found: Translated


def messages(clinic: Clinic, feed: str, name: str, data: bytes) -> Iterator[Unit]:
    """The messages of a file; a file without any is one refusal."""
    channel = channel_of(clinic.settings.feed(feed), clinic.settings)
    try:
        for raw in split(name, data, []):
            body = b"\r".join(raw.lines) + b"\r"
            found = channel.translate(body)
            seal = sha256(body).hexdigest()
            yield Unit(MESSAGE, f"{found.sender}|{found.control or 'sha256:' + seal}", body, found)
    except RefusedMessageError as error:
        refusal = Translated(refusal=Refusal("not-readable", str(error)))
        yield Unit(MESSAGE, name, data, refusal)


def table(clinic: Clinic, feed: str, name: str, data: bytes) -> Unit:
    """A table as it is read today."""
    settings = clinic.settings.feed(feed)
    channel = channel_of(settings, clinic.settings)
    found = translate_table(name, data, system=settings.authority, zone=channel.zone)
    return Unit(TABLE, name, data, found)
