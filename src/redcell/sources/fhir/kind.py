"""The type of a resource, read off its bytes before anything else of it is read."""

from __future__ import annotations

import msgspec
from msgspec import Struct

FIRST_KEY = b'{"resourceType":"'
TYPE_KEY = b'"resourceType"'
LONGEST_TYPE = 64


class Head(Struct):
    """What kind of resource this is."""

    resourceType: str = ""


_head = msgspec.json.Decoder(Head).decode


def kind_of(data: bytes) -> str:
    """The type of a resource: read off the bytes where the key stands first or once, else decoded.

    Raises:
        msgspec.MsgspecError: when the bytes are not JSON.
    """
    if first := _first(data):
        return first
    if data.count(TYPE_KEY) == 1:
        after = data[data.index(TYPE_KEY) + len(TYPE_KEY) :][:LONGEST_TYPE].lstrip()
        if after.startswith(b":"):
            quoted = after[1:].lstrip().split(b'"', 2)
            if len(quoted) == len(("", "type", "rest")) and not quoted[0] and quoted[1].isalpha():
                return quoted[1].decode()
    return _head(data).resourceType


def own_kind(data: bytes) -> str:
    """The same of bytes that may hold a resource without being one: no key inside it counts.

    Raises:
        msgspec.MsgspecError: when the bytes are not JSON.
    """
    return _first(data) or _head(data).resourceType


def _first(data: bytes) -> str:
    """The type where its key stands first, as it mostly does; else nothing."""
    if data.startswith(FIRST_KEY):
        begin = len(FIRST_KEY)
        end = data.find(b'"', begin, begin + LONGEST_TYPE)
        if end > 0 and (named := data[begin:end]).isalpha():
            return named.decode()
    return ""
