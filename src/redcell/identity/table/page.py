"""The reference page of the authorization table: docs/reference/authorization.md."""

from __future__ import annotations

from redcell.identity.caller import ROLES
from redcell.identity.table import AREAS
from redcell.identity.table.row import Reach, Row, Where

MARKS = {Reach.ALL: "all", Reach.OWN: "own", Reach.NONE: ""}
PLACES = {Where.NOWHERE: "", Where.PATH: "path", Where.QUERY: "query", Where.ROWS: "rows"}
INTRODUCTION = """\
# Who may do what

This page is made from the authorization table (`redcell.identity.table`), which the service
enforces on every route and which the tests call cell by cell. A route that is not here does not
exist: the application does not start with one.

- **all**: every person of the clinic; on a route about no person, the route itself.
- **own**: only persons whom the account may see: its own, those granted to it, and those that it
  opened by break-glass. Anybody else's person is answered like one who does not exist: 404.
- nothing: refused. A stranger is sent to sign-in by a page, and gets 401 from an interface.
- **open**: needs no sign-in, or checks a proof of its own (a CDS token, a signed assertion).
- *person*: where the request names the person. *rows*: the route leaves out what is not to be seen.
- *glass*: a clinician outside the care team gets in after break-glass, for that one person.
- *scope*: what an access token must grant: a letter of SMART v2 for the type in the address, or
  `self` where the route asks for itself. Without one, tokens are refused.
"""


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for area, rows in AREAS.items():
        parts += [f"\n## {area}\n", *_section(rows)]
    return "\n".join(parts).rstrip() + "\n"


def _section(rows: tuple[Row, ...]) -> list[str]:
    open_rows = [row for row in rows if row.everyone]
    kept = [row for row in rows if not row.everyone]
    lines = []
    if open_rows:
        named = ", ".join(f"`{row.name}` ({' '.join(row.methods)})" for row in open_rows)
        lines += [f"Open: {named}.", ""]
    if kept:
        roles = [role for role in ROLES if any(row.reach(role) is not Reach.NONE for row in kept)]
        heads = ["route", "methods", *roles, "person", "glass", "scope"]
        lines += [_line(heads), _line(["---"] * len(heads)), *(_row(row, roles) for row in kept)]
    return lines


def _row(row: Row, roles: list[str]) -> str:
    reach = [MARKS[row.reach(role)] for role in roles]
    glass = "yes" if row.glass else ""
    name, methods = f"`{row.name}`", " ".join(row.methods)
    return _line([name, methods, *reach, PLACES[row.where], glass, row.scope])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
