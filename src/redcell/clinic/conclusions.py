"""What redcell concludes, as FHIR: made again from the newest assessment as it was kept.

What was said about the person goes with it (`communications`). An id is the number of the
assessment, a dot, and the id inside its Bundle. `meta.source` marks each resource as redcell's own,
so that none of them comes back as evidence.
"""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.engine import Connection

from redcell.clinic import communications
from redcell.clinic.fold import Folded, record_of
from redcell.clinic.refresh import Basis, assess_folded, stored_forecast
from redcell.clinic.resources import with_meta
from redcell.clinic.versions import decode_json, encode_json
from redcell.knowledge.load import knowledge
from redcell.outputs.fhir import to_bundle
from redcell.store import assessments, search
from redcell.store.assessments import Assessment
from redcell.store.facts import Fact

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

Json = dict[str, Any]
KEPT = 256
"""Assessments whose resources are kept in memory, packed: as objects one takes 200 KB."""
FAST = 1
"""The level of packing: most of the gain, little of the time."""
LONGEST_NUMBER = 18
URN = "urn:uuid:"


class Conclusions(Struct, frozen=True):
    """The resources of one assessment, or one thing that was said."""

    person: str
    number: int
    made: int
    resources: tuple[Json, ...] = ()


_cache: OrderedDict[tuple[str, int], bytes] = OrderedDict()
_lock = threading.Lock()


def newest(clinic: Clinic, connection: Connection, person: str) -> Conclusions | None:
    """What the newest assessment of a person says."""
    found = assessments.newest(connection, person)
    return of(clinic, connection, found) if found else None


def every(clinic: Clinic, connection: Connection, person: str) -> Iterator[Conclusions]:
    """The conclusions of the newest assessment, then what was said about the person."""
    made = newest(clinic, connection, person)
    if made is not None:
        yield made
    for at, resource in communications.of_person(connection, person):
        yield Conclusions(person, 0, at, (resource,))


def by_id(
    clinic: Clinic, connection: Connection, rid: str, may_see: Callable[[str], bool]
) -> Conclusions | None:
    """The conclusions to which an id belongs, when their person may be seen."""
    about = communications.person_of(connection, rid)
    if about is not None:
        return _said(connection, about, rid) if may_see(about) else None
    number, dot, _ = rid.partition(".")
    if not dot or not number.isascii() or not number.isdecimal() or len(number) > LONGEST_NUMBER:
        return None
    found = assessments.read_one(connection, int(number))
    return of(clinic, connection, found) if found and may_see(found.person) else None


def _said(connection: Connection, person: str, rid: str) -> Conclusions | None:
    found = communications.of_person(connection, person)
    return next((Conclusions(person, 0, at, (r,)) for at, r in found if r["id"] == rid), None)


def of(clinic: Clinic, connection: Connection, found: Assessment) -> Conclusions:
    """The resources of an assessment; none of one that was left out."""
    key = (str(clinic.database.engine.url), found.id)
    with _lock:
        packed = _cache.get(key)
        if packed is not None:
            _cache.move_to_end(key)
    if packed is not None:
        resources = tuple(decode_json(zlib.decompress(packed)))
        return Conclusions(found.person, found.id, found.made, resources)
    made = _made(clinic, connection, found)
    packed = zlib.compress(encode_json(made.resources), FAST)
    with _lock:
        _cache[key] = packed
        if len(_cache) > KEPT:
            _cache.popitem(last=False)
    return made


def _made(clinic: Clinic, connection: Connection, found: Assessment) -> Conclusions:
    rows = search.by_numbers(connection, found.facts)
    facts = tuple(Fact(r.id, r.kind, r.rid, r.version, r.patient, r.received, r.body) for r in rows)
    basis = replace(_basis(clinic, found), forecaster=None)
    folded = Folded(found.person, record_of(found.person, facts, basis.knowledge), facts)
    assessed = assess_folded(folded, basis, at=found.at, forecast=stored_forecast(found))
    if assessed.steps is None:
        return Conclusions(found.person, found.id, found.made)
    bundle = decode_json(encode_json(to_bundle(assessed.steps)))
    resources = [entry["resource"] for entry in bundle["entry"]]
    names = {URN + r["id"]: f"{r['resourceType']}/{found.id}.{r['id']}" for r in resources}
    shown = tuple(_shown(_renamed(r, names), found) for r in resources)
    return Conclusions(found.person, found.id, found.made, shown)


def _basis(clinic: Clinic, found: Assessment) -> Basis:
    """What the assessment rested on: the policy of its time, where that is still kept."""
    basis = clinic.basis()
    kept = clinic.folder / "policies" / f"{found.policy}.toml"
    if found.policy == basis.policy or (found.policy and not kept.is_file()):
        return basis
    return replace(basis, knowledge=knowledge(kept if found.policy else None), policy=found.policy)


def _shown(resource: Json, found: Assessment) -> Json:
    tagged = {
        **resource,
        "id": f"{found.id}.{resource['id']}",
        "meta": {**resource.get("meta", {}), "tag": [communications.TAG]},
    }
    return with_meta(tagged, 1, found.made)


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """The same with references inside the Bundle as references on this server."""
    if isinstance(value, dict):
        return {key: _renamed(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    return names.get(value, value) if isinstance(value, str) else value
