"""The chart's pages: overview and decisions, results, treatment, symptoms, audit, why, source."""

from __future__ import annotations

import csv
import io
import secrets
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response

from redcell import clock
from redcell.clinic import decisions
from redcell.clinic.decisions import Decision, DecisionError
from redcell.identity.caller import Caller
from redcell.loop import Steps
from redcell.outputs.chart import table
from redcell.outputs.html import Page
from redcell.store import audit
from redcell.store.schema import accounts
from redcell.store.schema import audit as audit_table
from redcell.web.pages import frame
from redcell.web.pages.chart import options, overview, tables, trees, view
from redcell.web.pages.chart.seen import Seen, look
from redcell.web.pages.chart.sheet import page
from redcell.web.pages.frame import Form, audited, caller_of, checked, clinic_of

router = APIRouter()
MOST_ENTRIES = 300
CHANGED = "The assessment has changed since this was shown. Look at the options again first."
COLUMNS = ("What", "Kind", "When", "Value", "Note", "Record")
ESCAPED = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for a formula."""


# -- overview and decisions ------------------------------------------------------------------------


@router.get("/patients/{person}", name="chart", include_in_schema=False)
def chart(request: Request, person: str) -> Response:
    """What is so, why, what can be done, and how sure all of it is."""
    return overview.show(request, look(request, person))


@router.post("/patients/{person}/decide", name="decide", include_in_schema=False)
def decide(request: Request, person: str, form: Form) -> Response:
    """Keep what was decided about an option, with its reason. Nothing is ordered."""
    checked(request, form, person)
    seen = look(request, person)
    if seen.steps is None or seen.stored is None:
        raise frame.not_found()
    if form.get("assessment") != str(seen.stored.id):
        return overview.show(request, seen, CHANGED, form)
    made = _decision(seen, seen.steps, seen.stored.id, caller_of(request), form)
    entry = frame.entry_of(
        request, seen.person.id, f"decision: {made.option}", action="C",
        detail=f"{made.choice}; assessment {made.assessment}",
    )  # fmt: skip

    def write(connection: sa.Connection) -> None:
        decisions.decide(connection, made, key=form.get("key") or secrets.token_urlsafe(12))
        audit.append(connection, [entry])

    try:
        clinic_of(request).writer.write(write)
    except DecisionError as error:
        return overview.show(request, seen, str(error), form)
    answer = frame.see_other(request, "chart", person=seen.person.id)
    answer.headers["location"] += "#options"
    return answer


def _decision(
    seen: Seen, steps: Steps, assessment: int, caller: Caller, form: dict[str, str]
) -> Decision:
    """The decision that a form holds.

    Raises:
        HTTPException: the assessment offers no such option.
    """
    offered = {one.id: one for one in options.options(Page(steps))}
    option = offered.get(form.get("option", ""))
    if option is None and form.get("option") != options.OTHER:
        raise frame.not_found()
    choice: Any = form.get("choice", "")
    return Decision(
        person=seen.person.id,
        option=option.id if option else options.OTHER,
        choice="accept" if option is None else choice,
        reason=form.get("reason", ""),
        assessment=assessment,
        said=option.title if option else "Something else",
        rules=option.rules if option else (),
        actor=caller.account,
        name=caller.name,
        at=clock.now(),
    )


@router.get("/patients/{person}/course.csv", name="chart-csv", include_in_schema=False)
def course_csv(request: Request, person: str, weeks: int = view.DEFAULT_WEEKS) -> Response:
    """The rows of the picture, as a table for a spreadsheet."""
    seen = look(request, person)
    if seen.steps is None:
        raise frame.not_found()
    audited(request, seen.person.id, "chart: course as CSV")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in table(view.course_of(seen.steps, weeks, ()).data):
        cells = (row.what, row.kind, row.when, row.value, row.note, row.reference)
        writer.writerow([f"'{c}" if c.startswith(ESCAPED) else c for c in cells])
    headers = {"Content-Disposition": 'attachment; filename="course.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


# -- the other tabs --------------------------------------------------------------------------------


@router.get("/patients/{person}/results", name="chart-results", include_in_schema=False)
def results(request: Request, person: str, analyte: str = "") -> Response:
    """Every result, as a flow sheet, or all results of one analyte."""
    seen = look(request, person)
    audited(request, seen.person.id, "chart: results")
    if seen.steps is None:
        return page(request, seen, "chart/unassessed.html.j2")
    known = seen.steps.case.knowledge.analytes.get(analyte)
    return page(
        request,
        seen,
        "chart/results.html.j2",
        sheet=tables.flow_sheet(seen.steps),
        analyte=known,
        history=tables.history(seen.steps, analyte) if known else [],
        aside=seen.steps.case.record.set_aside,
    )


@router.get("/patients/{person}/treatment", name="chart-treatment", include_in_schema=False)
def treatment(request: Request, person: str) -> Response:
    """Drugs, radiation, red cells."""
    seen = look(request, person)
    audited(request, seen.person.id, "chart: treatment")
    if seen.steps is None:
        return page(request, seen, "chart/unassessed.html.j2")
    whole = view.course_of(seen.steps, 520, ()).data
    return page(
        request,
        seen,
        "chart/treatment.html.j2",
        drugs=list(tables.drugs(seen.steps)),
        radiation=list(tables.radiation(whole)),
        cells=list(tables.red_cells(seen.steps)),
    )


@router.get("/patients/{person}/symptoms", name="chart-symptoms", include_in_schema=False)
def symptoms(request: Request, person: str) -> Response:
    """What was reported, when, how bad."""
    seen = look(request, person)
    audited(request, seen.person.id, "chart: symptoms")
    if seen.steps is None:
        return page(request, seen, "chart/unassessed.html.j2")
    found = tables.symptoms(seen.steps)
    return page(request, seen, "chart/symptoms.html.j2", symptoms=found, p=Page(seen.steps))


@router.get("/patients/{person}/audit", name="chart-audit", include_in_schema=False)
def accesses(request: Request, person: str) -> Response:
    """Who looked at this person, and who wrote."""
    seen = look(request, person)
    audited(request, seen.person.id, "chart: audit")
    c = audit_table.c
    with clinic_of(request).database.read() as connection:
        entries = connection.execute(
            sa.select(audit_table)
            .where(c.person.in_(seen.patients))
            .order_by(c.seq.desc())
            .limit(MOST_ENTRIES)
        ).all()
        a = accounts.c
        named = sa.select(a.id, a.name).where(a.id.in_({e.actor for e in entries}))
        names = {row.id: row.name for row in connection.execute(named)}
    return page(request, seen, "chart/audit.html.j2", entries=entries, names=names)


# -- why -------------------------------------------------------------------------------------------


@router.get("/patients/{person}/why/{rule}", name="why", include_in_schema=False)
def why(request: Request, person: str, rule: str) -> Response:
    """The tree of reasons under a rule, down to resources and cited numbers."""
    seen = look(request, person)
    found = trees.trees(seen.steps, rule) if seen.steps is not None else []
    if not found:
        raise frame.not_found()
    audited(request, seen.person.id, f"chart: why {rule}")
    return page(request, seen, "chart/why.html.j2", rule=rule, trees=found)


@router.get("/patients/{person}/source/{kind}/{rid}", name="source", include_in_schema=False)
def source(request: Request, person: str, kind: str, rid: str) -> Response:
    """A stored resource, every version of it, and how it came in."""
    seen = look(request, person)
    with clinic_of(request).database.read() as connection:
        found = trees.source(connection, seen.person.id, seen.patients, kind, rid)
    if found is None:
        raise frame.not_found()
    audited(request, seen.person.id, f"chart: source {kind}/{rid}")
    return page(request, seen, "chart/source.html.j2", found=found)
