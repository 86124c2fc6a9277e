"""Where in a text that is no usable JSON the first fault stands, as a FHIRPath.

Slow, and asked for only after a text was refused. Names of elements are given back, never content.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import msgspec

from redcell.sources.strict_json import MAX_DEPTH, MAX_DIGITS

LOOKED_AT = 1 << 20
"""Bytes of a text; a fault behind them is placed at the root."""
DEEPEST = 12
"""Levels of a path that are named."""
TOKEN = re.compile(rb'\s*(?:("(?:[^"\\]|\\.)*")|([\[\]{},:])|([^\s\[\]{},:"]+))')
NUMBER = re.compile(rb"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
NAME = re.compile(rb'"([A-Za-z_][A-Za-z0-9_]{0,63})"')
KIND = re.compile(rb'"resourceType"\s*:\s*"([A-Za-z]{1,64})"')
RESOURCE = "Resource"
LITERALS = (b"true", b"false", b"null")
_text = msgspec.json.Decoder(str).decode


@dataclass
class _Level:
    """An object or an array that is open."""

    array: bool
    name: str = ""
    number: int = 0
    seen: set[bytes] = field(default_factory=set)
    expects_name: bool = True

    @property
    def step(self) -> str:
        return f"[{self.number}]" if self.array else f".{self.name}" if self.name else ""


def place_of(data: bytes) -> str:
    """The path of the first fault; of the root when there is none to be found."""
    found = KIND.search(data[:LOOKED_AT])
    root = found[1].decode() if found else RESOURCE
    levels: list[_Level] = []
    place = 0
    looked_at = data[:LOOKED_AT]
    while place < len(looked_at):
        token = TOKEN.match(looked_at, place)
        if token is None or not _taken(levels, token):
            break
        place = token.end()
    else:
        if len(data) > LOOKED_AT:
            return root
    return root + "".join(level.step for level in levels[:DEEPEST])


def _taken(levels: list[_Level], token: re.Match[bytes]) -> bool:
    """Note one token; is it without fault?"""
    text, mark, plain = token.groups()
    if mark is not None:
        return _marked(levels, mark)
    top = levels[-1] if levels else None
    if text is not None and top is not None and not top.array and top.expects_name:
        return _named(top, text)
    return _is_text(text) if text is not None else _is_plain(plain)


def _marked(levels: list[_Level], mark: bytes) -> bool:
    if mark in b"{[":
        levels.append(_Level(mark == b"["))
        return len(levels) <= MAX_DEPTH
    if not levels:
        return False
    top = levels[-1]
    if mark in b"}]":
        if top.array is not (mark == b"]"):
            return False
        levels.pop()
    elif mark == b",":
        top.number, top.expects_name = top.number + 1, True
    else:
        top.expects_name = False
    return True


def _named(top: _Level, text: bytes) -> bool:
    known = NAME.fullmatch(text)
    top.name = known[1].decode() if known else ""
    if not _is_text(text):
        return False
    name = _text(text).encode()
    fresh = name not in top.seen
    top.seen.add(name)
    return fresh


def _is_text(text: bytes) -> bool:
    try:
        _text(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def _is_plain(text: bytes) -> bool:
    if text in LITERALS:
        return True
    return (
        len(text) <= MAX_DIGITS
        and NUMBER.fullmatch(text) is not None
        and math.isfinite(float(text))
    )
