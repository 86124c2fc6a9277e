"""ServiceRequests: drafts of the next count, of tests that are missing, and of red cells.

Each is a proposal that a person signs, changes or deletes. There is never a request not to do
something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from redcell.codes import LOINC, SNOMED
from redcell.outputs.fhir.impression import GIVING
from redcell.outputs.fhir.parts import (
    Context,
    Json,
    capital,
    concept,
    kind_of,
    own,
    quantity,
    sentence,
    software,
    source,
)
from redcell.outputs.fhir.plan import COUNT, COUNT_NAME, REASONS
from redcell.rule import Finding

LABORATORY = "Laboratory test"
RED_CELLS = "116863004"
REQUISITION = "urn:redcell:requisition"


class Test(Struct, frozen=True):
    """A test that answers one entry of the list of what was not assessed.

    Tests of one group share a requisition. Without an analyte of the knowledge base there is no
    code that was checked, and the request carries its name alone.
    """

    gap: str
    group: str
    analyte: str = ""
    name: str = ""


TESTS = (
    Test("reticulocytes", "blood cells", "reticulocytes-percent"),
    Test("smear", "blood cells", name="blood smear review"),
    Test("ferritin", "iron", "ferritin"),
    Test("tsat", "iron", "tsat"),
    Test("vitamin-b12", "vitamins", "vitamin-b12"),
    Test("folate", "vitamins", "folate"),
    Test("ldh", "hemolysis", "ldh"),
    Test("haptoglobin", "hemolysis", "haptoglobin"),
    Test("bilirubin", "hemolysis", "bilirubin-indirect"),
    Test("dat", "hemolysis", "dat"),
    Test("creatinine-egfr", "kidney and inflammation", "creatinine"),
    Test("crp", "kidney and inflammation", "crp"),
    Test("tsh", "hormones", "tsh"),
    Test("erythropoietin", "hormones", "erythropoietin"),
    Test("coagulation", "coagulation", "prothrombin-time"),
    Test("coagulation", "coagulation", "fibrinogen"),
    Test("marrow", "marrow", name="bone marrow examination, if hematology agrees"),
)
"""Platelets and leukocytes come with the next count; a history is asked about, not ordered."""


def _draft(
    c: Context,
    key: str,
    code: Json,
    why: Iterable[Finding[Any]],
    notes: Iterable[str],
    **more: object,
) -> Json:
    """A ServiceRequest that nobody has asked for yet."""
    reasons, others = _based(why)
    said = [*notes, *_goals(c)]
    body = {
        **more,
        "status": "draft",
        "intent": "proposal",
        "code": code,
        "subject": c.subject,
        "authoredOn": c.at,
        "requester": software(),
        "basedOn": c.link("care-plan"),
        "reasonReference": reasons,
        "supportingInfo": [*c.link("impression"), *others],
        "note": c.notes(*said),
    }
    title = f"Draft for a clinician to decide: {code['text']}"
    return c.resource("ServiceRequest", key, title, map(sentence, said), body)


def _based(why: Iterable[Finding[Any]]) -> tuple[list[Json], list[Json]]:
    """The record behind a request: what FHIR takes as a reason, and what only supports it."""
    reasons: list[Json] = []
    others: list[Json] = []
    for reference in dict.fromkeys(r for f in why for r in f.evidence):
        is_reason = kind_of(reference) in (*REASONS, "")
        (reasons if is_reason else others).append(source(reference))
    return reasons, others


def _goals(c: Context) -> Iterator[str]:
    if c.steps.transfusion.last_weeks.value:
        yield _precaution(c, "goals-of-care-first")


def _precaution(c: Context, code: str) -> str:
    found = (p["text"] for p in c.out["transfusion"]["precautions"] if p["code"] == code)
    return sentence(next(found, "") or code.replace("-", " "))


# -- counts and tests ----------------------------------------------------------------------------


def next_count(c: Context) -> list[Json]:
    """The next blood count on its day; one that is already due is proposed for today."""
    due = c.steps.monitoring.due
    if due.value.day is None:
        return []
    day, today = due.value.day, c.case.at.day
    notes = [c.speech.statement(due)]
    if day < today:
        notes.insert(0, f"It was due on {day.isoformat()}.")
    draft = _draft(
        c,
        "next-count",
        concept(LOINC, COUNT, COUNT_NAME),
        (due,),
        notes,
        category=[{"text": LABORATORY}],
        priority="urgent" if _pressing(c) else "routine",
        occurrenceDateTime=max(day, today).isoformat(),
        reasonCode=[{"text": "Monitoring of anemia"}],
    )
    return [draft]


def _pressing(c: Context) -> bool:
    """Is the count overdue, or is there none that can be trusted?"""
    doubtful = c.steps.survey.status.value in ("provisional", "unknown")
    return doubtful or c.steps.monitoring.overdue.value is True


def tests(c: Context, *groups: str) -> list[Json]:
    """One draft for each test that is missing and would bear on the answer, of these groups."""
    wanted = (t for t in TESTS if t.gap in c.steps.gaps and (not groups or t.group in groups))
    return [_test(c, test) for test in wanted]


def _test(c: Context, test: Test) -> Json:
    name = c.speech.label("not_assessed", test.gap)
    value = c.id(f"requisition-{test.group}")
    return _draft(
        c,
        f"test-{test.gap}-{test.analyte}",
        _code(c, test),
        (c.steps.survey.status,),
        (f"Not assessed: {name}. It bears on what causes the anemia and on what would help.",),
        category=[{"text": LABORATORY}, {"text": f"Tests: {test.group}"}],
        requisition={"system": REQUISITION, "value": value},
        reasonCode=[{"text": "Anemia: cause not settled"}],
    )


def _code(c: Context, test: Test) -> Json:
    if not test.analyte:
        return own(test.gap, capital(test.name))
    entry = c.case.knowledge.analytes[test.analyte]
    text = capital(entry.name)
    if not entry.loinc or entry.mark != "checked":
        return own(test.gap, text)
    return concept(LOINC, entry.loinc[0], text)


# -- blood ---------------------------------------------------------------------------------------


def blood(c: Context) -> list[Json]:
    """Group and screen, and red cells: only when the decision is to recommend or to consider."""
    plan = c.steps.transfusion
    if plan.verdict.value.decision not in GIVING or not plan.units.value:
        return []
    screen = _draft(
        c,
        "group-and-screen",
        own("group-and-screen", "Blood group and antibody screen"),
        (plan.verdict,),
        (_precaution(c, "group-and-screen"),),
        category=[{"text": LABORATORY}],
    )
    return [screen, _red_cells(c, plan.units.value)]


def _red_cells(c: Context, units: int) -> Json:
    plan = c.steps.transfusion
    component = c.speech.label("component", plan.component or "")
    return _draft(
        c,
        "red-cells",
        concept(SNOMED, RED_CELLS, "Transfusion of red blood cells"),
        (plan.verdict, plan.units),
        list(_blood_notes(c)),
        orderDetail=[own(plan.component or "", component)],
        quantityQuantity=quantity(units, "{unit}", "unit"),
        reasonCode=[own(r, c.case.knowledge.rules[r].title) for r in plan.verdict.value.because],
    )


def _blood_notes(c: Context) -> Iterator[str]:
    plan = c.out["transfusion"]
    decided = c.speech.label("decision", plan["decision"])
    yield sentence(f"{decided}: {c.speech.statement(c.steps.transfusion.verdict)}")
    if plan["infusion_hours"] and plan["chair_hours"]:
        yield f"Infusion {_span(plan['infusion_hours'])} h."
        yield f"In the chair {_span(plan['chair_hours'])} h."
    if plan["expected_rise_g_dl"]:
        yield f"Expected rise of one unit {_span(plan['expected_rise_g_dl'])} g/dL."
    if plan["target"]:
        yield f"Target {_span(plan['target'])} g/dL."
    yield plan["reassess"] or ""
    for precaution in plan["precautions"]:
        if precaution["code"] != "goals-of-care-first":
            yield _precaution(c, precaution["code"])


def _span(pair: list[float]) -> str:
    return f"{pair[0]:g} to {pair[1]:g}"
