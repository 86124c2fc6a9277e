"""Where in the text of a JSON document each of its parts stands: line and column, from 1."""

from __future__ import annotations

import re
from bisect import bisect_right

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
DECORATION = re.compile(r"/\*.*?\*/")
NUMBERED_KEY = re.compile(r"prefetch\[(\d+)\]\.value")


class Positions:
    """Finds the place of a path such as `CDSHooksRequest.context.patientId`.

    As HL7's validator counts: behind a simple value, behind the first character of an object's
    name, and behind the opening brace of an object in an array.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(m.end() for m in re.finditer("\n", text))]
        self._tokens = [(m[0], m.start(), m.end()) for m in TOKEN.finditer(text)]
        self._next = 0
        self._places: dict[str, int] = {}
        self._keys: dict[str, list[str]] = {}
        self._value("", None)

    def of(self, path: str) -> str:
        """`[line,column]` of a path, or of the part of the document that is nearest above it."""
        plain = DECORATION.sub("", path).partition(".")[2]
        plain = NUMBERED_KEY.sub(self._prefetch, plain)
        while plain and plain not in self._places:
            plain = plain[: max(plain.rfind("."), plain.rfind("["), 0)]
        place = self._places.get(plain, 1)
        line = bisect_right(self._starts, place - 1)
        return f"[{line},{place - self._starts[line - 1] + 1}]"

    def _prefetch(self, found: re.Match[str]) -> str:
        keys = self._keys.get("prefetch", [])
        number = int(found[1])
        return f"prefetch.{keys[number]}" if number < len(keys) else "prefetch"

    def _take(self) -> tuple[str, int, int]:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _value(self, path: str, named_at: int | None) -> None:
        sign, start, end = self._take()
        if sign == "{":
            self._places[path] = (start if named_at is None else named_at) + 1
            self._object(path)
        elif sign == "[":
            self._places[path] = (start if named_at is None else named_at) + 1
            self._array(path)
        else:
            self._places[path] = end

    def _object(self, path: str) -> None:
        while self._tokens[self._next][0] != "}":
            name, start, _ = self._take()
            self._take()  # the colon
            key = name[1:-1]
            self._keys.setdefault(path, []).append(key)
            self._value(f"{path}.{key}" if path else key, start)
            if self._tokens[self._next][0] == ",":
                self._next += 1
        self._next += 1

    def _array(self, path: str) -> None:
        number = 0
        while self._tokens[self._next][0] != "]":
            self._value(f"{path}[{number}]", None)
            number += 1
            if self._tokens[self._next][0] == ",":
                self._next += 1
        self._next += 1
