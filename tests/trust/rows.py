"""The rows of the test plan: promises, hazards and their controls, requirements, tables A to X."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ROWS = HERE / "rows.toml"
UNPROVED = HERE / "unproved.toml"
PARTLY = HERE / "partly.toml"


@dataclass(frozen=True)
class Row:
    """One thing that has to be shown."""

    id: str
    kind: str
    says: str
    passes: str = ""
    table: str = ""
    source: str = ""
    causes: str = ""
    through: tuple[str, ...] = ()
    """Rows that prove it: those of a promise, the controls of a hazard."""


def _row(kind: str, entry: dict[str, Any]) -> Row:
    through = tuple(entry.get("rows", ())) + tuple(entry.get("controls", ()))
    texts = {n: entry.get(n, "") for n in ("passes", "table", "source", "causes")}
    return Row(entry["id"], kind, entry["says"], through=through, **texts)


@lru_cache
def rows() -> dict[str, Row]:
    """Every row by its id, in the order of the file; controls follow their hazard."""
    found: dict[str, Row] = {}
    for kind, entries in tomllib.loads(ROWS.read_text(encoding="utf-8")).items():
        for entry in entries:
            one = _row(kind, entry)
            found[one.id] = one
            for control, says in entry.get("controls", {}).items():
                found[control] = Row(control, "control", says)
    return found


@lru_cache
def unproved() -> dict[str, str]:
    """Rows without a test, and why: the reviewed list."""
    return {
        one: entry["reason"]
        for one, entry in tomllib.loads(UNPROVED.read_text(encoding="utf-8")).items()
    }


@lru_cache
def partly() -> dict[str, str]:
    """Rows whose tests show less than the row asks for, and what they do not show."""
    return {
        one: entry["not_shown"]
        for one, entry in tomllib.loads(PARTLY.read_text(encoding="utf-8")).items()
    }


def of_kind(*kinds: str) -> list[Row]:
    """Rows of some kinds."""
    return [row for row in rows().values() if row.kind in kinds]
