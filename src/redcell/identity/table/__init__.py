"""Who may do what: the authorization table. It is the specification; the service enforces it.

Every route has one row, found by the route's name. A route without a row, or a row without a route,
is refused when the application is made. Each area has its own module that exports `ROWS`:

    Row(
        name="person-course",            # the route's unique name
        methods=("GET",),
        where=Where.PATH,                # the path parameter `person` says who
        all=("nurse", "physician"),      # these roles: every person
        own=("patient", "proxy"),        # these roles: only the persons whom they may see
        glass=True,                      # infusion and blood bank, after break-glass
        scope="r",                       # access tokens need this letter for the path's `kind`
    )

In a route `request.state.caller` is who asks. `caller.sees(person)` already holds what the row
gives: with reach ALL it is true for everybody, unless the row is about no person. A route with
`where=Where.ROWS` must leave out what `sees` refuses, and answer a request for one such thing as it
answers for an unknown one.
A `Row` with `everyone=True` is open: sign-in, static files, and routes that check their own proof.
"""

from __future__ import annotations

from redcell.identity.table import admin, cds, fhir, health, pages, patient, sign_in, team
from redcell.identity.table.row import GLASS_ROLES, Reach, Row, Verdict, Where, judge, widened

__all__ = ["AREAS", "GLASS_ROLES", "TABLE", "Reach", "Row", "Verdict", "Where", "judge", "widened"]

AREAS: dict[str, tuple[Row, ...]] = {
    "sign-in": sign_in.ROWS,
    "pages": pages.ROWS,
    "patient": patient.ROWS,
    "team": team.ROWS,
    "fhir": fhir.ROWS,
    "cds": cds.ROWS,
    "admin": admin.ROWS,
    "health": health.ROWS,
}


def _joined() -> dict[str, Row]:
    found: dict[str, Row] = {}
    for area, rows in AREAS.items():
        for row in rows:
            if row.name in found:
                raise ValueError(f"two rows are named {row.name}; the second one in {area}")
            found[row.name] = row
    return found


TABLE: dict[str, Row] = _joined()
"""Every row by the name of its route."""
