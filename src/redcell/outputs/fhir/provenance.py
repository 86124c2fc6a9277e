"""Provenance: which program made these resources, from what, under whose policy."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from redcell.outputs.fhir.impression import evidence
from redcell.outputs.fhir.parts import SOFTWARE, TERMINOLOGY, Context, Json, software, sources

POLICY = "urn:redcell:policy:"


def provenance(c: Context) -> Json:
    """One Provenance for every resource that was made so far."""
    policy = c.case.knowledge.policy
    said = list(_said(c))
    body = {
        "target": c.link(*c.made),
        "occurredDateTime": c.at,
        "recorded": c.at,
        "policy": [POLICY + quote(policy.title, safe="")] if policy else [],
        "activity": {
            "coding": [_coding("v3-DataOperation", "CREATE", "create")],
            "text": " ".join(said),
        },
        "agent": [_agent()],
        "entity": [{"role": "source", "what": what} for what in _inputs(c)],
    }
    return c.resource("Provenance", "provenance", "Where these resources come from", said, body)


def _agent() -> Json:
    kind = _coding("provenance-participant-type", "assembler", "Assembler")
    return {"type": {"coding": [kind]}, "who": software()}


def _coding(system: str, code: str, display: str) -> Json:
    return {"system": TERMINOLOGY + system, "code": code, "display": display}


def _said(c: Context) -> Iterator[str]:
    policy = c.case.knowledge.policy
    under = f"under the site policy {policy.title}" if policy else "with its published numbers"
    yield f"Assessment as known at {c.at} by the rules of {SOFTWARE}, {under}."


def _inputs(c: Context) -> list[Json]:
    return sources((c.case.record.patient.reference, *evidence(c)))
