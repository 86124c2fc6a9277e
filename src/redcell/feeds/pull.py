"""One patient read from an EHR's FHIR server: everything that redcell reads, page by page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urljoin

from redcell.clinic.versions import ID, KINDS
from redcell.errors import UnreadableSourceError
from redcell.feeds.bulk.asking import Answer, Asker, AskingError
from redcell.feeds.bulk.load import Loader
from redcell.sources.fhir.read import UNOWNED

SHARED = tuple(sorted((UNOWNED - {"Patient"}) | {"Practitioner", "Specimen"}))
"""Types that are fetched where something refers to them."""
SEARCHED = tuple(sorted(KINDS - UNOWNED - {"Practitioner", "Specimen"}))
CATEGORIES = ("laboratory", "vital-signs", "survey", "social-history", "exam", "procedure")
"""Some servers give Observations by category only."""
PAGES = 200
"""Pages of one search."""
COUNT = 100
REFERRED = 500
OK, BAD, UNKNOWN = 200, 400, 404
REFUSED = frozenset({401, 403})
HEADERS = {"Accept": "application/fhir+json"}
REFERENCE = re.compile(
    rb'"reference"\s*:\s*"(?:[^"]*/)?((?:'
    + "|".join(SHARED).encode()
    + rb')/[A-Za-z0-9.-]{1,64})(?:/_history/[^"]*)?"'
)


class Pull:
    """One patient from one server into one clinic."""

    def __init__(
        self, asker: Asker, loader: Loader, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self.asker, self.loader, self.say = asker, loader, say
        self.missing: list[str] = []
        """Types that the server did not give, each with what it answered."""
        self._referred: dict[str, None] = {}
        self._held: set[str] = set()

    def patient(self, rid: str) -> None:
        """Fetch the Patient and everything about them.

        Raises:
            AskingError: the server refused, or did not answer.
            UnreadableSourceError: it does not know the patient.
        """
        if not ID.fullmatch(rid):
            raise UnreadableSourceError("the patient's id is not an id of FHIR.")
        answer = self._get(f"{self.asker.base}/Patient/{rid}")
        if answer.status in REFUSED:
            raise AskingError(f"the server refused: {answer.status}. Is the token right?")
        if answer.status != OK:
            raise UnreadableSourceError(f"the server does not give Patient/{rid}: {answer.status}.")
        self.loader.document(f"{self.asker.home.host}/Patient/{rid}", answer.body)
        for kind in SEARCHED:
            self._search(kind, rid)
        self._fetch_referred()
        self.loader.finish()

    def _search(self, kind: str, rid: str) -> None:
        query = f"patient={quote(rid)}&_count={COUNT}"
        status = self._pages(kind, query)
        if status == BAD and kind == "Observation":
            found = [self._pages(kind, f"{query}&category={one}") for one in CATEGORIES]
            status = OK if OK in found else status
        if status != OK:
            self.missing.append(f"{kind}: {status}")

    def _pages(self, kind: str, query: str) -> int:
        """Every page of a search; the status of the first one."""
        url: str | None = f"{self.asker.base}/{kind}?{query}"
        seen: set[str] = set()
        first = OK
        while url is not None and url not in seen:
            if len(seen) >= PAGES:
                raise AskingError(f"{kind}: more than {PAGES} pages; nothing after them was read.")
            seen.add(url)
            answer = self._get(url)
            if answer.status != OK:
                if len(seen) > 1:
                    raise AskingError(f"{kind}: page {len(seen)} was not given: {answer.status}.")
                return answer.status
            bundle = answer.json()
            if bundle.get("resourceType") != "Bundle":
                return UNKNOWN
            self._take(kind, len(seen), answer, bundle)
            url = self._next(bundle, url)
        return first

    def _take(self, kind: str, page: int, answer: Answer, bundle: dict[str, Any]) -> None:
        self._referred.update((r.decode(), None) for r in REFERENCE.findall(answer.body))
        self._held.update(_names(bundle))
        if _names(bundle):
            self.loader.document(f"{self.asker.home.host}/{kind}?page={page}", answer.body)

    def _next(self, bundle: dict[str, Any], url: str) -> str | None:
        for link in bundle.get("link") or ():
            target = link.get("url") if isinstance(link, dict) else None
            if isinstance(target, str) and link.get("relation") == "next":
                following = urljoin(url, target)
                if self.asker.allow(following) not in self.asker.trusted:
                    raise AskingError("the next page is on another server; it was not asked.")
                return following
        return None

    def _fetch_referred(self) -> None:
        """What was referred to and belongs to nobody: products, volumes, devices."""
        wanted = [name for name in self._referred if name not in self._held]
        if len(wanted) > REFERRED:
            self.say(f"only {REFERRED} of {len(wanted)} resources that are referred to were read.")
        for name in wanted[:REFERRED]:
            answer = self._get(f"{self.asker.base}/{name}")
            if answer.status == OK:
                self.loader.document(f"{self.asker.home.host}/{name}", answer.body)
            else:
                self.missing.append(f"{name}: {answer.status}")

    def _get(self, url: str) -> Answer:
        return self.asker.ask("GET", url, HEADERS)


def _names(bundle: dict[str, Any]) -> list[str]:
    return [f"{r.get('resourceType')}/{r.get('id')}" for r in _resources(bundle)]


def _resources(bundle: dict[str, Any]) -> Iterator[dict[str, Any]]:
    entries = bundle.get("entry")
    for entry in entries if isinstance(entries, list) else ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            yield resource
