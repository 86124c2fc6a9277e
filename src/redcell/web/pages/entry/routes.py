"""Staff entry: the patient's own questions on one page, and what to read out afterwards."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response

from redcell import clock
from redcell.clinic import messages, reports
from redcell.clinic.reports import ReportError
from redcell.outputs.speech import ENGLISH, SPANISH, Speech
from redcell.store import audit
from redcell.web.pages import frame
from redcell.web.pages.chart import sheet as chart
from redcell.web.pages.chart.seen import Seen, look
from redcell.web.pages.frame import Form, audited, caller_of, checked, clinic_of, see_other
from redcell.web.pages.language import translator
from redcell.web.pages.me import form as fields
from redcell.web.pages.me import report

router = APIRouter()
HEADINGS = ("How much of this in the last 7 days?", "And these?", "And your skin?")


def _language(request: Request, seen: Seen) -> str:
    """The language to ask in: as chosen here, or as the record says."""
    chosen = request.query_params.get("language", "")
    if chosen in (ENGLISH, SPANISH):
        return chosen
    return SPANISH if seen.person.language.lower().startswith(SPANISH) else ENGLISH


def _words(request: Request, seen: Seen) -> dict[str, Any]:
    language = _language(request, seen)
    known = clinic_of(request).basis().knowledge
    return {
        "language": language,
        "ask": translator(language),
        "speech": Speech(known, language),
        "calls": fields.calls(known),
    }


@router.get("/patients/{person}/report", name="entry", include_in_schema=False)
def entry(request: Request, person: str) -> Response:
    """The form."""
    seen = look(request, person, whole=False)
    audited(request, seen.person.id, "report form")
    return _form(request, seen)


def _form(
    request: Request, seen: Seen, given: dict[str, str] | None = None, wrong: str = ""
) -> Response:
    given = given or {}
    answer = chart.page(
        request,
        seen,
        "entry/form.html.j2",
        fields_of=fields,
        headings=HEADINGS,
        key=given.get(report.KEPT) or report.new_key(),
        given=given,
        wrong=wrong,
        **_words(request, seen),
    )
    answer.status_code = 422 if wrong else 200
    return answer


@router.post("/patients/{person}/report", name="entry-send", include_in_schema=False)
def send(request: Request, person: str, form: Form) -> Response:
    """Keep the report; it was taken down by staff."""
    checked(request, form, person)
    seen, clinic, caller = (
        look(request, person, whole=False),
        clinic_of(request),
        caller_of(request),
    )
    known, sender = clinic.basis().knowledge, report.sender_of(caller)
    try:
        made = report.report_of(form, known, person=seen.person.id, caller=caller, at=clock.now())
    except ReportError as error:
        return _form(request, seen, form, str(error))
    taken = form.get("taken") == "on"
    kept = frame.entry_of(request, seen.person.id, "report taken down", action="C")

    def write(connection: sa.Connection) -> None:
        known_before = reports.already(connection, made.person, made.key) is not None
        reports.keep(connection, made, known, sender)
        audit.append(connection, [kept])
        item = reports.already(connection, made.person, made.key)
        if taken and item is not None and not known_before:
            messages.act(connection, messages.TAKEN, item, actor=caller.account, at=made.at)

    clinic.writer.write(write)
    language = request.query_params.get("language", "")
    query = f"language={language}" if language in (ENGLISH, SPANISH) else ""
    return see_other(request, "entry-told", query, person=seen.person.id, key=made.key)


@router.get("/patients/{person}/report/{key}", name="entry-told", include_in_schema=False)
def told(request: Request, person: str, key: str) -> Response:
    """What to read out now, and what was kept."""
    seen = look(request, person, whole=False)
    with clinic_of(request).database.read() as connection:
        item = reports.already(connection, seen.person.id, key)
    if item is None:
        raise frame.not_found()
    audited(request, seen.person.id, "report taken down")
    return chart.page(
        request,
        seen,
        "entry/told.html.j2",
        item=item,
        mine=item.taken_by == caller_of(request).account,
        **_words(request, seen),
    )
