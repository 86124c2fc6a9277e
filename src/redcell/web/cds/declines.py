"""A refusal of red cells that was reported on a card becomes the patient's state.

It is turned into a FHIR Consent, as a document about a refusal would be, so that the same rule
reads it: the answer becomes "declined", nothing nags again, and it is confirmed with the patient
each time.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from redcell.clock import iso
from redcell.codes import SNOMED
from redcell.outputs.cards import DECLINES
from redcell.outputs.fhir.requests import RED_CELLS
from redcell.sources.fhir.read import RawResource
from redcell.web.cds.calls import Item
from redcell.web.cds.protocols import Declined

SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
CATEGORY = "http://loinc.org"
ADVANCE_DIRECTIVE = "59284-0"
SOURCE = "urn:redcell:card"


def says_so(item: Item) -> bool:
    """Does this feedback report that the patient declines red cells?"""
    reason = item.override_reason.reason if item.override_reason is not None else None
    return item.outcome == "overridden" and reason is not None and reason.code == DECLINES


def consent(declined: Declined, patient: str) -> dict[str, object]:
    """The refusal as a FHIR Consent."""
    return {
        "resourceType": "Consent",
        "id": f"declines-{declined.card}",
        "meta": {"source": SOURCE},
        "status": "active",
        "scope": {"coding": [{"system": SCOPE, "code": "treatment"}]},
        "category": [{"coding": [{"system": CATEGORY, "code": ADVANCE_DIRECTIVE}]}],
        "patient": {"reference": f"Patient/{patient}"},
        "dateTime": iso(declined.at),
        "provision": {
            "type": "deny",
            "code": [
                {
                    "coding": [{"system": SNOMED, "code": RED_CELLS}],
                    "text": "Transfusion of red blood cells",
                }
            ],
        },
    }


def consents(found: Iterable[Declined], patient: str) -> list[RawResource]:
    """Every reported refusal of a patient, ready to be read."""
    return [
        RawResource(f"feedback.{d.card}", msgspec.json.encode(consent(d, patient)), checked=True)
        for d in found
    ]
