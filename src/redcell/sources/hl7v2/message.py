"""What the parts of one message share while it is translated."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from redcell.record.record import SetAside
from redcell.sources.as_fhir import Authorities, Json, meta
from redcell.sources.hl7v2.times import Times
from redcell.sources.terms import Terms

FORM = "hl7v2"


class Shared(Struct):
    """One message: its place in what is said of it, its time, its feed's settings."""

    place: str
    updated: str
    times: Times
    terms: Terms
    authorities: Authorities
    sub: str
    aside: list[SetAside]
    orders: dict[tuple[int, str], Any] = {}
    """What is shared by the results under an order of this message."""

    @property
    def meta(self) -> Json:
        """Where a resource came from, and when its sender said so."""
        return meta(FORM, self.updated)

    def system(self, sent: str) -> str:
        """The identifier system of an assigning authority: by namespace, else by universal id."""
        return self.authorities.system(*sent.split(self.sub)[:2])

    def note(self, code: str, text: str, reference: str = "") -> None:
        """Say what was not used as it stood."""
        name = reference or self.place
        self.aside.append(SetAside(code, self.place, f"{name}: {text}", reference))
