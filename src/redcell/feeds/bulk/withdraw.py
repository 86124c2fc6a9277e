"""What a sender deleted: kept, and marked as entered in error, because nothing is removed here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from redcell.clinic.intake import arrived
from redcell.clinic.together import Brought, take_together
from redcell.clinic.versions import decode_json, version_of
from redcell.store import facts
from redcell.store.facts import Fact

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

Json = dict[str, Any]
FORM = "bulk"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
ERROR = "entered-in-error"
NEVER = frozenset({"Patient", "Practitioner"})
"""A person is not withdrawn by a list: merges and errors about people are for people to settle."""


def withdraw(clinic: Clinic, feed: str, names: Sequence[tuple[str, str]], *, at: int) -> int:
    """Mark resources as entered in error; how many there were."""
    wanted = [name for name in names if name[0] not in NEVER]
    with clinic.database.read() as connection:
        found = facts.by_names(connection, wanted)
    if not found:
        return 0
    body = msgspec.json.encode([f"{f.kind}/{f.rid}" for f in found])
    versions = tuple(version_of(_withdrawn(fact), at) for fact in found)
    arrival = arrived(feed, FORM, f"deleted@{at}", body, at)
    clinic.writer.write(lambda c: take_together(c, [Brought(arrival, versions)]))
    return len(found)


def _withdrawn(fact: Fact) -> Json:
    resource: Json = decode_json(fact.body)
    meta = resource.get("meta")
    if isinstance(meta, dict):
        resource["meta"] = {k: v for k, v in meta.items() if k != "lastUpdated"}
    if fact.kind == "Condition":
        coding = {"system": VERIFICATION, "code": ERROR}
        return {**resource, "verificationStatus": {"coding": [coding]}}
    if fact.kind == "BodyStructure":
        return {**resource, "active": False}
    return {**resource, "lifecycleStatus" if fact.kind == "Goal" else "status": ERROR}
