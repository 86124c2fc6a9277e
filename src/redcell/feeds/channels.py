"""How the messages of each sender are read: zone, authorities, whether test messages are taken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from zoneinfo import ZoneInfo

from msgspec import Struct

from redcell.clinic.settings import Feed, Settings
from redcell.sources.as_fhir import Authorities
from redcell.sources.hl7v2.header import Header
from redcell.sources.hl7v2.to_fhir import TranslatedMessage, translate
from redcell.sources.terms import Terms


class Channel(Struct, frozen=True):
    """One feed as its messages are read."""

    name: str = "lab"
    zone: tzinfo | None = None
    authorities: Authorities = Authorities()
    allow_test: bool = False
    terms: Terms | None = None
    """The code tables; those of the bundled knowledge base when not given."""

    def translate(self, body: bytes, header: Header | None = None) -> TranslatedMessage:
        """One HL7 v2 message of this feed as FHIR resources; its header, where it is known."""
        return translate(
            body,
            zone=self.zone,
            authorities=self.authorities,
            allow_test=self.allow_test,
            base=self.terms,
            header=header,
        )


class Channels:
    """The feeds that one listener serves."""

    def __init__(self, channels: Iterable[Channel] = ()) -> None:
        """Take feeds; the first one is for senders that none of them names."""
        self._first, self._named = Channel(), {}
        for channel in reversed(list(channels)):
            self._first = self._named[channel.name.lower()] = channel

    def of(self, sender: str) -> Channel:
        """The feed of a sender (`application|facility`): named by both, facility, application."""
        names = (sender, *reversed(sender.split("|")))
        found = (self._named.get(name.lower()) for name in names if name)
        return next((channel for channel in found if channel is not None), self._first)


def channel_of(feed: Feed, settings: Settings, terms: Terms | None = None) -> Channel:
    """A feed of the settings."""
    return Channel(
        name=feed.name,
        zone=ZoneInfo(feed.zone) if feed.zone else settings.zone,
        authorities=Authorities(feed.authorities, feed.authority),
        allow_test=feed.test,
        terms=terms,
    )


def channels_of(settings: Settings, terms: Terms | None = None) -> Channels:
    """The feeds of the settings that send over the line; those of a folder only where no other."""
    lines: Sequence[Feed] = [f for f in settings.feeds if not f.folder] or settings.feeds
    return Channels(channel_of(feed, settings, terms) for feed in lines)
