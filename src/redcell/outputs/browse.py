"""The knowledge base for people: numbers, rules and drugs with source and mark."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from redcell.knowledge.load import Knowledge


class Entry(Struct, frozen=True):
    """One entry as it is shown."""

    kind: str
    key: str
    says: str
    value: str
    source: str


def search(knowledge: Knowledge, query: str) -> list[Entry]:
    """Entries whose key starts with, or whose text holds, every word of the query."""
    words = query.lower().split()
    exact = [e for e in entries(knowledge) if e.key.lower() == query.lower()]
    if exact:
        return exact
    return [
        e
        for e in entries(knowledge)
        if all(w in f"{e.key} {e.says} {e.value} {e.source}".lower() for w in words)
    ]


def entries(knowledge: Knowledge) -> list[Entry]:
    """Every rule, number and drug."""
    found = [
        Entry("rule", rule_id, entry.title, entry.mark, "; ".join(knowledge.citations(rule_id)))
        for rule_id, entry in knowledge.rules.items()
    ]
    for key in knowledge.keys():  # noqa: SIM118  (a method, not a mapping)
        number = knowledge.number(key)
        found.append(Entry("number", key, number.means, str(number), number.citation))
    for slug, drug in knowledge.drugs.items():
        rate = drug.rate
        value = f"{rate.value:g} % grade 3 or worse" if rate else "no rate of its own"
        source = knowledge.cite(rate.source, rate.locator, rate.mark) if rate else ""
        says = "; ".join(
            x for x in (drug.drug_class, drug.mechanism, drug.onset, drug.schedule) if x
        )
        found.append(Entry("drug", slug, says, value, source))
    return found


def as_text(found: list[Entry]) -> str:
    """Entries for people."""
    blocks = [
        f"{e.key}  ({e.kind})\n  {e.says}\n  {e.value}\n"
        + (f"  source: {e.source}\n" if e.source else "")
        for e in found
    ]
    return "\n".join(blocks)


def as_json(found: list[Entry]) -> bytes:
    """Entries for programs."""
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"
