"""Resources as they stand: what a correction with another time replaced is said to be an error.

A result of HL7 v2 is named by its time too, so its correction may be another resource. The one that
was replaced keeps its versions as they were sent; read or found as the current one it must not pass
for a final result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Connection

from redcell.clinic import moved
from redcell.store.facts import Name
from redcell.web.fhir.respond import Stored, resource_of

Json = dict[str, Any]


def resources_of(connection: Connection, found: Sequence[Stored]) -> list[Json]:
    """The resources of current versions, in their order."""
    gone = moved.replaced_among(connection, found)
    return [_shown(one, gone.get((one.kind, one.rid))) for one in found]


def _shown(one: Stored, by: Name | None) -> Json:
    resource = resource_of(one)
    if by is None:
        return resource
    note = {"text": f"Replaced by {by[0]}/{by[1]}, a correction that has another time."}
    notes = [*resource.get("note", []), note]
    return resource | {"status": moved.WITHDRAWN, "note": notes}
