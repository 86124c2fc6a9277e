"""Apps that are opened for one person from a page of ours: the EHR's side of a SMART launch.

The app gets the address of the FHIR API and a value that stands for the person. It comes back to
the authorize endpoint with it, and nobody has to be chosen there.
"""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic.people import person_in
from redcell.clock import MINUTE
from redcell.identity import clients, one_time
from redcell.identity.clients import Client
from redcell.store import audit, facts, persons
from redcell.web.pages.frame import (
    Form,
    caller_of,
    checked,
    clinic_of,
    entry_of,
    not_found,
    render,
    require,
)
from redcell.web.security.headers import content_policy
from redcell.web.smart import server
from redcell.web.smart.requests import LAUNCHED

MINUTES = 10
"""How long somebody may take to sign in on the way."""

router = APIRouter(include_in_schema=False)


@router.get("/patients/{person}/apps", name="apps")
def show(request: Request, person: str) -> Response:
    """The apps that can be opened for this person."""
    require(request, person)
    clinic = clinic_of(request)
    with clinic.database.read() as connection:
        found = [one for one in clients.every(connection) if _opens(one)]
        own = persons.patients_of(connection, persons.person_of(connection, person))
        banner = person_in(person, facts.of_patients(connection, own))
    places = {urlsplit(one.details.launch) for one in found}
    origins = sorted(f"{parts.scheme}://{parts.netloc}" for parts in places)
    policy = content_policy(clinic.settings, " ".join(["'self'", *origins]))
    done = entry_of(request, person, "apps")
    clinic.writer.write(lambda connection: audit.append(connection, [done]))
    return render(
        request,
        "smart/apps.html.j2",
        headers={"Content-Security-Policy": policy},
        person=banner,
        apps=found,
    )


@router.post("/patients/{person}/apps", name="app-open")
def open_app(request: Request, person: str, form: Form) -> Response:
    """To the app, with a value that stands for this person."""
    checked(request, form, person)
    clinic, at = clinic_of(request), clock.now()
    with clinic.database.read() as connection:
        client = clients.by_id(connection, form.get("client", ""))
        own = persons.person_of(connection, person)
    if client is None or not _opens(client):
        raise not_found()
    body = {"client": client.id, "account": caller_of(request).account, "person": own}
    done = entry_of(request, own, "app opened", action="E", detail=client.id)

    def write(connection: Connection) -> str:
        audit.append(connection, [done])
        return one_time.keep(connection, LAUNCHED, body, until=at + MINUTES * MINUTE)

    query = {"iss": server.address(request, server.FHIR), "launch": clinic.writer.write(write)}
    where = client.details.launch
    mark = "&" if urlsplit(where).query else "?"
    return RedirectResponse(f"{where}{mark}{urlencode(query)}", 303)


def _opens(client: Client) -> bool:
    return client.open and client.kind == "public" and bool(client.details.launch)
