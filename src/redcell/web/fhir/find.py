"""Search: what fits the criteria and may be seen, in one order, page by page.

Of one patient everything is looked at in memory; of everybody the database goes ahead and each
resource is compared after it, so that every page is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.engine import Connection

from redcell.clinic import conclusions
from redcell.clinic.moved import WITHDRAWN
from redcell.clinic.sensitivity.consents import Audience
from redcell.clinic.sensitivity.labels import Level
from redcell.clinic.sensitivity.sight import Sight
from redcell.clinic.versions import RESTRICTED, SPANS, version_of
from redcell.identity.caller import Caller
from redcell.store import persons, search
from redcell.store.facts import Token
from redcell.store.search import NEVER, Found, Key, Match, Query
from redcell.web.fhir import suppress
from redcell.web.fhir.access import grant, visible
from redcell.web.fhir.criteria import Criteria, Dated, Words
from redcell.web.fhir.kinds import CONCLUDED, ONLY_CONCLUDED, PARAMETERS
from redcell.web.fhir.outcome import FhirError
from redcell.web.fhir.spans import Span, spans_in
from redcell.web.fhir.standing import resources_of
from redcell.web.security.viewers import viewer_of

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

Json = dict[str, Any]
CHUNK = 500
LOOKED_AT = 20_000
"""Resources that one page looks at; a page may then be shorter than asked for, and go on."""
ORDERS: dict[str, search.Order] = {"_id": "id", "_lastUpdated": "received", "date": "time"}


class Page(Struct, frozen=True):
    """One page of what was found."""

    resources: tuple[Json, ...] = ()
    total: int | None = None
    next: Key | None = None
    patients: tuple[str | None, ...] = ()
    """Whose they are."""


class Asked(Struct, frozen=True):
    """Who asks whom, at what time."""

    clinic: Clinic
    connection: Connection
    caller: Caller
    now: int
    sights: dict[Caller, Sight] = {}
    """What each caller of the request may see of restricted facts, once it was asked for."""

    @property
    def sight(self) -> Sight:
        """What the caller may see of restricted facts; one for the whole request."""
        if self.caller not in self.sights:
            viewer = viewer_of(self.caller, self.clinic.settings.sensitivity)
            self.sights[self.caller] = Sight(self.connection, viewer, self.now)
        return self.sights[self.caller]

    def sees(self, person: str) -> bool:
        """May the caller see this person?"""
        return self.caller.sees(person)


class Item(Struct, frozen=True):
    """One resource with its place in the order."""

    key: int | str
    rid: str
    patient: str | None
    resource: Json


def find(asked: Asked, c: Criteria) -> Page:
    """One page of what fits.

    Raises:
        FhirError: 400 for an order or a type that needs a patient.
    """
    patients = limits(asked, c)
    if patients is None:
        return _everybody(asked, c)
    return _of_patients(asked, c, patients)


def limits(asked: Asked, c: Criteria) -> frozenset[str] | None:
    """The patient ids to which the search is bound; `None` for everybody's."""
    found = visible(asked.connection, asked.caller)
    for group in c.patients:
        every = frozenset(
            patient
            for named in group
            for patient in persons.patients_of(
                asked.connection, persons.person_of(asked.connection, named)
            )
        )
        found = every if found is None else found & every
    return found


def query_of(c: Criteria, patients: Iterable[str] | None = None) -> Query:
    """What the database is asked."""
    ids: tuple[str, ...] | None = None
    for group in c.ids:
        ids = group if ids is None else tuple(i for i in ids if i in group)
    ranges = [
        _RANGES[group[0].prefix](group[0].span)
        for group in c.updated
        if len(group) == 1 and group[0].prefix in _RANGES
    ]
    low = max((low for low, _ in ranges if low is not None), default=None)
    high = min((high for _, high in ranges if high is not None), default=None)
    return Query(
        kind=c.kind,
        patients=tuple(sorted(patients)) if patients is not None else None,
        ids=ids,
        anyof=c.anyof,
        noneof=c.noneof,
        received=(low, high),
    )


_RANGES: dict[str, Callable[[Span], tuple[int | None, int | None]]] = {
    "eq": lambda s: (s.low, s.high),
    "ge": lambda s: (s.low, None),
    "gt": lambda s: (s.high, None),
    "sa": lambda s: (s.high, None),
    "le": lambda s: (None, s.high),
    "lt": lambda s: (None, s.low),
    "eb": lambda s: (None, s.low),
}


# -- of some patients ------------------------------------------------------------------------------


def _of_patients(asked: Asked, c: Criteria, patients: frozenset[str]) -> Page:
    items = list(_kept(asked, c, patients)) if c.kind not in ONLY_CONCLUDED else []
    if c.kind in CONCLUDED:
        items += _concluded(asked, c, patients)
    items.sort(key=lambda item: (item.key, item.rid), reverse=c.descending)
    total = len(items)
    if c.only_count:
        return Page(total=total, patients=tuple({i.patient for i in items}))
    if c.after is not None:
        items = [item for item in items if _beyond(item, c, c.after)]
    return _page(c, items, total)


def _page(c: Criteria, items: list[Item], total: int | None, *, more: Key | None = None) -> Page:
    shown = items[: c.count]
    if len(items) > len(shown):
        more = Key(shown[-1].key, shown[-1].rid)
    patients = tuple(dict.fromkeys(item.patient for item in shown))
    return Page(tuple(item.resource for item in shown), total, more, patients)


def _beyond(item: Item, c: Criteria, after: Key) -> bool:
    here, there = (item.key, item.rid), (after.value, after.rid)
    return here < there if c.descending else here > there


def _kept(asked: Asked, c: Criteria, patients: frozenset[str]) -> Iterator[Item]:
    return _items(asked, c, search.find(asked.connection, query_of(c, patients)))


def _items(
    asked: Asked, c: Criteria, found: Sequence[Found], *, ordered: bool = False
) -> Iterator[Item]:
    """The facts that fit, each with its place in the order."""
    for one, resource in zip(found, resources_of(asked.connection, found), strict=True):
        if not _stands(c, resource) or asked.sight.hides(one.patient, resource):
            continue
        if fits(asked, c, resource, one.received):
            key = one.key if ordered else _key(c, resource, one.received)
            yield Item(key, one.rid, one.patient, resource)


def _stands(c: Criteria, resource: Json) -> bool:
    """Has it the status by which the database found it, though something else replaced it?"""
    return resource.get("status") != WITHDRAWN or not _by_status(c) or _coded(c, resource)


def _by_status(c: Criteria) -> bool:
    return any(m.param == "status" for group in (*c.anyof, *c.noneof) for m in group)


def _key(c: Criteria, resource: Json, received: int) -> int | str:
    if c.sort == "_id":
        return str(resource["id"])
    if c.sort == "_lastUpdated":
        return received
    dates = [p.paths for p in PARAMETERS[c.kind].values() if p.type == "date"]
    paths = next((paths for paths in dates if paths != ("meta.lastUpdated",)), ())
    return min((span.low for path in paths for span in _spans(resource, path)), default=NEVER)


def _concluded(asked: Asked, c: Criteria, patients: frozenset[str]) -> Iterator[Item]:
    people = {persons.person_of(asked.connection, patient) for patient in patients}
    for person in sorted(people):
        for made in conclusions.every(asked.clinic, asked.connection, person):
            for resource in suppress.shown_of(asked, made):
                fit = resource["resourceType"] == c.kind and _coded(c, resource)
                if fit and fits(asked, c, resource, made.made):
                    yield Item(_key(c, resource, made.made), resource["id"], person, resource)


def _coded(c: Criteria, resource: Json) -> bool:
    """Does it carry the codes and ids asked for? What the database says of facts."""
    if any(resource["id"] not in group for group in c.ids):
        return False
    tokens = tokens_of(resource)
    return all(any(_has(tokens, m) for m in group) for group in c.anyof) and not any(
        _has(tokens, m) for group in c.noneof for m in group
    )


def tokens_of(resource: Json) -> tuple[Token, ...]:
    """The codes by which a resource of any kind is found."""
    kind = resource["resourceType"]
    plain = {**resource, "resourceType": "Observation"} if kind in ONLY_CONCLUDED else resource
    return version_of(plain, 0).tokens


def _has(tokens: tuple[Token, ...], match: Match) -> bool:
    return any(
        t.param == match.param and match.code in (None, t.code) and match.system in (None, t.system)
        for t in tokens
    )


# -- of everybody ----------------------------------------------------------------------------------


def _everybody(asked: Asked, c: Criteria) -> Page:
    if c.kind in ONLY_CONCLUDED:
        raise FhirError(400, "required", f"{c.kind} is found by patient.", "http.patient")
    if c.sort == "date" and c.kind != "Observation":
        text = f"{c.kind} of everybody cannot be sorted by date; name a patient."
        raise FhirError(400, "not-supported", text, "http._sort")
    query = replace(query_of(c), order=ORDERS[c.sort], descending=c.descending)
    if c.kind == "Observation":
        query = replace(query, time=_window(c), spans=SPANS)
    if c.only_count:
        return _counted(asked, c, query)
    items: list[Item] = []
    after, looked = c.after, 0
    while len(items) <= c.count:
        rows = search.find(asked.connection, query, after=after, limit=CHUNK)
        looked += len(rows)
        items += _items(asked, c, rows, ordered=True)
        if len(rows) < CHUNK:
            return _page(c, items, None)
        after = Key(rows[-1].key, rows[-1].rid)
        if looked >= LOOKED_AT:
            return _page(c, items, None, more=after)
    return _page(c, items, None)


def _counted(asked: Asked, c: Criteria, query: Query) -> Page:
    if _is_exact(asked, c):
        most = asked.sight.viewer.most
        above = tuple(Match(RESTRICTED, one.name) for one in Level if one > most)
        query = replace(query, noneof=(*query.noneof, above)) if above else query
        return Page(total=search.count(asked.connection, query))
    total, after = 0, None
    while True:
        rows = search.find(asked.connection, query, after=after, limit=CHUNK)
        total += sum(1 for _ in _items(asked, c, rows, ordered=True))
        if len(rows) < CHUNK:
            return Page(total=total)
        after = Key(rows[-1].key, rows[-1].rid)


def _is_exact(asked: Asked, c: Criteria) -> bool:
    """Does the database alone decide?"""
    viewer = asked.sight.viewer
    if viewer.audience is not Audience.CARE or viewer.opened:
        return False
    plain = asked.caller.scopes is None and not (c.dates or c.words or c.sources or _by_status(c))
    return plain and all(len(g) == 1 and g[0].prefix in _RANGES for g in c.updated)


def _window(c: Criteria) -> tuple[int | None, int | None]:
    lows, highs = [], []
    for dated in c.dates:
        if len(dated.values) == 1:
            low, high = dated.values[0].bounds
            lows += [low] if low is not None else []
            highs += [high] if high is not None else []
    return max(lows, default=None), min(highs, default=None)


# -- one resource ----------------------------------------------------------------------------------


def fits(asked: Asked, c: Criteria, resource: Json, received: int) -> bool:
    """Does it fit what the database does not decide, and the caller's token?"""
    here = Span(received // 1000 * 1000, received // 1000 * 1000 + 1000)
    return (
        all(any(v.fits(here, asked.now) for v in group) for group in c.updated)
        and all(_dated(resource, dated, asked.now) for dated in c.dates)
        and all(_worded(resource, words) for words in c.words)
        and all(_sourced(resource, group) for group in c.sources)
        and grant(asked.caller, c.kind, "s", resource)
    )


def _dated(resource: Json, dated: Dated, now: int) -> bool:
    spans = [span for path in dated.paths for span in _spans(resource, path)]
    return any(value.fits(span, now) for value in dated.values for span in spans)


def _spans(resource: Json, path: str) -> Iterator[Span]:
    for value in _at(resource, path):
        yield from spans_in(value)


def _worded(resource: Json, words: Words) -> bool:
    texts = [t.casefold() for path in words.paths for t in _at(resource, path) if _is_text(t)]
    return any(text.startswith(value) for text in texts for value in words.values)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _sourced(resource: Json, group: tuple[str, ...]) -> bool:
    return any(value in group for value in _at(resource, "meta.source"))


def _at(value: Any, path: str) -> Iterator[Any]:
    """Every value at a path, through lists."""
    if isinstance(value, list):
        for one in value:
            yield from _at(one, path)
        return
    if not path:
        yield value
        return
    name, _, rest = path.partition(".")
    if isinstance(value, dict) and name in value:
        yield from _at(value[name], rest)
