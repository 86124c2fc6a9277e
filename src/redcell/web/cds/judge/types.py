"""Primitive values: what each type looks like, and what is said of one that does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
CODE = re.compile(r"\S+( \S+)*")
URI = re.compile(r"\S*")
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
DATE = re.compile(
    r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01])"
    r"(T([01]\d|2[0-3]):[0-5]\d(:([0-5]\d|60)(\.\d+)?)?(Z|[+-]\d\d:\d\d))?)?)?"
)


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


PRIMITIVES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "string": (_is_text, "The value {value} is not a text with content"),
    "markdown": (_is_text, "The value {value} is not a text with content"),
    "code": (_matches(CODE), "The code {value} is not valid (whitespace rules)"),
    "id": (_matches(ID), "id value {value} is not valid"),
    "uuid": (_matches(UUID), "UUID value {value} is not valid"),
    "uri": (_matches(URI), "URI value {value} is not valid"),
    "url": (_matches(URL), "URL value {value} is not valid"),
    "date": (_matches(DATE), "Not a valid date/time: {value}"),
    "integer": (_is_whole, "The value {value} is not a valid integer"),
    "boolean": (lambda value: isinstance(value, bool), "The value {value} is not true or false"),
}
SHOWN = 80


def fault(kind: str, value: Any) -> str:
    """What is wrong with a primitive value; empty when nothing is."""
    fits, text = PRIMITIVES[kind]
    return "" if fits(value) else text.format(value=shown(value))


def shown(value: Any) -> str:
    """A value as a message may quote it."""
    text = value if isinstance(value, str) else repr(value)
    return f"'{text if len(text) <= SHOWN else text[:SHOWN] + '...'}'"


def kind_of(value: Any) -> str:
    """The JSON type of a value."""
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
