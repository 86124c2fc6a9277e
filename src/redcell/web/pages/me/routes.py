"""The patient's routes: home, counts, learning, report, messages, when to call, offline parts."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic import messages, reports
from redcell.clinic.reports import ReportError
from redcell.outputs.speech import ENGLISH, SPANISH, Speech
from redcell.store import audit
from redcell.web.pages import assets, frame, restricted
from redcell.web.pages.frame import Form, caller_of, checked, clinic_of, entry_of, render, see_other
from redcell.web.pages.language import language_of
from redcell.web.pages.me import form as fields
from redcell.web.pages.me import report, view
from redcell.web.pages.me.view import Me

router = APIRouter()
LARGE = "redcell-large"
YEAR = 365 * 24 * 3600
LONGEST_MESSAGE = 2000


def whose(request: Request) -> str:
    """The person whose page this is: one's own, or the one of several that was chosen.

    Raises:
        HTTPException: 404, when there is nobody, or somebody else's was asked for.
    """
    people = sorted(caller_of(request).people)
    chosen = request.query_params.get("for", "")
    if chosen and chosen not in people:
        raise frame.not_found()
    if not people:
        raise frame.not_found()
    return chosen or people[0]


def language(request: Request) -> str:
    """English or Spanish: the languages that the patient's sentences are in."""
    found = language_of(request)
    return found if found in (ENGLISH, SPANISH) else ENGLISH


def look(request: Request, what: str) -> Me:
    """What the page shows, audited."""
    person = whose(request)
    clinic = clinic_of(request)
    with clinic.database.read() as connection:
        sight = restricted.sight_of(request, connection)
        found = view.look(sight, person, clinic.basis(), language(request), at=sight.now)
    if found is None:
        raise frame.not_found()
    frame.audited(request, person, what)
    return found


def show(request: Request, name: str, me: Me, **context: Any) -> HTMLResponse:
    """A page of the patient's."""
    several = sorted(caller_of(request).people)
    suffix = f"?for={me.person.id}" if len(several) > 1 else ""
    large = request.cookies.get(LARGE) == "1"
    return render(
        request, f"me/{name}.html.j2", me=me, several=several, suffix=suffix, large=large, **context
    )


@router.get("/me", name="me", include_in_schema=False)
def home(request: Request) -> Response:
    """How am I, tell us, my plan, when to call."""
    return show(request, "home", look(request, "own page"))


@router.get("/me/counts", name="me-counts", include_in_schema=False)
def counts(request: Request) -> Response:
    """Every count in a table."""
    return show(request, "counts", look(request, "own counts"))


@router.get("/me/learn", name="me-learn", include_in_schema=False)
def learn(request: Request) -> Response:
    """The teaching pages that fit."""
    return show(request, "learn", look(request, "learning"))


@router.get("/me/learn/{page}", name="me-page", include_in_schema=False)
def page(request: Request, page: str) -> Response:
    """One teaching page."""
    me = look(request, "learning")
    found = me.page(page)
    if found is None:
        raise frame.not_found()
    following = me.page(found.next) if found.next else None
    return show(request, "page", me, page=found, following=following)


@router.get("/me/call", name="me-call", include_in_schema=False)
def call(request: Request) -> Response:
    """When to call: fixed, the same for everybody, open to everybody."""
    speech = Speech(clinic_of(request).basis().knowledge, language(request))
    large = request.cookies.get(LARGE) == "1"
    return render(request, "me/call.html.j2", speech=speech, large=large, suffix="")


@router.get("/me/large", name="me-large", include_in_schema=False)
def large(request: Request, on: str = "1", back: str = "/me") -> Response:
    """Large print, on or off."""
    local = back if back.startswith("/me") else "/me"
    answer = RedirectResponse(local, status_code=303)
    secure = request.url.scheme == "https"
    value = "1" if on == "1" else "0"
    answer.set_cookie(LARGE, value, max_age=YEAR, httponly=True, samesite="lax", secure=secure)
    return answer


# -- the report -----------------------------------------------------------------------------------


@router.get("/me/report", name="me-report", include_in_schema=False)
def ask(request: Request) -> Response:
    """The form."""
    me = look(request, "report form")
    return _form(request, me, {}, "")


def _form(request: Request, me: Me, given: dict[str, str], wrong: str) -> HTMLResponse:
    known = clinic_of(request).basis().knowledge
    return show(
        request,
        "report",
        me,
        fields_of=fields,
        calls=fields.calls(known),
        key=given.get(report.KEPT) or report.new_key(),
        given=given,
        wrong=wrong,
    )


@router.post("/me/report", name="me-send-report", include_in_schema=False)
def send(request: Request, form: Form) -> Response:
    """Take the form."""
    person = form.get(frame.PERSON, "")
    if person not in caller_of(request).people:
        raise frame.not_found()
    checked(request, form, person)
    clinic, caller = clinic_of(request), caller_of(request)
    known, sender = clinic.basis().knowledge, report.sender_of(caller)
    try:
        made = report.report_of(form, known, person=person, caller=caller, at=clock.now())
    except ReportError as error:
        return _form(request, look(request, "report form"), form, str(error))
    clinic.writer.write(lambda c: reports.keep(c, made, known, sender))
    query = f"for={person}" if len(caller.people) > 1 else ""
    return see_other(request, "me-told", query, key=made.key)


@router.get("/me/report/{key}", name="me-told", include_in_schema=False)
def told(request: Request, key: str) -> Response:
    """What to do now, after a report: the call text first, if there is one."""
    me = look(request, "report sent")
    with clinic_of(request).database.read() as connection:
        item = reports.already(connection, me.person.id, key)
    if item is None:
        raise frame.not_found()
    return show(request, "told", me, item=item)


# -- messages -------------------------------------------------------------------------------------


@router.get("/me/messages", name="me-messages", include_in_schema=False)
def thread(request: Request) -> Response:
    """Messages with the team."""
    me = look(request, "own messages")
    with clinic_of(request).database.read() as connection:
        found = [i for i in messages.items(connection, [me.person.id]) if i.kind == "message"]
    return show(request, "messages", me, items=found, key=report.new_key())


@router.post("/me/messages", name="me-send-message", include_in_schema=False)
def write(request: Request, form: Form) -> Response:
    """Send a message to the team."""
    person = form.get(frame.PERSON, "")
    if person not in caller_of(request).people:
        raise frame.not_found()
    checked(request, form, person)
    text = form.get("text", "").strip()[:LONGEST_MESSAGE]
    if text:
        entry = entry_of(request, person, "message", action="C")

        def keep(connection: Connection) -> None:
            messages.send(
                connection,
                person=person,
                actor=entry.actor,
                text=text,
                at=entry.at,
                key=f"{person}:{form.get(report.KEPT, '')[:64]}",
            )
            audit.append(connection, [entry])

        clinic_of(request).writer.write(keep)
    query = f"for={person}" if len(caller_of(request).people) > 1 else ""
    return see_other(request, "me-messages", query)


# -- without a network ----------------------------------------------------------------------------


@router.get("/me/app.webmanifest", name="me-manifest", include_in_schema=False)
async def manifest() -> Response:
    """What makes the page an app on a phone."""
    icon = {"src": assets.address("mark.svg"), "sizes": "any", "type": "image/svg+xml"}
    body = {
        "name": "redcell",
        "short_name": "redcell",
        "start_url": "/me",
        "scope": "/me",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#a3123a",
        "icons": [icon],
    }
    return Response(frame.as_json(body), media_type="application/manifest+json")


@router.get("/me/worker.js", name="me-worker", include_in_schema=False)
async def worker() -> Response:
    """The service worker: it must stand under /me to serve what lies there."""
    body = assets.found()["me-worker.js"].body
    kept = [assets.address(n) for n in ("redcell.css", "me.css", "me.js", "mark.svg")]
    filled = body.replace(b'"KEPT"', frame.as_json(kept))
    headers = {"Cache-Control": "no-cache", "Service-Worker-Allowed": "/me"}
    return Response(filled, media_type="text/javascript; charset=utf-8", headers=headers)
