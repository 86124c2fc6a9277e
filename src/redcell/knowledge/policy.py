"""A site's policy file: read, and checked against the published entries that it changes."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from redcell.errors import PolicyError
from redcell.knowledge.entries import NumberEntry

if TYPE_CHECKING:
    from redcell.knowledge.load import Knowledge

SITE_NUMBERS = ("altitude_m",)
SITE_CHOICES = {
    "altitude_table": ("formula", "steps-2011", "bands-2024"),
    "smoking_table": ("packs-2011", "cigarettes-2024"),
}
"""Which published table adjusts the WHO label; the first is the default."""


class Policy(Struct, frozen=True):
    """A site's own practice: numbers by key, settings, drug schedules, each with its source."""

    name: str
    version: str
    numbers: dict[str, NumberEntry]
    site: dict[str, float]
    choices: dict[str, str]
    drugs: dict[str, dict[str, Any]]
    products: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """How the policy is named in the output."""
        return f"{self.name} {self.version}".strip()


def read_policy(path: Path, base: Knowledge) -> Policy:
    """Read and check a site's policy file.

    Raises:
        PolicyError: with one line for each problem in the file.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyError(f"{path}: not a readable TOML file: {error}") from error
    problems: list[str] = []
    head = data.pop("policy", {})
    site, choices = _site_settings(data.pop("site", {}), problems)
    drugs = _drug_changes(data.pop("drug", {}), base, problems)
    products = tuple(str(code) for code in data.pop("products", {}).get("codes", ()))
    numbers: dict[str, NumberEntry] = {}
    known = set(base.keys())
    for topic, entries in data.items():
        if not isinstance(entries, dict):
            problems.append(f"{topic} is not a table; expected [topic.name] with value and source")
            continue
        for name, change in entries.items():
            key = f"{topic}.{name}"
            if key not in known:
                problems.append(_unknown(key, known))
                continue
            entry = _changed(key, base.entry(key), change, problems)
            if entry is not None:
                numbers[key] = entry
    if not isinstance(head, dict) or not head.get("name"):
        problems.append("[policy] needs a name: it is printed with every answer that it changes")
    if problems:
        raise PolicyError("\n".join(f"{path}: {problem}" for problem in problems))
    version = str(head.get("version", ""))
    return Policy(str(head["name"]), version, numbers, site, choices, drugs, products)


def _unknown(key: str, known: set[str]) -> str:
    near = get_close_matches(key, sorted(known), n=1)
    hint = f"; did you mean [{near[0]}]?" if near else "; list all with: redcell knowledge"
    return f"[{key}] is not an entry of the knowledge base{hint}"


def _changed(
    key: str, published: NumberEntry, change: object, problems: list[str]
) -> NumberEntry | None:
    """The entry as the site changes it, or nothing and a line that says what is wrong."""
    if not isinstance(change, dict) or not change.get("source"):
        problems.append(f"[{key}] needs a source: a string that says where your number comes from")
        return None
    if published.rows:
        return _changed_rows(key, published, change, problems)
    value = change.get("value")
    problem = _refused(published, change) or _wrong(published, value)
    if problem:
        problems.append(f"[{key}] {problem}")
        return None
    return replace(published, value=float(value), source=str(change["source"]))  # type: ignore[arg-type]


CHANGEABLE = frozenset({"value", "rows", "unit", "source", "locator", "means"})


def _refused(published: NumberEntry, change: dict[str, Any]) -> str:
    """Why this entry cannot be changed so, whatever the value."""
    extra = sorted(set(change) - CHANGEABLE)
    if extra:
        near = get_close_matches(extra[0], sorted(CHANGEABLE), n=1)
        return f"has the key {extra[0]!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    if published.fixed:
        return "defines a published classification and cannot be changed"
    if change.get("unit", published.unit) != published.unit:
        return f"has unit {change['unit']!r}; expected {published.unit!r}"
    return ""


def _wrong(published: NumberEntry, value: object) -> str:
    """Why this value cannot be."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not isfinite(value):  # type: ignore[arg-type]
        return f"has value {value!r}; expected a number in {published.unit}"
    return _forbidden(published, float(value))  # type: ignore[arg-type]


def _changed_rows(
    key: str, published: NumberEntry, change: dict[str, Any], problems: list[str]
) -> NumberEntry | None:
    try:
        rows = msgspec.convert(change.get("rows"), tuple[tuple[float, ...], ...])
    except msgspec.ValidationError:
        rows = ()
    columns = len(published.rows[0])
    problem = _refused(published, change)
    if not problem and (not rows or any(len(row) != columns for row in rows)):
        problem = f"needs rows of {columns} numbers each"
    if not problem and not all(isfinite(cell) for row in rows for cell in row):
        problem = "has a cell that is not a number"
    if problem:
        problems.append(f"[{key}] {problem}")
        return None
    return replace(published, rows=rows, source=str(change["source"]))


def _forbidden(published: NumberEntry, value: float) -> str:
    before = published.value if published.value is not None else value
    if published.widen == "up" and value < before:
        return f"is an emergency rule: {value:g} is below {before:g}; it may only be raised"
    if published.widen == "down" and value > before:
        return f"is an emergency rule: {value:g} is above {before:g}; it may only be lowered"
    if published.least is not None and value < published.least:
        return f"is {value:g}; at least {published.least:g} is needed"
    if published.most is not None and value > published.most:
        return f"is {value:g}; at most {published.most:g} is allowed"
    return ""


def _site_settings(data: object, problems: list[str]) -> tuple[dict[str, float], dict[str, str]]:
    numbers: dict[str, float] = {}
    choices: dict[str, str] = {}
    for name, value in (data if isinstance(data, dict) else {}).items():
        if name in SITE_CHOICES:
            if value in SITE_CHOICES[name]:
                choices[name] = str(value)
            else:
                known = ", ".join(SITE_CHOICES[name])
                problems.append(f"[site] {name} = {value!r}; expected one of: {known}")
        elif name not in SITE_NUMBERS:
            known = ", ".join((*SITE_NUMBERS, *SITE_CHOICES))
            problems.append(f"[site] {name} is not a setting; known: {known}")
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            problems.append(f"[site] {name} = {value!r}; expected a number")
        else:
            numbers[name] = float(value)
    return numbers, choices


def _drug_changes(data: object, base: Knowledge, problems: list[str]) -> dict[str, dict[str, Any]]:
    changes: dict[str, dict[str, Any]] = {}
    known = base.file("therapies")["drug"]
    for slug, change in (data if isinstance(data, dict) else {}).items():
        days = change.get("count_interval_days") if isinstance(change, dict) else None
        if slug not in known:
            near = get_close_matches(slug, sorted(known), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            problems.append(f"[drug.{slug}] is not a drug of the knowledge base{hint}")
        elif not isinstance(days, int) or days < 1 or not change.get("source"):
            problems.append(f"[drug.{slug}] needs count_interval_days (whole days) and a source")
        else:
            changes[slug] = {"count_interval_days": days}
    return changes
