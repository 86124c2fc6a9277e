"""What became of one message or table: FHIR resources, or the reason why there are none."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from redcell.record.record import SetAside
from redcell.sources.as_fhir import Json

Answer = Literal["AE", "AR"]
FAULT = "translation-failed"
"""The code of a fault of redcell, not of what was sent."""


class Refusal(Struct, frozen=True):
    """Why nothing of it is used. `code` is one of the codes of `SetAside`."""

    code: str
    text: str
    answer: Answer = "AE"
    """AE: it could not be processed. AR: it is of a kind that is not taken here."""
    error: str = "207"
    """The code of HL7 table 0357 that says the same."""
    field: str = ""
    """Where it was seen, like `MSH-11`."""


class Translated(Struct, frozen=True):
    """One message or table as FHIR resources; with a `refusal` there are none."""

    resources: tuple[Json, ...] = ()
    merges: tuple[tuple[str, str], ...] = ()
    """Patient ids: the one that was given up, and the one that took its place."""
    set_aside: tuple[SetAside, ...] = ()
    refusal: Refusal | None = None
