"""The ClinicalImpression: what is so, on what it rests, and what was decided not to be proposed."""

from __future__ import annotations

from collections.abc import Iterator

from redcell.outputs.explain import all_findings
from redcell.outputs.fhir.parts import Context, Json, kind_of, own, sentence, sources
from redcell.outputs.warnings import identity_doubt

INVESTIGATED = (
    "Observation",
    "QuestionnaireResponse",
    "FamilyMemberHistory",
    "DiagnosticReport",
    "RiskAssessment",
    "ImagingStudy",
    "Media",
)
GIVING = ("recommend", "consider")
ROLE = "Options for the care team, who decide. Not cleared as a medical device; nothing is ordered."


def evidence(c: Context) -> tuple[str, ...]:
    """References of everything in the record that any finding of this assessment rests on."""
    return tuple(dict.fromkeys(r for f in all_findings(c.steps) for r in f.evidence))


def impression(c: Context) -> Json:
    """The review as a whole: summary, findings, what was used, notes."""
    used = evidence(c)
    results = [r for r in used if kind_of(r) in INVESTIGATED]
    notes = [*decisions(c), *_limits(c)]
    body = {
        "status": "completed",
        "code": own("anemia-review", "Anemia review"),
        "subject": c.subject,
        "effectiveDateTime": c.at,
        "date": c.at,
        "investigation": [_investigation(results)] if results else [],
        "summary": " ".join(summary(c)),
        "finding": list(_findings(c)),
        "supportingInfo": sources(r for r in used if r not in results),
        "note": c.notes(*notes),
    }
    lines = (*summary(c), *notes)
    return c.resource("ClinicalImpression", "impression", "Anemia review", lines, body)


def _investigation(results: list[str]) -> Json:
    return {"code": {"text": "Results and reports that were used"}, "item": sources(results)}


def summary(c: Context) -> Iterator[str]:
    """The answer in a few sentences."""
    anemia = c.out["anemia"]
    yield sentence(c.speech.label("status", anemia["status"]))
    found = anemia["hemoglobin"]
    if found is not None:
        yield f"Hemoglobin {found['value']:g} g/dL on {found['time'][:10]}."
    if anemia["ctcae_grade"] is not None:
        yield f"CTCAE grade {anemia['ctcae_grade']}, WHO {anemia['who_severity']}."
    yield f"Urgency: {sentence(c.speech.label('urgency', c.out['urgency']['level']))}"
    plan = c.out["transfusion"]
    yield f"Transfusion: {sentence(c.speech.label('decision', plan['decision']))}"
    if plan["units"]:
        yield f"Units: {plan['units']}."
    due = c.out["monitoring"]["next_cbc_due"]
    if due:
        yield f"Next blood count: {due}."


def _findings(c: Context) -> Iterator[Json]:
    survey, anemia = c.steps.survey, c.out["anemia"]
    status, grade, severity = anemia["status"], anemia["ctcae_grade"], anemia["who_severity"]
    named = sentence(c.speech.label("status", status))
    yield {
        "itemCodeableConcept": own(f"anemia-status-{status}", named),
        "basis": c.speech.statement(survey.status),
    }
    if grade is not None:
        yield {
            "itemCodeableConcept": own(f"ctcae-anemia-grade-{grade}", f"CTCAE v5.0 grade {grade}"),
            "itemReference": c.one("ctcae-anemia-grade"),
            "basis": c.speech.statement(survey.grade),
        }
    if severity is not None:
        yield {
            "itemCodeableConcept": own(f"who-anemia-{severity}", f"WHO 2011 severity: {severity}"),
            "itemReference": c.one("who-anemia-severity"),
            "basis": c.speech.statement(survey.who),
        }
    yield from ({"itemReference": link} for link in c.link(*VALUES))


VALUES = (
    "who-adjusted-hemoglobin",
    "reticulocyte-production-index",
    "computed-filtration-rate",
    "hemoglobin-trend",
    "cause-attribution",
)


def decisions(c: Context) -> Iterator[str]:
    """The transfusion decision and each other option in words; a "no" is a note, never an order."""
    plan = c.out["transfusion"]
    said = sentence(c.speech.statement(c.steps.transfusion.verdict))
    decided = sentence(c.speech.label("decision", plan["decision"]))
    rules = ", ".join(plan["because"])
    precautions = [p["text"] or p["code"].replace("-", " ") for p in plan["precautions"]]
    again = plan["reassess"] or ""
    yield " ".join((f"Transfusion: {decided} [{rules}] {said}", again, *map(sentence, precautions)))
    for option in c.out["alternatives"]:
        name = c.speech.label("option", option["option"])
        advice = c.speech.label("advice", option["advice"])
        reasons = [sentence(s) for s in (*option["because"], *option["disagreements"])]
        yield " ".join((sentence(f"{name}: {advice}"), *reasons))


def _limits(c: Context) -> Iterator[str]:
    """What is not known, what was wrong with the data, and what this is not."""
    if c.out["anemia"]["ctcae_grade4_prompt"]:
        yield "Is this life-threatening? A clinician decides about CTCAE grade 4."
    if c.steps.gaps:
        names = ", ".join(c.speech.label("not_assessed", name) for name in c.steps.gaps)
        yield f"Not assessed: {names}."
    doubt = identity_doubt(c.steps, c.speech)
    if doubt:
        yield f"Data: {sentence(doubt)}"
    for warning in c.out["warnings"]:
        yield f"Data: {sentence(warning['text']) or warning['code']}"
    yield ROLE
