"""MSH as it was sent, even when nothing else of a message can be read: an answer must name it."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Literal

from msgspec import Struct

from redcell.sources.hl7v2.framing import RefusedMessageError, codec_of
from redcell.sources.hl7v2.segments import MAX_SEGMENT, Separators, separators_of, text_of

START = re.compile(rb"(?:^|[\r\n\x0b])(?:\xef\xbb\xbf)?[ \t]*(?=MSH[^A-Za-z0-9\s])")
ECHO = "latin-1"
"""Every byte is a character of it, so that what is not understood can still be said again."""

Wish = Literal["always", "never", "on error", "on success"]
WISHES: dict[str, Wish] = {"AL": "always", "NE": "never", "ER": "on error", "SU": "on success"}


class Wants(Struct, frozen=True):
    """Which answers the sender asks for: MSH-15 (accepted?) and MSH-16 (processed?)."""

    accept: Wish = "never"
    application: Wish = "always"
    enhanced: bool = False
    """Was either field valued? If not, the one answer of the original mode is due."""


class Header(Struct, frozen=True, dict=True):
    """The fields of MSH with their escapes; `raw[10]` is MSH-10."""

    separators: Separators
    codec: str
    raw: tuple[str, ...]

    def field(self, number: int) -> str:
        """A field as it was sent; empty when it is not there."""
        return self.raw[number] if number < len(self.raw) else ""

    def part(self, number: int, component: int = 1) -> str:
        """One component of the first repetition, without escapes."""
        first = self.field(number).split(self.separators.repeat)[0]
        parts = first.split(self.separators.component)
        return text_of(parts[component - 1], self.separators) if component <= len(parts) else ""

    @cached_property
    def control(self) -> str:
        """The sender's own name for the message (MSH-10)."""
        return self.part(10)

    @cached_property
    def sender(self) -> str:
        """Sending application and facility."""
        return "|".join(text_of(self.field(n), self.separators) for n in (3, 4))

    @cached_property
    def kind(self) -> str:
        """Type and event, like `ORU^R01`."""
        return "^".join(x for x in (self.part(9).upper(), self.part(9, 2).upper()) if x)

    @cached_property
    def wants(self) -> Wants:
        """The answers that are due; one asked for in an unknown word is given."""
        accept, application = self.part(15).upper(), self.part(16).upper()
        if not accept and not application:
            return Wants()
        return Wants(
            WISHES.get(accept, "always") if accept else "never",
            WISHES.get(application, "always") if application else "never",
            enhanced=True,
        )


def header_of(data: bytes) -> Header | None:
    """The header of a message; `None` when there is none that can be taken apart."""
    found = START.search(data)
    if found is None:
        return None
    line = re.split(rb"[\r\n]", data[found.end() : found.end() + MAX_SEGMENT], maxsplit=1)[0]
    codec = codec_of(line) or ECHO
    try:
        text = line.decode(codec)
    except (UnicodeDecodeError, LookupError):
        codec, text = ECHO, line.decode(ECHO)
    try:
        separators = separators_of(text)
    except RefusedMessageError:
        return None
    name, *fields = text.split(separators.field)
    return Header(separators, codec, (name, separators.field, *fields))
