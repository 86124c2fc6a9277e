"""What came with a call: resources, and which inputs came whole, in part, broken, or not at all.

A key that is absent, null, or holds an OperationOutcome was not answered. A Bundle without
entries was: nothing was found. A Bundle with a next page was answered in part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from redcell.outputs.cards import Missing
from redcell.outputs.cards.asked import Why
from redcell.sources.fhir.kind import own_kind
from redcell.sources.fhir.read import Entry, RawResource
from redcell.web.cds.services import Key

OUTCOME = "OperationOutcome"
BUNDLE = "Bundle"
NEXT = "next"


class Link(Struct, frozen=True):
    """Bundle.link."""

    relation: str = ""
    url: str = ""


class Page(Struct):
    """A Bundle that answers a search."""

    link: list[Link] = []
    total: int | None = None
    entry: list[Entry] = []


_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_page = msgspec.json.Decoder(Page).decode


class Answer(Struct, frozen=True):
    """What one key, or one answer of a FHIR server, holds."""

    resources: tuple[RawResource, ...] = ()
    why: Why | None = None
    """Why it is not whole; `None` when it is."""
    next_page: str = ""
    count: int = 0
    """Entries so far, of a search."""
    total: int | None = None
    """How many the sender says there are."""


NOT_SENT = Answer(why="not_sent")
FAILED = Answer(why="failed")


class Received(Struct):
    """What is known of each input, over all its keys and answers."""

    resources: list[RawResource]
    answers: dict[str, Answer]
    """The best answer by input; an input that nobody answered is not in it."""

    def add(self, need: str, answer: Answer) -> None:
        """Keep an answer: all its resources; of several answers the most complete one counts."""
        self.resources.extend(answer.resources)
        earlier = self.answers.get(need)
        if earlier is None or ORDER.index(answer.why) < ORDER.index(earlier.why):
            self.answers[need] = answer

    def missing(self, needs: Iterable[str]) -> tuple[Missing, ...]:
        """The inputs that did not come whole."""
        found = ((need, self.answers.get(need, NOT_SENT).why) for need in needs)
        return tuple(Missing(need, why) for need, why in found if why is not None)


ORDER: tuple[Why | None, ...] = (None, "cut", "failed", "not_sent")
"""From a whole answer to none."""


def read_prefetch(prefetch: bytes, known: Iterable[Key]) -> Received:
    """Read the prefetch of a call. Keys that are not ours may hold data all the same.

    Raises:
        msgspec.MsgspecError: it is not an object.
    """
    received = Received([], {})
    if not prefetch:
        return received
    by_name = {key.need: key for key in known} | {key.name: key for key in known}
    for name, raw in _keys(prefetch).items():
        key = by_name.get(name)
        answer = read_answer(f"prefetch.{name}", bytes(raw), key.kind if key else "")
        if key is not None:
            received.add(key.need, answer)
        else:
            received.resources.extend(answer.resources)
    return received


def read_answer(place: str, data: bytes, wanted: str = "") -> Answer:
    """One key's value, or one answer of a FHIR server to a query for one type of resource."""
    if data.strip() in (b"", b"null"):
        return NOT_SENT
    try:
        kind = own_kind(data)
        if kind == BUNDLE:
            return _bundle(place, _page(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return FAILED
    if not kind or kind == OUTCOME:
        return FAILED
    fits = wanted in ("", kind)
    return Answer((RawResource(place, data, checked=True),), None if fits else "failed")


def _bundle(place: str, page: Page) -> Answer:
    """The resources of a page; an OperationOutcome among them says that the search had a fault."""
    found: list[RawResource] = []
    faulty = False
    for number, entry in enumerate(page.entry):
        raw = bytes(entry.resource)
        if raw and raw != b"null":
            if own_kind(raw) == OUTCOME:
                faulty = faulty or _is_fault(raw)
            else:
                where = f"{place}#entry[{number}]"
                found.append(RawResource(where, raw, entry.fullUrl, checked=True))
    if faulty and not found:
        return FAILED
    following = next(_next_pages(page), "")
    short = page.total is not None and page.total > len(page.entry)
    why: Why | None = "cut" if following or short or faulty else None
    return Answer(tuple(found), why, following, len(page.entry), page.total)


class Fault(Struct, frozen=True):
    """OperationOutcome.issue."""

    severity: str = ""


class Outcome(Struct, frozen=True):
    """An OperationOutcome, as far as it says whether a search failed."""

    issue: list[Fault] = []


_outcome = msgspec.json.Decoder(Outcome).decode


def _is_fault(data: bytes) -> bool:
    """Does an OperationOutcome beside results say more than a hint?"""
    return any(issue.severity in ("fatal", "error") for issue in _outcome(data).issue)


def _next_pages(page: Page) -> Iterator[str]:
    return (link.url for link in page.link if link.relation == NEXT and link.url)
