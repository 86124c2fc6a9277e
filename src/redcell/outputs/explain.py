"""Why: the tree of reasons under a finding, down to resource ids and cited numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from redcell.loop import Steps
from redcell.outputs.speech import Speech
from redcell.rule import Finding, why


def explain(steps: Steps, name: str) -> list[str]:
    """One tree for each finding that `name` names: a rule id, a rule's name, or `f3`.

    Those that the assessment lists come first, then those that it only weighed.
    """
    speech = Speech(steps.case.knowledge)
    wanted = _named(steps, name)
    return ["\n".join([speech.statement(f), *why(f), *_sources(steps, f)]) for f in wanted]


def _named(steps: Steps, name: str) -> list[Finding[Any]]:
    from redcell.outputs.assessment import numbered

    shown = numbered(steps)
    if name.startswith("f") and name[1:].isdigit():
        index = int(name[1:]) - 1
        return [shown[index]] if 0 <= index < len(shown) else []
    listed = {id(f) for f in shown}
    named = [f for f in all_findings(steps) if name in (f.rule, f.name, f.name.rpartition(".")[2])]
    return sorted(named, key=lambda f: id(f) not in listed)


def _sources(steps: Steps, finding: Finding[Any]) -> Iterator[str]:
    for citation in steps.case.knowledge.citations(finding.rule):
        yield f"  source: {citation}"


def all_findings(steps: Steps) -> list[Finding[Any]]:
    """Every finding of an assessment, each once, in the order of the steps."""
    seen: dict[int, Finding[Any]] = {}
    for name in steps.__struct_fields__:
        if name != "case":
            for finding in _walk(getattr(steps, name)):
                seen.setdefault(id(finding), finding)
    return list(seen.values())


def _walk(item: object) -> Iterator[Finding[Any]]:
    if isinstance(item, Finding):
        yield item
        for inner in item.given:
            yield from _walk(inner)
    elif isinstance(item, (tuple, list)):
        for inner in item:
            yield from _walk(inner)
    elif isinstance(item, dict):
        for inner in item.values():
            yield from _walk(inner)
    elif isinstance(item, Struct):
        for name in item.__struct_fields__:
            yield from _walk(getattr(item, name))
