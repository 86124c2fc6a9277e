"""Reads and freezes the knowledge files, with a site's own policy laid over them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from redcell.knowledge.entries import (
    Ambiguous,
    Analyte,
    Condition,
    ContributorGroup,
    Drug,
    Kinetics,
    NumberEntry,
    RuleEntry,
    Site,
    Source,
    Symptom,
)
from redcell.knowledge.policy import SITE_CHOICES, Policy, read_policy
from redcell.quantity import printed

FOLDER = Path(__file__).parent

TOPIC_FILES = {
    "freshness": "analytes",
    "washout": "therapies",
    "exposure": "therapies",
    "radiation": "radiation",
}
"""Number topics that live beside the entries they govern; every other topic is a file."""

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


class Knowledge:
    """Everything redcell knows, read on first use. One object serves every patient."""

    def __init__(self, policy: Path | None = None) -> None:
        self.bound: dict[str, dict[str, Cited]] = {}
        """The numbers of each rule that was called: see `numbers`."""
        self._cited: dict[str, Cited] = {}
        self._files: dict[str, dict[str, Any]] = {}
        self._citations: dict[str, tuple[str, ...]] = {}
        self._flagged: dict[str, tuple[str, ...]] = {}
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

    def flagged(self, flag: str) -> tuple[str, ...]:
        """Names of the symptoms that carry a flag such as `bleeding_site`."""
        if flag not in self._flagged:
            self._flagged[flag] = tuple(n for n, s in self.symptoms.items() if getattr(s, flag))
        return self._flagged[flag]

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

    @cached_property
    def kinetics(self) -> dict[str, Kinetics]:
        """How strongly and how long drugs act on the marrow, by class of the red-cell model."""
        return self._entries("erythropoiesis", "kinetics", Kinetics)

    def wording(self, name: str) -> dict[str, Any]:
        """One file of sentences."""
        return self.file(f"wording/{name}")

    def number(self, key: str) -> Cited:
        """The number `topic.name`, the site's own where its policy sets one."""
        found = self._cited.get(key)
        if found is None:
            found = self._cited[key] = self._cite(key)
        return found

    def numbers(self, rule: str, keys: Mapping[str, str]) -> dict[str, Cited]:
        """The numbers of one rule, keyword -> cited; the same object at every call."""
        bound = self.bound.get(rule)
        if bound is None:
            bound = {name: self.number(key) for name, key in keys.items()}
            self.bound[rule] = bound
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
    "erythropoiesis",
    "quality",
)


@lru_cache(maxsize=8)
def knowledge(policy: Path | None = None) -> Knowledge:
    """The knowledge base, with the policy file of a site when one is given.

    Raises:
        PolicyError: the policy names an unknown entry, another unit or a forbidden value.
    """
    return Knowledge(policy)
