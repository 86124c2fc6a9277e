"""The ways in which clients withhold prefetch, and every trial that they make together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from msgspec import Struct

Json = dict[str, Any]
FIRST = 3
"""Entries on a first page."""
NEXT = "https://withheld.invalid/fhir?page=2"
OUTCOME: Json = {
    "resourceType": "OperationOutcome",
    "issue": [
        {"severity": "error", "code": "forbidden", "details": {"text": "withheld by the trial"}}
    ],
}
MOST_SUBSETS = 4096


class Try(Struct, frozen=True):
    """One call to make: how the prefetch was changed, at which key."""

    way: str
    key: str
    prefetch: Json


def _is_page(value: Any) -> bool:
    return isinstance(value, dict) and value.get("resourceType") == "Bundle"


def _first_page(value: Any, following: str) -> Any:
    if not _is_page(value):
        return value
    link = {"relation": "next", "url": following}
    return value | {"entry": value["entry"][:FIRST], "link": [link]}


WAYS = ("absent", "null", "empty", "outcome", "paged")


def tries(
    prefetch: Json, ways: tuple[str, ...], *, subsets: bool = False, next_page: str = NEXT
) -> Iterator[Try]:
    """Every call to make: all keys, each key in each way, none, and all subsets when wanted."""
    yield Try("whole", "", prefetch)
    for way in ways:
        for key in prefetch:
            yield Try(way, key, changed(prefetch, key, way, next_page))
    yield Try("none", "", {})
    if subsets:
        yield from _subsets(prefetch)


def changed(prefetch: Json, key: str, way: str, next_page: str = NEXT) -> Json:
    """The prefetch with one key's answer withheld in one way."""
    others = {name: value for name, value in prefetch.items() if name != key}
    if way == "absent":
        return others
    if way == "null":
        return others | {key: None}
    value = OUTCOME if way == "outcome" else prefetch[key]
    if way == "empty" and _is_page(value):
        value = value | {"entry": [], "total": 0}
    return others | {key: _first_page(value, next_page) if way == "paged" else value}


def _subsets(prefetch: Json) -> Iterator[Try]:
    names = list(prefetch)
    number = 0
    for size in range(1, len(names)):
        for chosen in combinations(names, size):
            number += 1
            if number > MOST_SUBSETS:
                return
            left_out = ", ".join(name for name in names if name not in chosen)
            yield Try("without", left_out, {name: prefetch[name] for name in chosen})
