"""JSON read strictly: what is ambiguous, oversized or broken is refused with its reason."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Any

import msgspec

MAX_DEPTH = 64
MAX_DIGITS = 32
DIGITS = bytes.maketrans(b"123456789.+-eE", b"00000000000000")
LONG_NUMBER = b"0" * (MAX_DIGITS + 1)
OPENERS = bytes(b for b in range(256) if b not in b"[]{}")
BOM = b"\xef\xbb\xbf"
STEPS = bytes.maketrans(b"{[}]", b"\x01\x01\xff\xff")
"""An opening bracket is one step deeper, a closing one a step back: 1 and -1 as signed bytes."""
STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
"""A string, or what begins like one and never ends."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class RefusedJsonError(ValueError):
    """This text is not JSON that can be trusted. The message says what was seen."""


def text_of(data: bytes) -> bytes:
    """The bytes without a UTF-8 byte-order mark.

    Raises:
        RefusedJsonError: for UTF-16 and UTF-32, which FHIR does not allow.
    """
    if data.startswith(BOM):
        return data[len(BOM) :]
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in data[:4]:
        raise RefusedJsonError("the text is UTF-16 or UTF-32; FHIR JSON is UTF-8")
    return data


def check(data: bytes) -> None:
    """Refuse duplicate keys, depth bombs and oversized numbers.

    Works at the speed of the C codec: the text is decoded and written again, and a key that was
    given twice leaves the copy with fewer colons than the original.

    Raises:
        RefusedJsonError: with what was found.
    """
    check_depth(data)
    if LONG_NUMBER in data.translate(DIGITS):
        _check_numbers(data)
    try:
        tree = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedJsonError(_plain(error)) from error
    escaped = b"\\" in data and b"\\u" in data  # one character is looked for at once
    if escaped or data.count(b":") != _encode(tree).count(b":"):
        duplicate = duplicate_key(data)
        if duplicate is not None:
            raise RefusedJsonError(f"the key {duplicate!r} is given twice in one object")


def check_depth(data: bytes) -> None:
    """Refuse nesting deeper than 64.

    Raises:
        RefusedJsonError: for a depth bomb.
    """
    brackets = data.translate(None, OPENERS)
    if len(brackets) <= MAX_DEPTH:
        return
    if _without_pairs(brackets) and _depth(data) > MAX_DEPTH:
        raise RefusedJsonError(f"it is nested more than {MAX_DEPTH} levels deep")


def _without_pairs(skeleton: bytes) -> bytes:
    """Brackets without those that close at once, as long as that takes most of them away."""
    for _ in range(MAX_DEPTH):
        shorter = skeleton.replace(b"{}", b"").replace(b"[]", b"")
        if len(shorter) * 8 > len(skeleton) * 7:
            return shorter
        skeleton = shorter
    return skeleton


def _depth(data: bytes) -> int:
    """How many brackets are open at once, outside of strings."""
    steps = STRING.sub(b"", data).translate(STEPS, OPENERS)
    return max(accumulate(memoryview(steps).cast("b")), default=0)


def _check_numbers(data: bytes) -> None:
    if LONG_NUMBER in STRING.sub(b'"', data).translate(DIGITS):
        raise RefusedJsonError(f"a number has more than {MAX_DIGITS} characters")


def duplicate_key(data: bytes) -> str | None:
    """The first key that one object gives twice, by an exact scan."""
    import json

    found: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: set[str] = set()
        for key, _ in items:
            if key in seen:
                found.append(key)
            seen.add(key)
        return dict(items)

    json.loads(data, object_pairs_hook=pairs)
    return found[0] if found else None


def _plain(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return f"it is nested more than {MAX_DEPTH} levels deep"
    if isinstance(error, UnicodeDecodeError):
        return "it is not valid UTF-8"
    return str(error)
