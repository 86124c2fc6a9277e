"""Calls a CDS service as a client that withholds prefetch, and judges what it answers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from redcell.errors import RedcellError
from redcell.web.cds.judge import judge, refuses
from redcell.web.cds.simulate.templates import UnknownTokenError, answer, expanded
from redcell.web.cds.simulate.ways import Try

Json = dict[str, Any]
OK, UNMET = 200, 412
USER = "Practitioner/simulated"
SHOWN = 100


class Target(Struct, frozen=True):
    """A service to call."""

    base: str
    id: str
    hook: str
    prefetch: dict[str, str]
    token: str = ""

    def __repr__(self) -> str:
        return f"Target({self.base!r}, {self.id!r}, {self.hook!r})"


class Asking(Struct, frozen=True):
    """About whom, with what."""

    patient: str
    resources: tuple[Json, ...]
    draft_orders: Json | None = None
    fhir_server: str = ""
    fhir_token: str = ""

    def __repr__(self) -> str:
        return f"Asking({self.patient!r}, {len(self.resources)} resources)"

    def context(self) -> Json:
        """The context of each call, with a user of its own so that nothing was shown before."""
        found: Json = {"userId": f"{USER}-{uuid.uuid4().hex[:8]}", "patientId": self.patient}
        if self.draft_orders is not None:
            found["draftOrders"] = self.draft_orders
            entries = self.draft_orders.get("entry", [])
            names = [f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in entries]
            found["selections"] = names
        return found

    def prefetch(self, target: Target) -> Json:
        """Every key whose template this client understands, answered from the resources."""
        found: Json = {}
        for key, template in target.prefetch.items():
            try:
                query = expanded(template, self.context())
            except UnknownTokenError:
                continue
            value = answer(query, self.resources)
            if value is not None:
                found[key] = value
        return found


class Answered(Struct, frozen=True):
    """What one call got."""

    way: str
    key: str
    status: int
    milliseconds: float
    cards: int = 0
    summary: str = ""
    issues: tuple[str, ...] = ()
    """Errors in the answer: not a status or a body that CDS Hooks allows."""

    @property
    def good(self) -> bool:
        """Is it an answer that CDS Hooks allows?"""
        return not self.issues


def discover(base: str, *, token: str = "") -> list[Target]:
    """The services at an address.

    Raises:
        RedcellError: nothing answers there, or not with a list of services.
    """
    url = base.rstrip("/")
    try:
        response = httpx.get(f"{url}/cds-services", headers=_headers(token), timeout=10)
        response.raise_for_status()
        services = response.json()["services"]
        return [
            Target(url, s["id"], s["hook"], dict(s.get("prefetch") or {}), token) for s in services
        ]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise RedcellError(
            f"{url}/cds-services: no list of CDS services ({type(error).__name__})."
        ) from error


def run(target: Target, asking: Asking, trials: Iterable[Try]) -> Iterator[Answered]:
    """Make the calls, one after the other."""
    with httpx.Client(timeout=30, headers=_headers(target.token)) as client:
        for one in trials:
            yield _call(client, target, asking, one)


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _call(client: httpx.Client, target: Target, asking: Asking, one: Try) -> Answered:
    body: Json = {
        "hook": target.hook,
        "hookInstance": str(uuid.uuid4()),
        "context": asking.context(),
        "prefetch": one.prefetch,
    }
    if asking.fhir_server:
        body["fhirServer"] = asking.fhir_server
    if asking.fhir_token:
        body["fhirAuthorization"] = {
            "access_token": asking.fhir_token,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/*.rs",
            "subject": "simulated",
        }
    start = time.perf_counter()
    try:
        response = client.post(f"{target.base}/cds-services/{target.id}", json=body)
    except httpx.HTTPError as error:
        return Answered(one.way, one.key, 0, 0.0, issues=(f"no answer: {type(error).__name__}",))
    taken = (time.perf_counter() - start) * 1e3
    return _judged(one, response, taken)


def _judged(one: Try, response: httpx.Response, taken: float) -> Answered:
    status = response.status_code
    if status == UNMET:
        return Answered(one.way, one.key, status, taken)
    if status != OK:
        text = f"status {status}: expected 200, or 412 where something needed is missing"
        return Answered(one.way, one.key, status, taken, issues=(text,))
    found = judge(response.content, "response")
    issues = tuple(f"{i.path}: {i.text}"[:SHOWN] for i in found if refuses([i]))
    if issues:
        return Answered(one.way, one.key, status, taken, issues=issues)
    cards = msgspec.json.decode(response.content)["cards"]
    summary = str(cards[0]["summary"]) if cards else ""
    return Answered(one.way, one.key, status, taken, len(cards), summary)
