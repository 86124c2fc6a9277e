"""Values for path parameters, so that the test of the table can call every route.

By the name of the parameter, or by route and parameter where one name means several things.
Add a line here when a new route needs a value that these do not fit.
"""

from __future__ import annotations

FHIR = {"accept": "application/fhir+json", "content-type": "application/fhir+json"}
"""Headers with which a request reaches the FHIR API at all."""
BY_NAME = {
    "kind": "Observation",
    "rid": "own-hb",
    "id": "own-hb",
    "code": "en",
    "name": "sign-in.css",
    "passkey": "none",
}
BY_ROUTE: dict[tuple[str, str], str] = {
    ("fhir-other", "path"): "no/such/place/here/at/all",
    ("fhir-everything", "rid"): "own-person",
    ("static", "name"): "sign-in.css",
    ("source", "kind"): "Observation",
}


def value(route: str, parameter: str) -> str:
    return BY_ROUTE.get((route, parameter)) or BY_NAME.get(parameter, "1")
