"""The release page: choose and write, see it as the patient will, release, take back."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Struct
from msgspec.structs import replace

from redcell import clock
from redcell.clinic import inbox, releases
from redcell.clinic.releases import RELEASED, TAKEN_BACK, Release
from redcell.clinic.sensitivity.consents import Audience
from redcell.clinic.sensitivity.labels import Level
from redcell.clinic.sensitivity.sight import Sight, Viewer
from redcell.outputs.html import Page
from redcell.outputs.speech import ENGLISH, SPANISH
from redcell.store import assessments, audit, events
from redcell.store.assessments import Assessment
from redcell.web.pages import frame
from redcell.web.pages.chart import options
from redcell.web.pages.chart import sheet as chart
from redcell.web.pages.chart.seen import Seen, look
from redcell.web.pages.frame import Form, audited, caller_of, checked, clinic_of, see_other
from redcell.web.pages.language import translator
from redcell.web.pages.me import view
from redcell.web.pages.release import draft

router = APIRouter()
REASONS = ("The plan has changed", "Released for the wrong patient", "Something in it was wrong")
PATIENT = Viewer(Audience.OWN, most=Level.VERY)
"""Whose page the preview shows."""
REASON_LENGTH = 300
CHANGED = "The assessment has changed since this form was opened. Look at what it says now first."


class Told(Struct, frozen=True):
    """One entry of the history: a release, or that it was taken back."""

    at: int
    name: str
    release: Release | None
    reason: str = ""


@router.get("/patients/{person}/release", name="release", include_in_schema=False)
def release(request: Request, person: str) -> Response:
    """What is released now, the form for the next release, and the history."""
    seen = look(request, person)
    audited(request, seen.person.id, "release form")
    return _form(request, seen)


def _form(
    request: Request,
    seen: Seen,
    given: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
    wrong: str = "",
) -> Response:
    if seen.steps is None or seen.stored is None:
        return chart.page(request, seen, "chart/unassessed.html.j2")
    clinic = clinic_of(request)
    with clinic.database.read() as connection:
        now_out = releases.current(connection, seen.patients)
        before = assessments.read_one(connection, now_out.assessment) if now_out else None
        told = _history(connection, seen.patients)
    page = Page(seen.steps)
    answer = chart.page(
        request,
        seen,
        "release/form.html.j2",
        p=page,
        options=options.options(page),
        choices=draft.choices(seen.steps),
        nothing=draft.NOTHING,
        released=now_out,
        changed=changes(before, seen.stored) if now_out else [],
        told=told,
        given=draft.fields_of(now_out) if given is None else given,
        problems=problems or {},
        wrong=wrong,
        reasons=REASONS,
        most_lines=releases.MOST_LINES,
    )
    answer.status_code = 422 if problems or wrong else 200
    return answer


def changes(before: Assessment | None, now: Assessment) -> list[str]:
    """What is different since the assessment that the last release rested on."""
    if before is None or before.id == now.id or before.state == now.state:
        return []
    old, new = _facts(before), _facts(now)
    found = [f"{name}: {old.get(name, 'not known')}, now {said}" for name, said in new.items()
             if old.get(name) != said]  # fmt: skip
    return found or ["Something that the options rest on."]


def _facts(one: Assessment) -> dict[str, str]:
    out: dict[str, Any] = msgspec.json.decode(one.body)
    if not out:
        return {"Status": one.status.replace("-", " ")}
    count = out["anemia"]["hemoglobin"]
    return {
        "Hemoglobin": f"{count['value']:g}" if count else "not known",
        "Urgency": out["urgency"]["level"].replace("-", " "),
        "Red cells": out["transfusion"]["decision"].replace("-", " "),
        "Next count due": out["monitoring"]["next_cbc_due"] or "not known",
    }


def _history(connection: sa.Connection, people: tuple[str, ...]) -> list[Told]:
    found = events.select(connection, RELEASED, TAKEN_BACK, person=people, newest_first=True)
    names = inbox.names(connection, {e.actor for e in found})
    released = {r.id: r for r in releases.history(connection, people)}
    return [
        Told(
            e.at,
            released[e.id].name if e.id in released else names.get(e.actor, e.actor),
            released.get(e.id),
            str(e.body.get("reason", "")),
        )
        for e in found
    ]


# -- preview and release ---------------------------------------------------------------------------


def _read(request: Request, seen: Seen, form: dict[str, str]) -> tuple[Release, dict[str, str]]:
    assert seen.steps is not None  # noqa: S101  (the form is shown only then)
    caller, now = caller_of(request), clock.now()
    return draft.read(
        form,
        draft.choices(seen.steps),
        person=seen.person.id,
        account=caller.account,
        name=caller.name,
        at=now,
        today=frame.today_of(request, now),
    )


@router.post("/patients/{person}/release/preview", name="release-preview", include_in_schema=False)
def preview(request: Request, person: str, form: Form) -> Response:
    """The patient's own page as it will be, in either language; nothing is kept yet."""
    checked(request, form, person)
    seen = look(request, person)
    if seen.steps is None or seen.stored is None:
        raise frame.not_found()
    if form.get("change"):
        return _form(request, seen, form)
    made, problems = _read(request, seen, form)
    if problems:
        return _form(request, seen, form, problems)
    language = SPANISH if form.get("language") == SPANISH else ENGLISH
    now = clock.now()
    with clinic_of(request).database.read() as connection:
        sight = Sight(connection, PATIENT, now)
        me = view.look(sight, seen.person.id, clinic_of(request).basis(), language, at=now)
    if me is None:
        raise frame.not_found()
    audited(request, seen.person.id, "release preview")
    kept = {k: v for k, v in form.items() if k not in (frame.CSRF, frame.PERSON, "language")}
    return frame.render(
        request,
        "release/preview.html.j2",
        person=seen.person,
        me=replace(me, release=made),
        several=(),
        suffix="",
        large=False,
        lang=language,
        t=translator(language),
        kept=kept,
        language=language,
    )


@router.post("/patients/{person}/release", name="release-send", include_in_schema=False)
def send(request: Request, person: str, form: Form) -> Response:
    """Release the plan, with name and date."""
    checked(request, form, person)
    seen = look(request, person)
    if seen.steps is None or seen.stored is None:
        raise frame.not_found()
    made, problems = _read(request, seen, form)
    if problems:
        return _form(request, seen, form, problems)
    if made.assessment != seen.stored.id:
        return _form(request, seen, form, wrong=CHANGED)
    entry = frame.entry_of(
        request, seen.person.id, "release", action="C", detail=f"assessment {made.assessment}"
    )

    def write(connection: sa.Connection) -> None:
        now_out = releases.current(connection, seen.patients)
        if now_out is not None and _same(now_out, made):
            return  # sent twice
        releases.release(connection, made)
        audit.append(connection, [entry])

    clinic_of(request).writer.write(write)
    return see_other(request, "release", "released=1", person=seen.person.id)


def _same(one: Release, other: Release) -> bool:
    return replace(one, at=0, id=0) == replace(other, at=0, id=0)


@router.post(
    "/patients/{person}/release/take-back", name="release-take-back", include_in_schema=False
)
def take_back(request: Request, person: str, form: Form) -> Response:
    """Take back what is released: the patient's page shows own data and fixed texts only."""
    checked(request, form, person)
    seen = look(request, person)
    reason = " ".join((form.get("reason", "").strip() or form.get("why", "")).split())
    if not reason:
        return _form(request, seen, wrong="Say why it is taken back.")
    caller = caller_of(request)
    entry = frame.entry_of(request, seen.person.id, "release: taken back", action="U")

    def write(connection: sa.Connection) -> None:
        if releases.current(connection, seen.patients) is not None:
            said = reason[:REASON_LENGTH]
            releases.take_back(
                connection, seen.person.id, by=caller.account, at=entry.at, reason=said
            )
            audit.append(connection, [entry])

    clinic_of(request).writer.write(write)
    return see_other(request, "release", person=seen.person.id)
