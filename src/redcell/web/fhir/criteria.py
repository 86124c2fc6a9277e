"""A query string as what to find: each parameter read by the table, the others refused or told."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from redcell.clinic.versions import ID
from redcell.store.search import Key, Match
from redcell.web.fhir.kinds import AUDITED, PARAMETERS, RESULTS, SORTS, TRACED, Parameter
from redcell.web.fhir.outcome import FhirError, Issue
from redcell.web.fhir.spans import Compared, compared

Json = dict[str, Any]
COUNT, MOST = 100, 1000
LONGEST = 2000
"""Characters of one value."""
SEVERAL = 200
"""Values in one list."""
FARTHEST = 1 << 62


class Words(Struct, frozen=True):
    """Beginnings of text, one of which must fit one of these paths."""

    paths: tuple[str, ...]
    values: tuple[str, ...]


class Dated(Struct, frozen=True):
    """Dates, one of which must fit one of these paths."""

    paths: tuple[str, ...]
    values: tuple[Compared, ...]


class Criteria(Struct, frozen=True):
    """What to find, and how to show it."""

    kind: str
    patients: tuple[tuple[str, ...], ...] = ()
    """Each group must hold the patient."""
    ids: tuple[tuple[str, ...], ...] = ()
    anyof: tuple[tuple[Match, ...], ...] = ()
    noneof: tuple[tuple[Match, ...], ...] = ()
    dates: tuple[Dated, ...] = ()
    updated: tuple[tuple[Compared, ...], ...] = ()
    words: tuple[Words, ...] = ()
    sources: tuple[tuple[str, ...], ...] = ()
    targets: tuple[tuple[str, ...], ...] = ()
    count: int = COUNT
    sort: str = "_id"
    descending: bool = False
    after: Key | None = None
    only_count: bool = False
    used: tuple[tuple[str, str], ...] = ()
    """What was understood, for the self link."""
    issues: tuple[Issue, ...] = ()
    """What was not."""


class Draft(Struct):
    """Criteria while they are read."""

    patients: list[tuple[str, ...]] = []
    ids: list[tuple[str, ...]] = []
    anyof: list[tuple[Match, ...]] = []
    noneof: list[tuple[Match, ...]] = []
    dates: list[Dated] = []
    updated: list[tuple[Compared, ...]] = []
    words: list[Words] = []
    sources: list[tuple[str, ...]] = []
    targets: list[tuple[str, ...]] = []
    count: int = COUNT
    sort: str = "_id"
    descending: bool = False
    after: Key | None = None
    only_count: bool = False
    used: list[tuple[str, str]] = []
    issues: list[Issue] = []


def criteria(kind: str, given: Iterable[tuple[str, str]], *, strict: bool = False) -> Criteria:
    """What a query asks for.

    Args:
        kind: type of resource.
        given: names and values, decoded.
        strict: refuse what is not understood, rather than tell of it.

    Raises:
        FhirError: 400 for a value or modifier that is not understood.
    """
    draft = Draft()
    for name, value in given:
        if value == "":
            continue
        if len(value) > LONGEST or "\x00" in value:
            raise bad(name, "its value is too long or holds a NUL.")
        if not _read(draft, kind, name, value):
            _tell(draft, kind, name, strict=strict)
            continue
        draft.used.append((name, value))
    named = draft.sort == "_id" and kind not in (AUDITED, TRACED)
    if draft.after is not None and isinstance(draft.after.value, str) != named:
        raise bad("_after", "it belongs to another order.")
    found = {n: _frozen(getattr(draft, n)) for n in Draft.__struct_fields__}
    return Criteria(kind=kind, **found)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def bad(name: str, text: str) -> FhirError:
    """The refusal of a parameter."""
    shown = name if name.isascii() and name.isprintable() else "parameter"
    return FhirError(400, "value", f"{shown[:60]}: {text}", f"http.{shown[:60]}")


def _tell(draft: Draft, kind: str, name: str, *, strict: bool) -> None:
    shown = name[:60] if name.isascii() and name.isprintable() else "a parameter"
    text = f"{shown} is no search parameter of {kind} that redcell knows; it was not used."
    if strict:
        raise FhirError(400, "not-supported", text, f"http.{shown}")
    draft.issues.append(Issue("not-supported", text, f"http.{shown}", "warning"))


def _read(draft: Draft, kind: str, name: str, value: str) -> bool:
    """Read one parameter; `False` for one that is not known."""
    if name in RESULTS:
        return _result(draft, kind, name, value)
    plain, _, modifier = name.partition(":")
    parameter = PARAMETERS[kind].get(plain)
    if parameter is None:
        return False
    values = split(value)
    if not values:
        raise bad(name, "it lists no value.")
    if len(values) > SEVERAL:
        raise bad(name, f"it lists more than {SEVERAL} values.")
    if modifier and not _takes(parameter, modifier):
        raise bad(name, "this modifier is not supported.")
    _criterion(draft, parameter, modifier, values)
    return True


def _takes(parameter: Parameter, modifier: str) -> bool:
    if parameter.type == "reference":
        return modifier == "Patient"
    return modifier == "not" and parameter.type == "token" and parameter.name != "_id"


def _criterion(draft: Draft, one: Parameter, modifier: str, values: list[str]) -> None:
    name = one.name
    if name == "_id":
        draft.ids.append(tuple(values))
    elif name == "_lastUpdated":
        draft.updated.append(_dates(name, values))
    elif name == "_source":
        draft.sources.append(tuple(values))
    elif name == "target":
        draft.targets.append(tuple(values))
    elif one.type == "reference":
        draft.patients.append(tuple(patient_id(name, v) for v in values))
    elif one.type == "date":
        draft.dates.append(Dated(one.paths, _dates(name, values)))
    elif one.type == "string":
        draft.words.append(Words(one.paths, tuple(v.casefold() for v in values)))
    else:
        group = tuple(token(one.paths[0], v) for v in values)
        (draft.noneof if modifier == "not" else draft.anyof).append(group)


def _dates(name: str, values: Sequence[str]) -> tuple[Compared, ...]:
    try:
        return tuple(compared(value) for value in values)
    except ValueError as error:
        raise bad(name, "not a date; expected for example ge2026-11-22.") from error


def token(param: str, value: str) -> Match:
    """`code`, `system|code`, `|code` (no system) or `system|` as what to look for."""
    system, bar, code = value.partition("|")
    if not bar:
        return Match(param, value)
    return Match(param, code or None, system)


def patient_id(name: str, value: str) -> str:
    """The id in `x`, `Patient/x` or an address that ends in it."""
    kind, slash, rid = value.rpartition("/")
    if (slash and kind.rpartition("/")[2] != "Patient") or not ID.fullmatch(rid):
        raise bad(name, "expected the id of a Patient, or Patient/id.")
    return rid


def split(value: str) -> list[str]:
    r"""The values of a list; `\,` is a comma inside of one."""
    parts, here, escaped = [], "", False
    for sign in value:
        if escaped:
            here += sign if sign in ",|$\\" else f"\\{sign}"
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign == ",":
            parts.append(here)
            here = ""
        else:
            here += sign
    return [part for part in (*parts, here) if part]


# -- how it is shown -----------------------------------------------------------------------------


def _result(draft: Draft, kind: str, name: str, value: str) -> bool:
    if name == "_count":
        if not (value.isascii() and value.isdecimal()):
            raise bad(name, "expected a whole number.")
        draft.count = min(int(value[:9]), MOST)
        draft.only_count = draft.only_count or draft.count == 0
    elif name == "_summary":
        if value not in ("count", "false"):
            return False
        draft.only_count = value == "count"
    elif name == "_total":
        return value in ("none", "estimate", "accurate")
    elif name == "_sort":
        return _sort(draft, kind, value)
    elif name == "_after":
        draft.after = cursor(value)
    return True


def _sort(draft: Draft, kind: str, value: str) -> bool:
    plain = value.removeprefix("-")
    dates = {p.name for p in PARAMETERS[kind].values() if p.type == "date"}
    if plain not in SORTS and plain not in dates:
        return False
    draft.sort = plain if plain in ("_id", "_lastUpdated") else "date"
    draft.descending = value.startswith("-")
    return True


def cursor(text: str) -> Key:
    """Where the page before ended.

    Raises:
        FhirError: it was not made here.
    """
    try:
        key = msgspec.json.decode(base64.urlsafe_b64decode(text.encode()), type=Key)
    except (ValueError, msgspec.MsgspecError):
        key = Key("", "")
    whole = ID.fullmatch(key.value) if isinstance(key.value, str) else abs(key.value) <= FARTHEST
    if not whole or not ID.fullmatch(key.rid):
        raise bad("_after", "not a link that redcell gave out.")
    return key


def cursor_text(key: Key) -> str:
    """A key for the link to the next page."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode()
