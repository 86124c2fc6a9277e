"""The services: on which hook each one answers, and what it asks the client to send along.

Every input is asked for under a key of its own. The keys carry a version, because clients keep
definitions for long: when a query changes, its key changes too. Beside a key with a date token of
CDS Hooks 3.0 there is always a plain one for the same input, for clients that skip tokens they do
not know.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from redcell.knowledge.load import Knowledge

VERSION = "v1"
STATUS = "redcell-anemia"
ORDERS = "redcell-orders"
PATIENT = "{{context.patientId}}"
NEEDED = ("hemoglobin",)
"""Inputs without which nothing can be said."""


class Key(Struct, frozen=True):
    """One prefetch key: its name, the input it stands for, its query."""

    name: str
    need: str
    template: str
    dated: bool = False

    @property
    def kind(self) -> str:
        """The type of resource that is asked for."""
        return self.template.partition("?")[0].partition("/")[0]


class Service(Struct, frozen=True):
    """One service on one hook."""

    id: str
    hook: str
    title: str
    description: str


PURPOSE = "for adults with metastatic breast cancer"
SERVICES = (
    Service(
        STATUS,
        "patient-view",
        "Anemia: status, causes, forecast",
        f"Whether the patient is anemic, how urgently somebody should act, what fits the cause, "
        f"what speaks for and against red cells, and when the next count is due; {PURPOSE}.",
    ),
    Service(
        ORDERS,
        "order-select",
        "Anemia: evidence for and against an order",
        f"What the record says for and against ordering red cells, iron, vitamins, an ESA, or a "
        f"drug that lowers the count; {PURPOSE}.",
    ),
    Service(
        ORDERS,
        "order-sign",
        "Anemia: check of an order before it is signed",
        f"Checks units, threshold and the newest count once more before an order for red cells, "
        f"iron, vitamins, an ESA, or a drug that lowers the count is signed; {PURPOSE}.",
    ),
)
USAGE = (
    "Needs hemoglobin, as prefetch or from the FHIR server; without it the answer is 412. With "
    "hemoglobin alone there is a card, which names what is missing. Sex, other laboratory results, "
    "symptoms, diagnoses, medications, procedures and consents make it more precise. Nothing is "
    "changed in the chart."
)


@lru_cache(maxsize=8)
def keys(knowledge: Knowledge, *, dated: bool = True) -> tuple[Key, ...]:
    """The prefetch keys, plain ones first; dated ones only when wanted."""
    codes = ",".join(f"http://loinc.org|{c}" for c in knowledge.analytes["hemoglobin"].loinc)
    newest = "&_sort=-date&_count="
    plain = {
        "patient": f"Patient/{PATIENT}",
        "hemoglobin": f"Observation?patient={PATIENT}&code={codes}{newest}50",
        "laboratory": f"Observation?patient={PATIENT}&category=laboratory{newest}200",
        "bedside": f"Observation?patient={PATIENT}&category=vital-signs,survey,exam{newest}100",
        "questionnaires": f"QuestionnaireResponse?patient={PATIENT}&_sort=-authored&_count=20",
        "conditions": f"Condition?patient={PATIENT}&_count=200",
        "medications": f"MedicationRequest?patient={PATIENT}&_count=200",
        "administrations": f"MedicationAdministration?patient={PATIENT}&_count=200",
        "statements": f"MedicationStatement?patient={PATIENT}&_count=200",
        "procedures": f"Procedure?patient={PATIENT}{newest}100",
        "consents": f"Consent?patient={PATIENT}&_count=50",
    }
    days = "&date=ge{{today() - 400 days}}&_count=500"
    later = {
        "hemoglobin": f"Observation?patient={PATIENT}&code={codes}{days}",
        "laboratory": f"Observation?patient={PATIENT}&category=laboratory{days}",
    }
    found = [Key(f"{need}_{VERSION}", need, query) for need, query in plain.items()]
    if dated:
        found += [Key(f"{n}_dated_{VERSION}", n, q, dated=True) for n, q in later.items()]
    return tuple(found)


def needs(knowledge: Knowledge) -> tuple[str, ...]:
    """Every input that is asked for."""
    return tuple(k.need for k in keys(knowledge) if not k.dated)


def query(key: Key, patient: str) -> str:
    """A key's query for one patient, relative to the FHIR server."""
    return key.template.replace(PATIENT, quote(patient, safe=""))


class Discovery(Struct, frozen=True):
    """The list of services as it is sent."""

    body: bytes
    etag: str


@lru_cache(maxsize=8)
def discovery(knowledge: Knowledge, *, dated: bool = True) -> Discovery:
    """The answer to a discovery call."""
    prefetch = {key.name: key.template for key in keys(knowledge, dated=dated)}
    services: list[dict[str, Any]] = [
        {
            "hook": service.hook,
            "title": service.title,
            "description": service.description,
            "id": service.id,
            "prefetch": prefetch,
            "usageRequirements": USAGE,
        }
        for service in SERVICES
    ]
    body = msgspec.json.encode({"services": services})
    return Discovery(body, f'"{sha256(body).hexdigest()[:16]}"')


def hooks_of(service_id: str) -> tuple[str, ...]:
    """The hooks on which a service answers; none for a service that does not exist."""
    return tuple(s.hook for s in SERVICES if s.id == service_id)
