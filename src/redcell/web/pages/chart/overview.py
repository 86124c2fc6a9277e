"""The overview of a chart: the course with what-if, causes, options, how good forecasts were."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from redcell.clinic import corrected, decisions
from redcell.loop import Steps
from redcell.outputs.chart import NARROW, svg, table
from redcell.outputs.html import Page
from redcell.store import assessments
from redcell.web.pages import frame
from redcell.web.pages.chart import asked, kept, options, picture, view
from redcell.web.pages.chart.seen import Seen
from redcell.web.pages.chart.sheet import page
from redcell.web.pages.frame import audited, clinic_of

MOST_FORECASTS = 60
MOST_CORRECTIONS = 3


def show(
    request: Request, seen: Seen, wrong: str = "", given: dict[str, str] | None = None
) -> Response:
    """The page; `wrong` and `given` say what could not be kept of a decision."""
    audited(request, seen.person.id, "chart: overview")
    if seen.steps is None:
        return page(request, seen, "chart/unassessed.html.j2")
    return page(
        request,
        seen,
        "chart/overview.html.j2",
        **_words(request, seen, seen.steps),
        **_course(request, seen, seen.steps),
        **_history(request, seen),
        key=secrets.token_urlsafe(12),
        wrong=wrong,
        given=given or {},
    )


def _words(request: Request, seen: Seen, steps: Steps) -> dict[str, Any]:
    """What is said: urgency, facts, causes, options."""
    found = Page(steps)
    return {
        "p": found,
        "out": found.out,
        "cite": view.citer(found, _why(request, seen.person.id)),
        "ahead_rows": [(d.when, d.day, d.middle, d.half, d.most) for d in found.ahead()],
        "shares": view.shares(steps),
        "options": options.options(found),
        "weighed": options.weighed(found),
        "count_at": view.newest_count(steps),
    }


def _course(request: Request, seen: Seen, steps: Steps) -> dict[str, Any]:
    """What is drawn, and the question that was asked of the model."""
    query = request.query_params
    course = view.course_of(steps, _weeks(query.get("weeks", "")), query.getlist("with"))
    answer = _asked(request, steps)
    some = frame.address(request.app, "source", person=seen.person.id, kind="K", rid="R")
    return {
        "course": course,
        "spec": picture.spec(
            course.data,
            link=some.removesuffix("K/R"),
            extras=course.extras,
            changed=answer.band if answer is not None else (),
        ),
        "still": svg(course.data, ident="still"),
        "still_narrow": svg(course.data, width=NARROW, ident="narrow"),
        "rows": table(course.data),
        "answer": answer,
        "drugs": asked.planned_drugs(steps),
        "asked": asked,
        "fields_given": dict(query),
        "spans": view.SPANS,
        "extras": view.EXTRAS,
        "address": _course_address(request, seen.person.id),
    }


def _weeks(text: str) -> int:
    """The span that was asked for; the usual one where it is no number."""
    return int(text) if text.isdecimal() and len(text) < 5 else view.DEFAULT_WEEKS  # noqa: PLR2004


def _why(request: Request, person: str) -> Callable[[str], str]:
    return lambda rule: frame.address(request.app, "why", person=person, rule=rule)


def _course_address(request: Request, person: str) -> Callable[..., str]:
    """The overview's address with another span, or with a further course put on or off."""

    def address(weeks: int, chosen: Iterable[str]) -> str:
        base = frame.address(request.app, "chart", person=person)
        more = "".join(f"&with={key}" for key in chosen)
        return f"{base}?weeks={weeks}{more}#course"

    return address


def _asked(request: Request, steps: Steps) -> asked.Answer | None:
    if "ask" not in request.query_params:
        return None
    questions = asked.question_of(dict(request.query_params))
    return asked.ask(steps, clinic_of(request).basis(), questions)


def _history(request: Request, seen: Seen) -> dict[str, Any]:
    """What was decided, what was corrected since, how good the stored forecasts were."""
    assert seen.assessed is not None  # noqa: S101  (the overview is shown only then)
    with clinic_of(request).database.read() as connection:
        decided = decisions.decisions_of(connection, seen.person.id)
        stored = assessments.earlier(connection, seen.person.id, most=MOST_FORECASTS)
        told = corrected.of_person(connection, seen.patients)
    return {
        "decided": decisions.newest_by_option(decided),
        "all_decided": decided,
        "corrected": told[:MOST_CORRECTIONS],
        "track": kept.track_record(stored, seen.assessed.folded.record),
    }
