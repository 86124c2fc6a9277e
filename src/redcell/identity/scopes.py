"""SMART scopes: what an access token grants, per resource type and act.

Version 2 (`patient/Observation.rs?category=laboratory`) and version 1 (`patient/Observation.read`).
A scope that is not understood grants nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from msgspec import Struct

from redcell.identity.caller import Caller

_SHAPE = re.compile(
    r"(patient|user|system)/(\*|[A-Z][A-Za-z]{1,63})\.([a-z*]{1,8})(?:\?(\S{1,500}))?"
)
_VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}
_LETTERS = "cruds"
_FILTERS = frozenset({"category"})
"""Search parameters that a scope may narrow by."""


class Scope(Struct, frozen=True):
    """One scope that is understood."""

    level: str
    """`patient`: the launched person; `user`: whom the user may see; `system`: the client's own."""
    kind: str
    """A resource type, or `*`."""
    letters: str
    """Of create, read, update, delete and search, in this order."""
    category: str = ""
    """`system|code` or a code: only resources in this category."""

    def covers(self, kind: str, letter: str) -> bool:
        """Does it grant this act on this type, whatever the category?"""
        return self.kind in ("*", kind) and letter in self.letters


def parse(text: str) -> Scope | None:
    """One scope; `None` when it is not understood and so grants nothing."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        return None
    level, kind, acts, query = found.groups()
    letters = _VERSION_1.get(acts) or _in_order(acts)
    if not letters:
        return None
    if query is None:
        return Scope(level, kind, letters)
    pairs = parse_qsl(query, keep_blank_values=True)
    if len(pairs) != 1:
        return None
    ((name, category),) = pairs
    if name not in _FILTERS or not category:
        return None
    return Scope(level, kind, letters, category)


def _in_order(acts: str) -> str:
    """The letters when they stand once each and in the order that the standard asks for."""
    wanted = "".join(letter for letter in _LETTERS if letter in acts)
    return acts if acts == wanted else ""


def understood(texts: Iterable[str]) -> tuple[Scope, ...]:
    """The scopes that grant something."""
    return tuple(scope for text in texts if (scope := parse(text)) is not None)


def allows(
    caller: Caller, kind: str, letter: str, resource: Mapping[str, Any] | None = None
) -> bool:
    """May the caller read (r), search (s), create (c), update (u) or delete (d) this type?

    Says nothing about whose data it is: `caller.sees()` does. Without a resource a scope that is
    narrowed by category counts; each resource then has to be asked about by itself. People who
    signed in on the pages have no scopes: their roles decide alone.
    """
    if caller.scopes is None:
        return True
    for scope in understood(caller.scopes):
        if scope.level == "patient" and not caller.launched:
            continue
        if scope.covers(kind, letter) and _in_category(scope.category, resource):
            return True
    return False


def _in_category(category: str, resource: Mapping[str, Any] | None) -> bool:
    if not category or resource is None:
        return True
    system, bar, code = category.rpartition("|")
    found = resource.get("category")
    concepts = found if isinstance(found, list) else [found]
    for concept in concepts:
        codings = concept.get("coding") if isinstance(concept, Mapping) else None
        for coding in codings if isinstance(codings, list) else ():
            same = isinstance(coding, Mapping) and coding.get("code") == code
            if same and (not bar or coding.get("system", "") == system):
                return True
    return False


# -- what a client gets of what it asks for --------------------------------------------------------


def granted(
    asked: Iterable[str], registered: Iterable[str], levels: frozenset[str]
) -> tuple[str, ...]:
    """The scopes that a client gets: those it asks for, as far as it is registered for them.

    Args:
        asked: what it asks for; what is not understood grants nothing.
        registered: the most that it may have.
        levels: which of `patient`, `user`, `system` this way to ask can give.
    """
    most = understood(registered)
    found: dict[str, None] = {}
    for text in asked:
        scope = parse(text)
        if scope is not None and scope.level in levels:
            for part in _narrowed(scope, most):
                found[text if part == scope else _text(part)] = None
    return tuple(found)


def _narrowed(scope: Scope, most: Iterable[Scope]) -> list[Scope]:
    found = []
    for limit in most:
        same_kind = limit.kind == scope.kind or "*" in (limit.kind, scope.kind)
        if limit.level != scope.level or not same_kind:
            continue
        if limit.category and scope.category not in ("", limit.category):
            continue
        kind = scope.kind if limit.kind == "*" else limit.kind
        letters = "".join(letter for letter in scope.letters if letter in limit.letters)
        if letters:
            category = scope.category or limit.category
            found.append(Scope(scope.level, kind, letters, category))
    return [scope] if scope in found else found


def _text(scope: Scope) -> str:
    query = f"?category={scope.category}" if scope.category else ""
    return f"{scope.level}/{scope.kind}.{scope.letters}{query}"
