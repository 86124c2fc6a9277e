"""Rules & thresholds: what is in force, a change with reason and source, and a second reader."""

from __future__ import annotations

import secrets

from fastapi import APIRouter, Request
from fastapi.responses import Response

from redcell import clock
from redcell.clinic import inbox, policies
from redcell.clinic.policies import Proposal, ProposalError
from redcell.web.pages import frame
from redcell.web.pages.admin.page import page, write
from redcell.web.pages.frame import Form, audited, caller_of, clinic_of, see_other

router = APIRouter()


@router.get("/admin/rules", name="admin-rules", include_in_schema=False)
def rules(request: Request) -> Response:
    """The text in force, open proposals, the form for a change, the history."""
    audited(request, None, "admin: rules")
    return _rules(request)


def _rules(request: Request, wrong: str = "", given: dict[str, str] | None = None) -> Response:
    clinic = clinic_of(request)
    with clinic.database.read() as connection:
        now_in_force = policies.in_force(clinic, connection)
        waiting = policies.open_proposals(connection)
        past = policies.history(connection)
        ids = {p.by for p in waiting} | {e.actor for e in past}
        ids |= {str(e.body.get("proposed_by", "")) for e in past}
        names = inbox.names(connection, ids)
    known = clinic.basis().knowledge
    keys = known.keys()
    entries = [(key, known.entry(key)) for key in keys]
    changed = set(known.policy.numbers) if known.policy else set()
    return page(
        request,
        "rules",
        status=422 if wrong else 200,
        in_force=now_in_force,
        waiting=waiting,
        past=past,
        names=names,
        title=known.policy.title if known.policy else "",
        changeable=[(k, e) for k, e in entries if not e.fixed and e.value is not None],
        changed=[(k, known.number(k)) for k in sorted(changed)],
        key=secrets.token_urlsafe(12),
        wrong=wrong,
        given=given or {},
    )


@router.post("/admin/rules", name="admin-propose", include_in_schema=False)
def propose(request: Request, form: Form) -> Response:
    """Propose one number, or a whole text; what it would change is worked out first."""
    clinic, caller, at = clinic_of(request), caller_of(request), clock.now()
    try:
        with clinic.database.read() as connection:
            before = policies.in_force(clinic, connection).text
            text = _text(form, before, clinic.settings.site.name)
            policies.read(text)
            predicted = policies.predict(clinic, connection, text, at=at)
        proposal = Proposal(
            text=text,
            reason=form.get("reason", ""),
            source=form.get("source", ""),
            before=before,
            by=caller.account,
            at=at,
            predicted=predicted,
        )
        key = form.get("key", "")[:64] or secrets.token_urlsafe(12)
        write(
            request,
            "admin: policy proposed",
            lambda c: policies.propose(c, clinic, proposal, key=key),
            action="C",
        )
    except ProposalError as error:
        return _rules(request, str(error), form)
    return see_other(request, "admin-rules")


def _text(form: dict[str, str], before: str, site: str) -> str:
    if form.get("how") == "text":
        return form.get("text", "").replace("\r\n", "\n")
    entry, value = form.get("entry", "").strip(), form.get("value", "").strip().replace(",", ".")
    try:
        number = float(value)
    except ValueError:
        raise ProposalError("Give the new value as a number.") from None
    if not entry:
        raise ProposalError("Choose the number that changes.")
    return policies.with_number(before, entry, number, form.get("source", ""), site=site)


@router.get("/admin/rules/{number}", name="admin-proposal", include_in_schema=False)
def proposal(request: Request, number: int) -> Response:
    """One proposal: what differs, and what it would do."""
    audited(request, None, "admin: policy proposal", detail=str(number))
    return _proposal(request, number)


def _proposal(request: Request, number: int, wrong: str = "") -> Response:
    clinic = clinic_of(request)
    with clinic.database.read() as connection:
        found = policies.proposal_of(connection, number)
        if found is None:
            raise frame.not_found()
        is_open = number in {p.id for p in policies.open_proposals(connection)}
        names = inbox.names(connection, {found.by})
    return page(
        request,
        "proposal",
        status=422 if wrong else 200,
        found=found,
        by=names.get(found.by, found.by),
        is_open=is_open,
        own=found.by == caller_of(request).account,
        lines=list(policies.difference(found.before, found.text)),
        numbers=_numbers(found),
        wrong=wrong,
    )


def _numbers(found: Proposal) -> list[tuple[str, float, float, str]]:
    """Every number that differs: its name, the value now, the value proposed, the unit."""
    old, new = policies.read(found.before), policies.read(found.text)
    differ: list[tuple[str, float, float, str]] = []
    for key in new.keys():  # noqa: SIM118  (a method of the knowledge, not of a dict)
        entry = new.entry(key)
        if entry.value is not None and old.value(key) != new.value(key):
            differ.append((key, old.value(key), new.value(key), entry.unit))
    return differ


@router.post("/admin/rules/{number}/{act}", name="admin-proposal-act", include_in_schema=False)
def act(request: Request, number: int, act: str, form: Form) -> Response:
    """Approve it as the second reader, or take it off the list."""
    clinic, actor, at = clinic_of(request), caller_of(request).account, clock.now()
    reason = form.get("reason", "")
    try:
        if act == "approve":
            write(
                request,
                "admin: policy approved",
                lambda c: policies.approve(c, clinic, number, actor=actor, at=at),
                detail=str(number),
            )
        elif act == "withdraw":
            write(
                request,
                "admin: policy withdrawn",
                lambda c: policies.withdraw(c, number, actor=actor, at=at, reason=reason),
                detail=str(number),
            )
        else:
            raise frame.not_found()
    except ProposalError as error:
        return _proposal(request, number, str(error))
    return see_other(request, "admin-rules")
