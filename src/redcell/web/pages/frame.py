"""The frame of every page: `render` fills a template, `audited` keeps who looked at whom.

A page is a plain `def` route (it reads the database, so it runs in a thread) with a unique name:

    @router.get("/patients/{person}", name="chart")
    def chart(request: Request, person: str) -> Response:
        require(request, person)                            # not theirs to see: 404, like nowhere
        audited(request, person, "chart")                   # on disk before anything is shown
        return render(request, "chart/chart.html.j2", person=banner, review=review)

Templates lie beside their routes (`chart/chart.html.j2` is a file of the package `chart`), extend
`base.html.j2` and fill its blocks `title`, `main`, and if needed `head`, `tabs`, `scripts`. With
`person=` (a `clinic.people.Person`) the base shows the banner. Every template knows:

    site, caller, lang, now, today, freshness, path, zone   what is so for this request
    t("Sign out")                      the words in the reader's language (`language.py`)
    url("chart", person=id)            the address of a named route; `has("chart")`: is it there?
    static("today.js")                 the address of a file under static/, with its hash
    fields(person_id)                  hidden inputs of a form: the CSRF token and whose form it is
    x|day  x|moment  x|clock  x|tenths  x|signed  x|percent  x|ago  x|plain    (`formats.py`)

`parts.html.j2` has the macros: `urgency`, `tag`, `banner`, `empty`, `partial`, `stale`, `failed`,
`twin` (the table of a chart), `pages` (paging). A page's own style sheet or script goes to
static/ and into the block `head` or `scripts`; inline styles and scripts are refused by the
content policy. Without JavaScript everything must work: forms post, the route answers with
`see_other`.

A form's route reads its fields with `form: Form` and calls `checked(request, form, person)`: a
form that was opened for another person is refused and audited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.exceptions import HTTPException

from redcell import clock
from redcell.clinic import freshness, inbox
from redcell.clinic.freshness import Freshness
from redcell.clinic.service import Clinic
from redcell.errors import StoreError
from redcell.identity.caller import STAFF, STRANGER, Caller
from redcell.outputs.templates import CONTROL
from redcell.store import audit
from redcell.web.pages import assets, formats
from redcell.web.pages.language import ENGLISH, language_of, translator
from redcell.web.pages.navigation import address, items, route_names

FOLDER = Path(__file__).parent
CSRF = "csrf"
"""The form field of the CSRF token, and its name on `request.state`."""
TRANSLATED = (
    "me/",
    "sign_in/sign_in.",
    "sign_in/link.",
    "sign_in/account.",
    "smart/consent.",
    "smart/message.",
    "error.",
)
"""Templates whose words are translated; the team's pages are English, and say so."""
PERSON = "for_person"
"""The form field that says whose form it is."""


@cache
def environment() -> Environment:
    """Jinja with every value escaped and every missing name an error."""
    made = Environment(
        loader=FileSystemLoader([FOLDER / "templates", FOLDER, FOLDER.parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=400,
    )
    made.filters.update(formats.FILTERS)
    made.globals["static"] = assets.address
    return made


def clinic_of(request: Request) -> Clinic:
    """The clinic behind this request."""
    return cast(Clinic, request.app.state.clinic)


def caller_of(request: Request) -> Caller:
    """Who asks; a stranger when nobody is signed in."""
    found = getattr(request.state, "caller", STRANGER)
    return cast(Caller, found)


def render(
    request: Request,
    name: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """A page: the template filled with what it is given and with what every page knows."""
    now = context.pop("now", None) or clock.now()
    lang = language_of(request) if name.startswith(TRANSLATED) else ENGLISH
    body = environment().get_template(name).render({**_shared(request, now, lang), **context})
    return HTMLResponse(body, status_code=status, headers=dict(headers or {}))


def _shared(request: Request, now: int, lang: str) -> dict[str, Any]:
    clinic, caller = clinic_of(request), caller_of(request)
    state = fresh(clinic, now)
    zone = clinic.settings.zone
    formats.use_zone(zone)
    return {
        "request": request,
        "site": clinic.settings.site,
        "caller": caller,
        "lang": lang,
        "t": translator(lang),
        "now": now,
        "today": clock.when(now).astimezone(zone).date(),
        "zone": zone,
        "path": request.url.path,
        "freshness": state,
        "troubles": troubles(clinic, state) if caller.has(*STAFF) else (),
        "navigation": items(request, caller),
        "waiting": waiting(clinic, caller),
        "url": _url(request),
        "has": _has(request),
        "fields": _fields(request),
        "person": None,
        "fragment": is_fragment(request),
    }


def fresh(clinic: Clinic, now: int) -> Freshness:
    """How fresh the data is. An error page must not fail over what stands at its top."""
    try:
        return freshness.look(clinic, at=now)
    except StoreError:
        return Freshness(now, ())


def troubles(clinic: Clinic, fresh: Freshness) -> tuple[str, ...]:
    """What is wrong with the service itself, for the top of the team's pages."""
    found = []
    if clinic.writer.stuck:
        found.append(
            "Nothing new can be kept now; the disk may be full. What comes in is refused, so its "
            "sender keeps it, and no page with a person's data opens, because who looked could not "
            "be written down. It goes on by itself once there is room."
        )
    if fresh.set_back:
        found.append(
            f"The clock of this server was set back: {fresh.set_back}. How old a result is, and "
            "what is due, may be wrong until it is right."
        )
    return tuple(found)


def waiting(clinic: Clinic, caller: Caller) -> int:
    """How many reports and messages wait for the team. An error page must not fail over it."""
    if not caller.has(*STAFF):
        return 0
    try:
        with clinic.database.read() as connection:
            found = inbox.items(clinic, connection)
    except StoreError:
        return 0
    return sum(item.waits and caller.sees(item.person) for item in found)


def is_fragment(request: Request) -> bool:
    """Does a script ask for a part of the page, rather than a reader for the whole?"""
    return request.headers.get("HX-Request") == "true"


def _url(request: Request) -> Callable[..., str]:
    def url(name: str, /, **params: object) -> str:
        return address(request.app, name, **params)

    return url


def _has(request: Request) -> Callable[[str], bool]:
    return lambda name: name in route_names(request.app)


def _fields(request: Request) -> Callable[..., Markup]:
    def fields(person: str | None = None) -> Markup:
        token = getattr(request.state, CSRF, "")
        token = token() if callable(token) else token
        made = Markup('<input type="hidden" name="{}" value="{}">').format(CSRF, token)
        if person is not None:
            made += Markup('<input type="hidden" name="{}" value="{}">').format(PERSON, person)
        return made

    return fields


# -- whose data, and who looked --------------------------------------------------------------------


def require(request: Request, person: str) -> Caller:
    """The caller, if this person's data is theirs to see; else the page is not found."""
    caller = caller_of(request)
    if not caller.sees(person):
        raise not_found()
    return caller


def not_found() -> HTTPException:
    """What is not there and what is not yours to see look alike."""
    return HTTPException(404)


def audited(
    request: Request,
    person: str | None,
    what: str,
    *,
    action: str = "R",
    outcome: str = "ok",
    detail: str = "",
) -> None:
    """Keep who read or wrote what of whom; returns when it is on disk."""
    entry = entry_of(request, person, what, action=action, outcome=outcome, detail=detail)
    clinic_of(request).writer.write(lambda connection: audit.append(connection, [entry]))


def entry_of(
    request: Request,
    person: str | None,
    what: str,
    *,
    action: str = "R",
    outcome: str = "ok",
    detail: str = "",
) -> audit.Entry:
    """The audit entry, for a route that writes it in the transaction of its own changes."""
    caller = caller_of(request)
    purpose = "BTG" if person in caller.glass else "TREAT"
    return audit.Entry(
        at=clock.now(),
        actor=caller.account,
        role=caller.role,
        action=action,
        what=what,
        person=person,
        purpose=purpose,
        outcome=outcome,
        origin=caller.origin,
        detail=detail,
    )


# -- forms -----------------------------------------------------------------------------------------


async def _form(request: Request) -> dict[str, str]:
    found = await request.form(max_files=0, max_fields=200)
    texts = ((name, value) for name, value in found.items() if isinstance(value, str))
    return {name: CONTROL.sub("", value) for name, value in texts}


Form = Annotated[dict[str, str], Depends(_form)]
"""The fields of a posted form: `def route(request: Request, form: Form)`."""


def checked(request: Request, form: Mapping[str, str], person: str) -> None:
    """Refuse a form that was opened for somebody else; the refusal is audited.

    Raises:
        HTTPException: 409, shown as a page that says what happened.
    """
    require(request, person)
    if form.get(PERSON, "") != person:
        audited(request, person, "form of another person", action="U", outcome="refused")
        raise HTTPException(409, "wrong-person")


def see_other(request: Request, name: str, /, query: str = "", **params: object) -> Response:
    """Go on to a page after a form; a reload does not post again."""
    where = address(request.app, name, **params)
    return RedirectResponse(where + (f"?{query}" if query else ""), status_code=303)


def as_json(value: object) -> bytes:
    """Plain data as JSON."""
    return msgspec.json.encode(value)


def today_of(request: Request, now: int) -> date:
    """The day at the site."""
    return clock.when(now).astimezone(clinic_of(request).settings.zone).date()


__all__ = [
    "CSRF",
    "PERSON",
    "Form",
    "address",
    "as_json",
    "audited",
    "caller_of",
    "checked",
    "clinic_of",
    "entry_of",
    "environment",
    "is_fragment",
    "not_found",
    "render",
    "require",
    "route_names",
    "see_other",
    "today_of",
]
