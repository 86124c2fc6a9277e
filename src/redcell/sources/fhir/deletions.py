"""What a sender deleted, as Bulk Data says it: Bundles whose entries ask to delete."""

from __future__ import annotations

import msgspec
from msgspec import Struct


class Request(Struct):
    """Bundle.entry.request."""

    method: str = ""
    url: str = ""


class Asked(Struct):
    """Bundle.entry, as far as it asks for something."""

    request: Request | None = None


class Requests(Struct):
    """A Bundle, as far as it asks for something."""

    resourceType: str = ""  # noqa: N815  (names of the standard)
    entry: list[msgspec.Raw] = []


_bundle = msgspec.json.Decoder(Requests).decode
_entry = msgspec.json.Decoder(Asked).decode
BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Deletion(Struct, frozen=True):
    """A Bundle of deletions."""

    names: tuple[tuple[str, str], ...]
    """Type and id of each resource."""
    others: int = 0
    """Entries that do not ask to delete a resource by its id."""


def deletion_of(line: bytes) -> Deletion | None:
    """The deletions that a Bundle asks for; nothing for what is no Bundle."""
    try:
        bundle = _bundle(line)
    except BROKEN:
        return None
    if bundle.resourceType != "Bundle":
        return None
    names = [_named(bytes(entry)) for entry in bundle.entry]
    found = tuple(name for name in names if name is not None)
    return Deletion(found, len(names) - len(found))


def _named(entry: bytes) -> tuple[str, str] | None:
    try:
        request = _entry(entry).request
    except BROKEN:
        return None
    if request is None or request.method != "DELETE":
        return None
    kind, _, rid = request.url.rpartition("/")
    kind = kind.rpartition("/")[2]
    return (kind, rid) if kind and rid else None
