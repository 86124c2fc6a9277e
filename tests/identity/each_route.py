"""Every role as a caller of every route, for the tests that go through the authorization table."""

from __future__ import annotations

from identity import people, samples
from identity.web import Browser, account, signed_in
from redcell import clock
from redcell.identity import accounts, clients, tokens
from redcell.identity.caller import ROLES
from redcell.identity.table import Row, Where
from redcell.identity.tokens import Granted

PROGRAMS = ("feed", "cds-client")
STRANGER = "stranger"
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


def callers(app, clinic) -> dict[str, Browser]:
    found = {STRANGER: Browser(app)}
    for role in ROLES:
        if role in PROGRAMS:
            found[role] = program(app, clinic, role)
            continue
        person = people.OWN if role == "patient" else None
        who = account(clinic, role, role, person=person)
        if role == "proxy":
            with clinic.database.write() as connection:
                accounts.grant(connection, who.id, people.OWN)
        found[role] = signed_in(app, clinic, who)
    return found


def program(app, clinic, role: str) -> Browser:
    browser, at = Browser(app), clock.now()
    with clinic.database.write() as connection:
        details = clients.Details(keys=({"kty": "EC"},))
        made = clients.add(connection, role, "backend", details, at=at, roles=(role,))
        granted = Granted(made.id, ("system/*.cruds",))
        browser.headers["authorization"] = f"Bearer {tokens.issue(connection, granted, at=at)[0]}"
    browser.headers["accept"] = "application/fhir+json"
    return browser


def address(route, row: Row, target: str) -> str:
    path = route.path_format
    for name in route.param_convertors:
        value = target if name == "person" else samples.value(row.name, name)
        path = path.replace(f"{{{name}}}", value)
    return f"{path}?person={target}" if row.where is Where.QUERY else path
