"""The chart's pages: overview with what-if and decisions, results, treatment, symptoms, audit."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response

from redcell import clock
from redcell.clinic import decisions
from redcell.clinic.decisions import Decision, DecisionError
from redcell.identity.caller import STAFF
from redcell.outputs.chart import NARROW, svg, table
from redcell.outputs.html import Page
from redcell.store import assessments, audit
from redcell.store.schema import accounts
from redcell.store.schema import audit as audit_table
from redcell.web.pages import frame
from redcell.web.pages.chart import asked, kept, options, picture, tables, trees, view
from redcell.web.pages.chart.seen import Seen, look
from redcell.web.pages.frame import Form, audited, caller_of, checked, clinic_of, render

router = APIRouter()
MOST_FORECASTS = 60
MOST_ENTRIES = 300
TEAM_ONLY = ("messages-of", "chart-audit")
"""Tabs for the care team alone, not for those who opened the chart by break-glass."""
COLUMNS = ("What", "Kind", "When", "Value", "Note", "Record")
ESCAPED = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for a formula."""


def _tabs(request: Request, person: str) -> list[tuple[str, str, bool]]:
    """The tabs of a chart: words, address, is it this page?"""
    named = (
        ("Overview", "chart"),
        ("Results", "chart-results"),
        ("Treatment", "chart-treatment"),
        ("Symptoms", "chart-symptoms"),
        ("Messages", "messages-of"),
        ("Audit", "chart-audit"),
    )
    found = []
    team = caller_of(request).has(*STAFF)
    for label, route in named:
        if route in frame.route_names(request.app) and (team or route not in TEAM_ONLY):
            href = frame.address(request.app, route, person=person)
            found.append((label, href, request.url.path == href))
    return found


def page(request: Request, seen: Seen, name: str, **context: Any) -> Response:
    """A page of a chart: banner, tabs, and what is shown of whom."""
    shared = {
        "person": seen.person,
        "seen": seen,
        "chart_tabs": _tabs(request, seen.person.id),
        "source_of": _source_of(request, seen.person.id),
        "team": caller_of(request).has(*STAFF),
    }
    return render(request, name, **{**shared, **context})


def _source_of(request: Request, person: str) -> Callable[[str], str]:
    """The address of a stored resource, by its reference."""

    def source_of(reference: str) -> str:
        kind, _, rid = reference.partition("/")
        if not rid:
            return ""
        return frame.address(request.app, "source", person=person, kind=kind, rid=rid)

    return source_of


# -- overview --------------------------------------------------------------------------------------


@router.get("/patients/{person}", name="chart", include_in_schema=False)
def chart(request: Request, person: str) -> Response:
    """What is so, why, what can be done, and how sure all of it is."""
    return _overview(request, look(request, person))


def _overview(
    request: Request, seen: Seen, wrong: str = "", given: dict[str, str] | None = None
) -> Response:
    audited(request, seen.person.id, "chart: overview")
    if seen.steps is None:
        return page(request, seen, "chart/unassessed.html.j2")
    query = request.query_params
    weeks = query.get("weeks", "")
    course = view.course_of(
        seen.steps,
        int(weeks) if weeks.isdecimal() and len(weeks) < 5 else view.DEFAULT_WEEKS,  # noqa: PLR2004
        query.getlist("with"),
    )
    answer = _asked(request, seen)
    found = Page(seen.steps)
    some = frame.address(request.app, "source", person=seen.person.id, kind="K", rid="R")
    band = answer.band if answer is not None else ()
    return page(
        request,
        seen,
        "chart/overview.html.j2",
        p=found,
        out=found.out,
        cite=view.citer(found, _why(request, seen.person.id)),
        course=course,
        spec=picture.spec(
            course.data, link=some.removesuffix("K/R"), extras=course.extras, changed=band
        ),
        still=svg(course.data, ident="still"),
        still_narrow=svg(course.data, width=NARROW, ident="narrow"),
        rows=table(course.data),
        ahead_rows=[(d.when, d.day, d.middle, d.half, d.most) for d in found.ahead()],
        shares=view.shares(seen.steps),
        options=options.options(found),
        weighed=options.weighed(found),
        answer=answer,
        drugs=asked.planned_drugs(seen.steps),
        asked=asked,
        fields_given=dict(query),
        spans=view.SPANS,
        extras=view.EXTRAS,
        address=_course_address(request, seen.person.id),
        count_at=view.newest_count(seen.steps),
        key=secrets.token_urlsafe(12),
        wrong=wrong,
        given=given or {},
        **_history(request, seen),
    )


def _why(request: Request, person: str) -> Callable[[str], str]:
    return lambda rule: frame.address(request.app, "why", person=person, rule=rule)


def _course_address(request: Request, person: str) -> Callable[..., str]:
    """The overview's address with another span, or with a further course put on or off."""

    def address(weeks: int, chosen: Iterable[str]) -> str:
        base = frame.address(request.app, "chart", person=person)
        more = "".join(f"&with={key}" for key in chosen)
        return f"{base}?weeks={weeks}{more}#course"

    return address


def _asked(request: Request, seen: Seen) -> asked.Answer | None:
    if "ask" not in request.query_params or seen.steps is None:
        return None
    questions = asked.question_of(dict(request.query_params))
    return asked.ask(seen.steps, clinic_of(request).basis(), questions)


def _history(request: Request, seen: Seen) -> dict[str, Any]:
    """What was decided before, and how good the stored forecasts have been."""
    assert seen.assessed is not None  # noqa: S101  (the overview is shown only then)
    with clinic_of(request).database.read() as connection:
        decided = decisions.decisions_of(connection, seen.person.id)
        stored = assessments.earlier(connection, seen.person.id, most=MOST_FORECASTS)
    return {
        "decided": decisions.newest_by_option(decided),
        "all_decided": decided,
        "track": kept.track_record(stored, seen.assessed.folded.record),
    }


@router.post("/patients/{person}/decide", name="decide", include_in_schema=False)
def decide(request: Request, person: str, form: Form) -> Response:
    """Keep what was decided about an option, with its reason. Nothing is ordered."""
    checked(request, form, person)
    seen = look(request, person)
    if seen.steps is None or seen.stored is None:
        raise frame.not_found()
    if form.get("assessment") != str(seen.stored.id):
        wrong = "The assessment has changed since this was shown. Look at the options again first."
        return _overview(request, seen, wrong, form)
    found = {one.id: one for one in options.options(Page(seen.steps))}
    option = found.get(form.get("option", ""))
    if option is None and form.get("option") != options.OTHER:
        raise frame.not_found()
    caller = caller_of(request)
    choice: Any = form.get("choice", "")
    made = Decision(
        person=seen.person.id,
        option=option.id if option else options.OTHER,
        choice="accept" if option is None else choice,
        reason=form.get("reason", ""),
        assessment=seen.stored.id,
        said=option.title if option else "Something else",
        rules=option.rules if option else (),
        actor=caller.account,
        name=caller.name,
        at=clock.now(),
    )
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
        return _overview(request, seen, str(error), form)
    answer = frame.see_other(request, "chart", person=seen.person.id)
    answer.headers["location"] += "#options"
    return answer


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
