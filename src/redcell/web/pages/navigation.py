"""The main navigation: what each role may open. A page that this build lacks is left out."""

from __future__ import annotations

from fastapi import Request
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
    Item("Home", "me", ("patient", "proxy")),
    Item("Admin", "admin", ("admin",)),
)


class Link(Struct, frozen=True):
    """One entry as this caller sees it."""

    label: str
    href: str
    here: bool


def items(request: Request, caller: Caller) -> list[Link]:
    """The entries for this caller, in order."""
    named = {getattr(route, "name", ""): route for route in request.app.routes}
    found = []
    for item in NAVIGATION:
        if item.route in named and caller.has(*item.roles):
            href = str(request.app.url_path_for(item.route))
            here = request.url.path == href or request.url.path.startswith(f"{href}/")
            found.append(Link(item.label, href, here))
    return found
