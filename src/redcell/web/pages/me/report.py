"""Takes a filled form: kept as resources, put into the inbox, and answered with what to do now."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import msgspec
from sqlalchemy.engine import Connection

from redcell.clinic import intake, messages, reports
from redcell.clinic.intake import Sender, arrived
from redcell.clinic.reports import CallRule, Report
from redcell.identity.caller import Caller
from redcell.knowledge.load import Knowledge
from redcell.web.pages.me import form as fields

FEED = "patient-page"
ENTRY = "entry"
KEPT = "key"


def new_key() -> str:
    """A name for a report that is about to be filled in."""
    return secrets.token_hex(16)


def report_of(
    form: Mapping[str, str], knowledge: Knowledge, *, person: str, caller: Caller, at: int
) -> Report:
    """The report that a form holds.

    Raises:
        ReportError: it holds what the form cannot have sent.
    """
    report = Report(
        key=form.get(KEPT, ""),
        person=person,
        at=at,
        by=caller.account,
        answers=fields.answers_of(form, knowledge),
        by_staff=not caller.has("patient", "proxy"),
        temperature_c=fields.temperature_of(form),
        note=form.get("note", ""),
    )
    reports.check(report, knowledge)
    return report


def keep(
    connection: Connection, report: Report, knowledge: Knowledge, caller: Caller
) -> CallRule | None:
    """Keep a report, once however often it is sent; what the patient is told to do at once."""
    call = reports.call_for(report, knowledge)
    body = msgspec.json.encode(report)
    arrival = arrived(FEED, ENTRY, report.key, body, report.at)
    known = already(connection, report.person, report.key)
    if known is None:
        sender = Sender(caller.account, caller.role, caller.origin)
        intake.take(connection, arrival, reports.resources(report, knowledge), sender)
        messages.report_came(
            connection,
            person=report.person,
            actor=caller.account,
            at=report.at,
            key=f"{report.person}:{report.key}",
            resource=f"QuestionnaireResponse/report-{report.key}",
            text=_summary(report, knowledge),
            pressure=call.call if call else "ordinary",
            call=call.text if call else "",
        )
    return call


def already(connection: Connection, person: str, key: str) -> messages.Item | None:
    """The inbox item of a report that was kept before."""
    resource = f"QuestionnaireResponse/report-{key}"
    found = messages.items(connection, [person])
    return next((item for item in found if item.resource == resource), None)


def _summary(report: Report, knowledge: Knowledge) -> str:
    """The report in one line for the inbox: what is present, the worst first."""
    present = [a for a in report.answers if a.grade != reports.ABSENT]
    worst_first = sorted(present, key=lambda a: -(a.grade if a.grade is not None else 9))
    said = [
        f"{knowledge.symptoms[a.symptom].name} {'?' if a.grade is None else a.grade}"
        + (f" ({a.course})" if a.course else "")
        for a in worst_first
    ]
    if report.temperature_c is not None:
        said.append(f"temperature {report.temperature_c:g} °C")
    if report.note.strip():
        said.append("a note in their own words")
    return "; ".join(said) or "none of the symptoms asked about"
