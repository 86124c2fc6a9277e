"""A rule is a pure function whose call is the evidence: name, citation, arguments, answer.

`@rule("S-R9", limit="hemoglobin.very_low")` turns a function into a rule. The rule's clinical id
(S-R9) names its sources in `knowledge/rules.toml`; every number it uses is an entry of the
knowledge base, named here once and passed to the function as a keyword. Calling the rule returns
a `Finding` that remembers everything the answer rests on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from redcell.knowledge.load import Cited, Knowledge

T = TypeVar("T")

STEP = 2
"""Where a module path names the step: `redcell.findings.causes.evidence` is `causes`."""


class Unassessed:
    """The answer of a rule that lacks a fact: what it would need. Never read as normal."""

    __slots__ = ("needs",)

    def __init__(self, *needs: str) -> None:
        self.needs = needs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unassessed) and other.needs == self.needs

    def __hash__(self) -> int:
        return hash(self.needs)

    def __repr__(self) -> str:
        return f"not assessed: needs {', '.join(self.needs)}"


class RuleSpec:
    """What is known about a rule before it is called."""

    __slots__ = ("arguments", "doc", "name", "numbers", "rule")

    def __init__(self, function: Callable[..., object], rule: str, numbers: dict[str, str]) -> None:
        code = function.__code__
        self.rule = rule
        step = function.__module__.split(".")[STEP]
        self.name = f"{step}.{function.__name__}"
        self.arguments = code.co_varnames[: code.co_argcount]
        self.numbers = numbers
        self.doc = function.__doc__ or ""


class Finding(Struct, Generic[T], eq=False):
    """One rule's answer together with everything that it was given."""

    spec: RuleSpec
    value: T
    given: tuple[Any, ...]
    cited: dict[str, Cited]
    _evidence: tuple[str, ...] | None = None

    @property
    def rule(self) -> str:
        """The clinical rule id, for example `S-R9`; where one of several decided, that one."""
        decided: str = getattr(self.value, "decided_by", "")
        return decided or self.spec.rule

    @property
    def name(self) -> str:
        """The rule's name in the code, `module.function`."""
        return self.spec.name

    @property
    def inputs(self) -> dict[str, Any]:
        """Every argument by name: facts, earlier findings and cited numbers."""
        return dict(zip(self.spec.arguments, self.given, strict=False)) | self.cited

    @property
    def evidence(self) -> tuple[str, ...]:
        """FHIR references of the facts that this answer rests on, in the order they were given."""
        if self._evidence is None:
            self._evidence = tuple(dict.fromkeys(references(self.given)))
        return self._evidence

    def __bool__(self) -> bool:
        raise TypeError(f"{self.name} is a finding: ask for its .value")

    def __repr__(self) -> str:
        return f"{self.name}: {self.value!r} [{self.rule}]"


class Rule(Protocol[T]):
    """A decorated rule: call it with the knowledge base first, then the facts it asks for."""

    spec: RuleSpec

    def __call__(self, knowledge: Knowledge, /, *facts: Any) -> Finding[T]:
        """The rule's finding for these facts."""
        ...


RULES: dict[str, RuleSpec] = {}
"""Every rule of the program by name, filled as the modules of `findings` and `plan` load."""


def rule(rule_id: str, **numbers: str) -> Callable[[Callable[..., T]], Rule[T]]:
    """Make a pure function a rule.

    Args:
        rule_id: the clinical rule, an entry of `knowledge/rules.toml`.
        numbers: keyword argument of the function -> key of the knowledge base.
    """

    def decorate(function: Callable[..., T]) -> Rule[T]:
        spec = RuleSpec(function, rule_id, numbers)
        RULES[spec.name] = spec

        name = spec.name

        @wraps(function)
        def call(knowledge: Knowledge, /, *facts: Any) -> Finding[T]:
            cited = knowledge.bound.get(name) or knowledge.numbers(name, numbers)
            return Finding(spec, function(*facts, **cited), facts, cited)

        call.spec = spec  # type: ignore[attr-defined]
        return call  # type: ignore[return-value]

    return decorate


def references(item: object) -> list[str]:
    """FHIR references inside a fact, a finding, or any nest of them."""
    found: list[str] = []
    _note(item, found)
    return found


BARE = frozenset({bool, float, int, str, type(None)})
"""Types of what has no resource behind it."""


def _note(item: object, found: list[str]) -> None:
    """Add the references inside an item, in the order in which they are met."""
    if isinstance(item, Finding):
        found += item.evidence
    elif isinstance(item, (tuple, list, frozenset)):
        for inner in item:
            if inner.__class__ not in BARE:
                _note(inner, found)
    elif isinstance(item, dict):
        for inner in item.values():
            _note(inner, found)
    else:
        reference = getattr(item, "reference", None)
        if isinstance(reference, str) and reference:
            found.append(reference)
        found += getattr(item, "references", ())


def why(finding: Finding[Any], depth: int = 0) -> Iterator[str]:
    """The tree of reasons under a finding, one line each, down to resources and cited numbers."""
    pad = "  " * depth
    yield f"{pad}{finding.name}: {finding.value!s} [{finding.rule}]"
    for name, item in finding.inputs.items():
        yield from _branch(name, item, depth + 1)


def _branch(name: str, item: object, depth: int) -> Iterator[str]:
    pad = "  " * depth
    if isinstance(item, Finding):
        yield from why(item, depth)
    elif isinstance(item, Cited):
        yield f"{pad}{name} = {item} [{item.citation}]"
    elif isinstance(item, (tuple, list)) and item:
        yield f"{pad}{name}:"
        for inner in item:
            yield from _items(inner, depth + 1)
    else:
        yield f"{pad}{name} = {_leaf(item)}"


def _items(item: object, depth: int) -> Iterator[str]:
    """One member of a list: a finding as its own tree, a pair side by side."""
    if isinstance(item, Finding):
        yield from why(item, depth)
    elif isinstance(item, tuple):
        yield f"{'  ' * depth}- {', then '.join(_leaf(x) for x in item)}"
    else:
        yield f"{'  ' * depth}- {_leaf(item)}"


def _leaf(item: object) -> str:
    """A fact with the resources behind it."""
    found = ", ".join(references(item))
    shown = "unknown" if item is None else "none" if item in ((), []) else str(item)
    return f"{shown} [{found}]" if found else shown
