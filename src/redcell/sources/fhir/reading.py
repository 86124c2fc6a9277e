"""What the readers of single resources share: references, times, and what is set aside."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from redcell.record.moment import Moment
from redcell.record.record import Fact, SetAside
from redcell.sources.fhir.datatypes import Extension, Period
from redcell.sources.fhir.resources import Observation, Resource
from redcell.sources.fhir.times import BadTimeError, moment
from redcell.sources.terms import Terms

BAD_ID = re.compile(r"[^A-Za-z0-9.-]")
MAX_ID = 64


class Located(Struct):
    """One decoded resource, where it stood, and the reference that names it."""

    place: str
    reference: str
    full_url: str
    resource: Resource
    raw: bytes
    checked: bool = True
    """Was the raw JSON checked for duplicate keys and oversized numbers?"""


class Reading:
    """Collects facts and problems while one patient's resources are read."""

    def __init__(self, terms: Terms, *, says_place: bool = False) -> None:
        """Start empty.

        Args:
            terms: the code tables.
            says_place: name the line in what is said. Not for FHIR, whose resources have names of
                their own and may come in any order.
        """
        self.says_place = says_place
        self.terms = terms
        self.knowledge = terms.knowledge
        self.facts: list[Fact] = []
        self.aside: list[SetAside] = []
        self.index: dict[str, Located] = {}
        self.counts: dict[str, int] = {}

    def add(self, *facts: Fact) -> None:
        """Keep facts."""
        self.facts.extend(facts)

    def set_aside(self, code: str, where: Located, text: str) -> None:
        """Keep a problem with its place."""
        name = where.reference
        if self.says_place and where.place:
            name = f"{where.place} ({name})"
        self.aside.append(SetAside(code, where.place, f"{name}: {text}", where.reference))

    def entered_in_error(self, where: Located, status: str) -> bool:
        """Was the resource entered in error? If so, that is noted; nothing of it is used."""
        if status != "entered-in-error":
            return False
        self.set_aside("entered-in-error-ignored", where, "entered in error; it was not used.")
        return True

    def when(self, where: Located, *texts: str) -> Moment | None:
        """The first time given, noting one without an offset; a bad one is set aside."""
        for text in texts:
            if not text:
                continue
            try:
                found, naive = moment(text)
            except BadTimeError as error:
                self.set_aside("time-not-understood", where, f"{error}; it was not used.")
                return None
            if naive:
                self.set_aside(
                    "naive-time-assumed-utc", where, f"the time {text} has no offset; read as UTC."
                )
            return found
        return None

    def span(self, where: Located, period: Period | None) -> tuple[Moment | None, Moment | None]:
        """Start and end of a period."""
        if period is None:
            return None, None
        return self.when(where, period.start), self.when(where, period.end)

    def resolve(self, reference: str) -> Located | None:
        """The resource that a reference points to, by Type/id, URL or fullUrl."""
        return self.index.get(reference) or self.index.get(tail(reference))


URN = "urn:uuid:"
"""How the entries of a Bundle refer to each other; in single resources it names an id."""


def tail(reference: str) -> str:
    """`Type/id` at the end of a reference, without a version."""
    parts = reference.partition("/_history/")[0].rstrip("/").split("/")
    return "/".join(parts[-2:])


def name_of(kind: str, resource_id: str, full_url: str, fallback: str) -> str:
    """The reference `Type/id` of a resource; an entry without an id is named by its fullUrl."""
    found = resource_id
    if not found and full_url.startswith(URN):
        found = full_url.removeprefix(URN)
    if not found and full_url:
        found = full_url.rstrip("/").rpartition("/")[2]
    found = found or fallback
    plain = found.isascii() and found.replace("-", "").replace(".", "").isalnum()
    if not plain or len(found) > MAX_ID:
        found = BAD_ID.sub("-", found)[:MAX_ID]
    return f"{kind}/{found}"


def extension(resource: Resource | Extension, *names: str) -> Extension | None:
    """The extension whose URL is, or ends in, one of these names."""
    for found in resource.extension:
        url = found.url.partition("|")[0]
        if any(url == name or url.endswith(("/" + name, ":" + name)) for name in names):
            return found
    return None


def extensions(resource: Resource, name: str) -> Iterable[Extension]:
    """Every extension of this name."""
    for found in resource.extension:
        url = found.url.partition("|")[0]
        if url == name or url.endswith(("/" + name, ":" + name)):
            yield found


def clinical_time(reading: Reading, where: Located, o: Observation) -> Moment | None:
    """effectiveDateTime, else effectiveInstant, else the period's end or start, else issued."""
    period = o.effectivePeriod or Period()
    return reading.when(
        where, o.effectiveDateTime, o.effectiveInstant, period.end, period.start, o.issued
    )
