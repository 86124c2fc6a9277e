"""Reads a filled form: the report that it holds, and who sent it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from redcell.clinic import reports
from redcell.clinic.intake import Sender
from redcell.clinic.reports import Report
from redcell.identity.caller import Caller
from redcell.knowledge.load import Knowledge
from redcell.web.pages.me import form as fields

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


def sender_of(caller: Caller) -> Sender:
    """Who sends it, as the audit has them."""
    return Sender(caller.account, caller.role, caller.origin)
