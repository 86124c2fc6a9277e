"""The Bundle: every resource of one assessment, each with the fullUrl that the others refer to."""

from __future__ import annotations

import msgspec

from redcell.loop import Steps
from redcell.outputs.fhir.impression import impression
from redcell.outputs.fhir.issues import issues
from redcell.outputs.fhir.observations import attribution, computed
from redcell.outputs.fhir.parts import SOURCE, Context, Json
from redcell.outputs.fhir.plan import care_plan
from redcell.outputs.fhir.provenance import provenance
from redcell.outputs.fhir.requests import blood, next_count, tests
from redcell.outputs.fhir.risk import risk


def to_bundle(steps: Steps) -> Json:
    """A FHIR R4 Bundle of type collection: findings, drafts, and where they come from.

    The same assessment gives the same bundle. `timestamp` is the moment of the assessment.
    """
    c = Context(steps)
    observations = [*computed(c), *attribution(c)]
    found = issues(c)
    review = impression(c)
    plan = care_plan(c)
    drafts = [*next_count(c), *tests(c), *blood(c)]
    made = [review, *observations, *found, plan, *drafts, *risk(c)]
    resources = [*made, provenance(c)]
    return {
        "resourceType": "Bundle",
        "id": c.id("bundle"),
        "meta": {"source": SOURCE},
        "type": "collection",
        "timestamp": c.at,
        "entry": [{"fullUrl": f"urn:uuid:{r['id']}", "resource": r} for r in resources],
    }


def to_json(steps: Steps) -> bytes:
    """The Bundle as UTF-8 JSON, indented."""
    return msgspec.json.format(msgspec.json.encode(to_bundle(steps)), indent=1) + b"\n"
