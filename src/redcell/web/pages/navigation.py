"""The main navigation: what each role may open. A page that this build lacks is left out."""

from __future__ import annotations

from typing import cast
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.routing import iter_route_contexts
from msgspec import Struct

from redcell.identity.caller import Caller


class Item(Struct, frozen=True):
    """One entry: its words, its route's name, who sees it."""

    label: str
    route: str
    roles: tuple[str, ...]


NAVIGATION = (
    Item("Today", "today", ("nurse", "physician")),
    Item("Capacity", "capacity", ("nurse", "physician", "infusion", "blood-bank")),
    Item("Messages", "messages", ("nurse", "physician")),
    Item("Emergency access", "break-glass", ("infusion", "blood-bank")),
    Item("Home", "me", ("patient", "proxy")),
    Item("Admin", "admin", ("admin",)),
)


def route_names(app: FastAPI) -> frozenset[str]:
    """The names of every route of an application; looked up once it serves."""
    known = getattr(app.state, "route_names", None)
    if known is None:
        found = (context.original_route for context in iter_route_contexts(app.router.routes))
        known = app.state.route_names = frozenset(getattr(r, "name", "") or "" for r in found)
    return cast("frozenset[str]", known)


def address(app: FastAPI, name: str, /, **params: object) -> str:
    """The address of a named route. A page asks for hundreds: each form is looked up once.

    Raises:
        starlette.routing.NoMatchFound: no route has this name and these parameters.
    """
    known = getattr(app.state, "addresses", None)
    if known is None:
        known = app.state.addresses = {}
    key = (name, *params)
    if key not in known:
        marks = {param: f"~{param}~" for param in params}
        known[key] = str(app.url_path_for(name, **marks))
    found: str = known[key]
    for param, value in params.items():
        found = found.replace(f"~{param}~", quote(str(value), safe=""))
    return found


class Link(Struct, frozen=True):
    """One entry as this caller sees it."""

    label: str
    href: str
    here: bool
    route: str = ""


def items(request: Request, caller: Caller) -> list[Link]:
    """The entries for this caller, in order."""
    named = route_names(request.app)
    found = []
    for item in NAVIGATION:
        if item.route in named and caller.has(*item.roles):
            href = address(request.app, item.route)
            here = request.url.path == href or request.url.path.startswith(f"{href}/")
            found.append(Link(item.label, href, here, item.route))
    return found
