"""A CDS client for the tests: the service in process, calls about the bundled patient, a clock."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from redcell.clock import micros
from redcell.knowledge.load import knowledge
from redcell.sources.read import demo
from redcell.web.cds.memory import MemoryFeedback, MemorySeen, NobodyStored
from redcell.web.cds.outbound import Outbound
from redcell.web.cds.service import assembled
from redcell.web.cds.services import VERSION, keys
from redcell.web.cds.settings import CdsSettings

BASE = "https://redcell.example"
NOW = micros(datetime(2026, 11, 22, 9, tzinfo=UTC))
STATUS, ORDERS = "redcell-anemia", "redcell-orders"
PATIENT = "okafor"
SHARED = Path(__file__).parents[3] / "shared"
DECLINES = {"code": "patient-declines-transfusion", "system": "urn:redcell:codes"}


class Clock:
    """Tells the time that a test sets."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def pass_(self, span: int) -> None:
        self.now += span


class World:
    """The service with everything around it, and a client that calls it."""

    def __init__(
        self, *, origin: str = "127.0.0.1", clock: Clock | None = None, **more: Any
    ) -> None:
        parts = {
            name: more.pop(name)
            for name in ("seen", "feedback", "stored", "outbound")
            if name in more
        }
        known = more.pop("knowledge", knowledge)
        self.settings = CdsSettings(
            **({"base": BASE, "open": True, "page": f"{BASE}/launch"} | more)
        )
        self.clock = clock or Clock()
        self.seen = parts.get("seen") or MemorySeen()
        self.feedback_store = parts.get("feedback") or MemoryFeedback()
        self.outbound = parts.get("outbound") or Outbound(
            private_hosts=self.settings.private_hosts,
            insecure_loopback=self.settings.open,
            seconds=self.settings.answer_seconds,
            most_bytes=self.settings.most_bytes,
        )
        app = FastAPI()
        app.include_router(
            assembled(
                self.settings,
                known,
                self.seen,
                self.feedback_store,
                parts.get("stored") or NobodyStored(),
                now=self.clock,
                outbound=self.outbound,
            )
        )
        self.app = app
        self.loop = asyncio.new_event_loop()
        transport = httpx.ASGITransport(app, client=(origin, 1))
        self._client = httpx.AsyncClient(transport=transport, base_url=BASE)

    def close(self) -> None:
        self.loop.run_until_complete(self._client.aclose())
        self.loop.run_until_complete(self.outbound.close())
        self.loop.close()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.loop.run_until_complete(self._client.request(method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, service: str, body: Any, **headers: str) -> httpx.Response:
        path = f"/cds-services/{service}"
        if isinstance(body, bytes):
            more = {"content-type": "application/json"} | headers
            return self.request("POST", path, content=body, headers=more)
        return self.request("POST", path, json=body, headers=headers)

    def at_once(self, service: str, bodies: list[Any]) -> list[httpx.Response]:
        """The answers to several calls that come at the same time."""

        async def posted() -> list[httpx.Response]:
            posts = (self._client.post(f"/cds-services/{service}", json=b) for b in bodies)
            return await asyncio.gather(*posts)

        return self.loop.run_until_complete(posted())

    def cards(self, service: str, body: Any) -> list[dict[str, Any]]:
        answer = self.post(service, body)
        assert answer.status_code == 200, answer.text
        return answer.json()["cards"]

    def tell(self, service: str, *items: dict[str, Any]) -> httpx.Response:
        return self.post(f"{service}/feedback", {"feedback": list(items)})


# -- what is sent ----------------------------------------------------------------------------------


def bundle(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A page of a search."""
    entries = [{"fullUrl": f"urn:uuid:{uuid.uuid4()}", "resource": r} for r in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries} | more


def resources(path: Path | None = None) -> dict[str, list[dict[str, Any]]]:
    """The resources of a file by type; the bundled patient's by default."""
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in json.loads((path or demo(PATIENT)).read_bytes())["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    return found


KINDS = {
    "conditions": "Condition",
    "medications": "MedicationRequest",
    "administrations": "MedicationAdministration",
    "statements": "MedicationStatement",
    "procedures": "Procedure",
    "consents": "Consent",
    "questionnaires": "QuestionnaireResponse",
}


def prefetch(path: Path | None = None) -> dict[str, Any]:
    """The whole prefetch of a patient, every key answered."""
    found = resources(path)
    observed = found.get("Observation", [])
    laboratory = [o for o in observed if "laboratory" in json.dumps(o.get("category", ""))]
    counts = [o for o in observed if '"718-7"' in json.dumps(o["code"])]
    bedside = [o for o in observed if o not in laboratory]
    answers: dict[str, Any] = {
        "patient": found["Patient"][0],
        "hemoglobin": bundle(*counts),
        "laboratory": bundle(*laboratory),
        "bedside": bundle(*bedside),
    }
    answers |= {need: bundle(*found.get(kind, [])) for need, kind in KINDS.items()}
    return {f"{need}_{VERSION}": answer for need, answer in answers.items()}


def names() -> list[str]:
    """The plain prefetch keys, as discovery names them."""
    return [key.name for key in keys(knowledge(), dated=False)]


def call(hook: str = "patient-view", data: Any = None, **more: Any) -> dict[str, Any]:
    """A call about the bundled patient, with a hookInstance of its own."""
    context = {"userId": "Practitioner/1", "patientId": PATIENT} | more.pop("context", {})
    body = {"hook": hook, "hookInstance": str(uuid.uuid4()), "context": context}
    return body | {"prefetch": prefetch() if data is None else data} | more


def drafts(*orders: dict[str, Any]) -> dict[str, Any]:
    """Draft orders as a client sends them."""
    entries = [{"fullUrl": f"urn:uuid:{uuid.uuid4()}", "resource": o} for o in orders]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def cells(units: float | None = 1, name: str = "draft-1", **more: Any) -> dict[str, Any]:
    """A draft order for red cells."""
    order = {
        "resourceType": "ServiceRequest",
        "id": name,
        "status": "draft",
        "intent": "order",
        "code": {
            "coding": [{"system": "http://snomed.info/sct", "code": "116863004"}],
            "text": "Transfuse red blood cells",
        },
        "subject": {"reference": f"Patient/{PATIENT}"},
    }
    if units is not None:
        order["quantityQuantity"] = {"value": units, "unit": "unit", "code": "{unit}"}
    return order | more


def drug(text: str, name: str = "draft-2") -> dict[str, Any]:
    """A draft prescription."""
    return {
        "resourceType": "MedicationRequest",
        "id": name,
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {"text": text},
        "subject": {"reference": f"Patient/{PATIENT}"},
    }


def ordering(hook: str, *orders: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A call about draft orders."""
    context: dict[str, Any] = {"draftOrders": drafts(*orders)}
    if hook == "order-select":
        context["selections"] = [f"{o['resourceType']}/{o['id']}" for o in orders]
    return call(hook, context=context | more.pop("context", {}), **more)


def told(card: str, outcome: str = "accepted", **more: Any) -> dict[str, Any]:
    """One item of feedback."""
    item = {"card": card, "outcome": outcome, "outcomeTimestamp": "2026-11-22T09:05:00Z"}
    if outcome == "accepted":
        item["acceptedSuggestions"] = [{"id": "s"}]
    return item | more
