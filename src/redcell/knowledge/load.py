"""Reads, checks and freezes the knowledge files, with a site's own policy laid over them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cached_property, lru_cache
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from redcell.errors import PolicyError
from redcell.knowledge.entries import (
    Ambiguous,
    Analyte,
    Condition,
    ContributorGroup,
    Drug,
    NumberEntry,
    RuleEntry,
    Site,
    Source,
    Symptom,
)
from redcell.quantity import printed

FOLDER = Path(__file__).parent

TOPIC_FILES = {
    "freshness": "analytes",
    "washout": "therapies",
    "exposure": "therapies",
    "radiation": "radiation",
}
"""Number topics that live beside the entries they govern; every other topic is a file."""

SITE_NUMBERS = ("altitude_m",)
SITE_CHOICES = {
    "altitude_table": ("formula", "steps-2011", "bands-2024"),
    "smoking_table": ("packs-2011", "cigarettes-2024"),
}
"""Which published table adjusts the WHO label; the first is the default."""
CLINICAL = "clinical reference"

T = TypeVar("T")


class Cited(Struct, frozen=True):
    """One number with its unit and where it comes from.

    `rows` holds a small table instead of a single `value`. `citation` is what people are shown;
    for a number that the site set itself it names the site's own source.
    """

    key: str
    value: float
    unit: str
    means: str
    citation: str
    mark: str
    rows: tuple[tuple[float, ...], ...] = ()
    site: bool = False

    def __str__(self) -> str:
        if self.rows:
            return "; ".join(", ".join(f"{cell:g}" for cell in row) for row in self.rows)
        return f"{self.value:g} {printed(self.unit)}".strip()


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


class Knowledge:
    """Everything redcell knows, read on first use. One object serves every patient."""

    def __init__(self, policy: Path | None = None) -> None:
        self._bound: dict[str, dict[str, Cited]] = {}
        self._cited: dict[str, Cited] = {}
        self._files: dict[str, dict[str, Any]] = {}
        self._citations: dict[str, tuple[str, ...]] = {}
        self.policy: Policy | None = None
        if policy is not None:
            self.policy = read_policy(policy, self)

    def file(self, name: str) -> dict[str, Any]:
        """One knowledge file as plain data."""
        if name not in self._files:
            text = (FOLDER / f"{name}.toml").read_text(encoding="utf-8")
            self._files[name] = tomllib.loads(text)
        return self._files[name]

    def _entries(self, name: str, table: str, kind: type[T]) -> dict[str, T]:
        return msgspec.convert(self.file(name)[table], dict[str, kind])  # type: ignore[valid-type]

    @cached_property
    def sources(self) -> dict[str, Source]:
        """The bibliography by id."""
        return msgspec.convert(self.file("sources"), dict[str, Source])

    @cached_property
    def rules(self) -> dict[str, RuleEntry]:
        """Every clinical rule by id."""
        return msgspec.convert(self.file("rules"), dict[str, RuleEntry])

    @cached_property
    def analytes(self) -> dict[str, Analyte]:
        """Laboratory results and vital signs by name."""
        return self._entries("analytes", "analyte", Analyte)

    @cached_property
    def symptoms(self) -> dict[str, Symptom]:
        """Symptoms by name, in the order of the input contract."""
        return self._entries("symptoms", "symptom", Symptom)

    @cached_property
    def conditions(self) -> dict[str, Condition]:
        """Meanings of diagnoses by name."""
        return self._entries("conditions", "condition", Condition)

    @cached_property
    def drugs(self) -> dict[str, Drug]:
        """Cancer drugs by ingredient, the ambiguous agents included, with the site's schedules."""
        drugs = self._entries("therapies", "drug", Drug)
        for slug, agent in self.ambiguous.items():
            drugs[slug] = Drug(name=agent.name, drug_class=agent.drug_class, source=agent.source)
        if self.policy:
            for slug, changes in self.policy.drugs.items():
                drugs[slug] = replace(drugs[slug], **changes)
        return drugs

    @cached_property
    def ambiguous(self) -> dict[str, Ambiguous]:
        """Codes that stand for several products of very different risk."""
        return self._entries("therapies", "ambiguous", Ambiguous)

    @cached_property
    def contributors(self) -> dict[str, ContributorGroup]:
        """Groups of drugs outside cancer treatment."""
        return self._entries("therapies", "contributor_group", ContributorGroup)

    @cached_property
    def sites(self) -> dict[str, Site]:
        """Radiation sites by name."""
        return self._entries("radiation", "site", Site)

    def wording(self, name: str) -> dict[str, Any]:
        """One file of sentences."""
        return self.file(f"wording/{name}")

    def number(self, key: str) -> Cited:
        """The number `topic.name`, the site's own where its policy sets one."""
        if key not in self._cited:
            self._cited[key] = self._cite(key)
        return self._cited[key]

    def numbers(self, rule: str, keys: Mapping[str, str]) -> dict[str, Cited]:
        """The numbers of one rule, keyword -> cited; the same object at every call."""
        bound = self._bound.get(rule)
        if bound is None:
            bound = {name: self.number(key) for name, key in keys.items()}
            self._bound[rule] = bound
        return bound

    def value(self, key: str) -> float:
        """The bare value of a number."""
        return self.number(key).value

    def setting(self, name: str) -> float | None:
        """A site setting such as `altitude_m`; `None` when the site has not set it."""
        return self.policy.site.get(name) if self.policy else None

    def choice(self, name: str) -> str:
        """Which of several published tables the site uses; the first is the default."""
        chosen = self.policy.choices.get(name) if self.policy else None
        return chosen or SITE_CHOICES[name][0]

    def entry(self, key: str) -> NumberEntry:
        """The published entry of a number, before any site policy."""
        topic, _, name = key.partition(".")
        tables = self.file(TOPIC_FILES.get(topic, topic))
        return msgspec.convert(tables[topic][name], NumberEntry)

    def keys(self) -> tuple[str, ...]:
        """Every number's key."""
        topics = sorted({*NUMBER_FILES, *TOPIC_FILES})
        return tuple(
            f"{topic}.{name}"
            for topic in topics
            for name in self.file(TOPIC_FILES.get(topic, topic)).get(topic, {})
        )

    def cite(self, source: str, locator: str = "", mark: str = "") -> str:
        """A citation as people are shown it: source, place, how far it was checked."""
        words = self.sources[source].cite
        place = f", {locator}" if locator else ""
        if locator.startswith(CLINICAL) and source == "redcell":
            words, place = "redcell", f" {locator}"
        return f"{words}{place}" + (f" [{mark}]" if mark else "")

    def citations(self, rule_id: str) -> tuple[str, ...]:
        """The citations of a clinical rule."""
        if rule_id not in self._citations:
            entry = self.rules[rule_id]
            self._citations[rule_id] = tuple(
                self.cite(source, f"{entry.locator}, {rule_id}", entry.mark)
                for source in entry.sources
            )
        return self._citations[rule_id]

    def _cite(self, key: str) -> Cited:
        own = self.policy.numbers.get(key) if self.policy else None
        published = self.entry(key)
        if own is not None and self.policy is not None:
            return Cited(
                key=key,
                value=own.value if own.value is not None else float("nan"),
                unit=published.unit,
                means=published.means,
                citation=f"{own.source} (site policy {self.policy.title})",
                mark="site",
                rows=own.rows,
                site=True,
            )
        return Cited(
            key=key,
            value=published.value if published.value is not None else float("nan"),
            unit=published.unit,
            means=published.means,
            citation=self.cite(published.source, published.locator, published.mark),
            mark=published.mark,
            rows=published.rows,
        )


NUMBER_FILES = (
    "anemia",
    "pattern",
    "urgency",
    "attribution",
    "transfusion",
    "alternatives",
    "monitoring",
    "fatigue",
)


@lru_cache(maxsize=8)
def knowledge(policy: Path | None = None) -> Knowledge:
    """The knowledge base, with the policy file of a site when one is given.

    Raises:
        PolicyError: the policy names an unknown entry, another unit or a forbidden value.
    """
    return Knowledge(policy)


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
