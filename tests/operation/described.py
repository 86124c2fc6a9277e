"""Asks the whole service by its own OpenAPI description: no fault, and every answer as described.

    python tests/operation/described.py --cases 5000
    python tests/operation/described.py --cases 100000 --seed 7

Half of the cases are single calls; half are walks from one call to the next, along what an answer
gives (an id, a version). What a body should be is half made up and half a valid resource with
something changed, so that calls get past the first check. Pages are asked too: they are not in the
description, and must not fail whatever their fields say.
"""

from __future__ import annotations

import argparse
import copy
import hmac
import json
import logging
import re
import sys
import tempfile
import uuid
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import schemathesis
from fastapi.routing import APIRoute, iter_route_contexts
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

sys.path.insert(0, str(Path(__file__).parents[1]))

from fhir_api.resources import bundle, entry, hemoglobin, patient
from identity import people
from identity.web import Browser, account, session
from pages.site import bundled
from redcell import clock
from redcell.clinic.service import Clinic, make_store
from redcell.clinic.settings import Settings, Site
from redcell.identity import clients, tokens
from redcell.identity.tokens import Granted
from redcell.web.app import Options, create_app
from trust import book

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
STEPS = 6
"""Calls of one walk."""
DAY = 24 * 60 * clock.MINUTE
PEOPLE = st.sampled_from([people.OWN, people.OTHER, "nobody"]) | st.text(max_size=20)
LEFT_OUT = {
    "sign-out",
    "sign-out-everywhere",  # the walk would go on as a stranger
    "account-password",
    "today-events",  # a stream without an end
    "static",
    "fhir-root",
    "fhir-other",
}
"""Routes that pages() does not ask."""


class World:
    """A clinic of two people, the application, and a caller who may do all that programs may."""

    def __init__(self, folder: Path) -> None:
        made = Settings(site=Site(forecast=False), secure_cookies=False)
        make_store(folder, made)
        self.clinic = Clinic(folder, made)
        people.admit(self.clinic)
        self.inside = create_app(self.clinic, Options(works=False, cds_open=True))
        self.service = {"Authorization": f"Bearer {self._token()}"}

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """The application, called from this machine."""
        await self.inside(scope | {"client": ("127.0.0.1", 4711)}, receive, send)

    def _token(self) -> str:
        at = clock.now()
        with self.clinic.database.write() as connection:
            details = clients.Details(keys=({"kty": "EC"},))
            made = clients.add(
                connection, "all", "backend", details, at=at, roles=("feed", "nurse", "admin")
            )
            granted = Granted(made.id, ("system/*.cruds",))
            return tokens.issue(connection, granted, at=at + 30 * DAY)[0]

    def signed_in(self, role: str) -> dict[str, str]:
        """The headers of a browser in which somebody is signed in, with its proof for forms."""
        person = people.OWN if role == "patient" else None
        value = session(
            self.clinic, account(self.clinic, f"{role}-{uuid.uuid4()}", role, person=person)
        )
        proof = hmac.new(self.inside.state.secret, b"csrf\0" + value.encode(), sha256).hexdigest()
        return {"Cookie": f"redcell={value}", "x-csrf-token": proof}

    def headers_for(self, path: str) -> dict[str, str]:
        """Who asks: CDS calls are open on loopback, the rest needs the token."""
        return {} if path.startswith("/cds-services") else self.service


@contextmanager
def opened(folder: Path) -> Iterator[World]:
    """A world in a folder."""
    logging.getLogger("redcell").setLevel(logging.CRITICAL)
    world = World(folder)
    yield world
    world.clinic.close()


# -- calls that are nearly right -------------------------------------------------------------------


def _examples() -> dict[str, Any]:
    """One valid resource of each type, about our own person."""
    found = {one["resourceType"]: one for one in reversed(bundled())}
    text = (
        msgspec.json.encode(found).decode().replace('"Patient/okafor"', f'"Patient/{people.OWN}"')
    )
    return json.loads(text) | {"Observation": hemoglobin(None, people.OWN), "Patient": patient()}


EXAMPLES = _examples()
CALLS = (
    {
        "hook": "patient-view",
        "hookInstance": str(uuid.UUID(int=7)),
        "context": {"userId": "Practitioner/1", "patientId": people.OWN},
        "prefetch": {"patient": patient(people.OWN)},
    },
)
TOLD = {
    "card": str(uuid.UUID(int=8)),
    "outcome": "accepted",
    "outcomeTimestamp": "2026-11-22T09:00:00Z",
}
BUNDLES = (
    bundle("transaction", entry("POST", "Observation", hemoglobin(None, people.OWN))),
    bundle("batch", entry("GET", f"Patient/{people.OWN}"), entry("POST", "Patient", patient())),
    bundle("collection", {"resource": hemoglobin("c1", people.OTHER)}),
)


def _valid(path: str, named: dict[str, Any], mark: int) -> Any:
    """A body that is right for this address."""
    if path == "/fhir":
        return BUNDLES[mark % len(BUNDLES)]
    if path.endswith("/feedback"):
        return {"feedback": [TOLD]}
    if path.startswith("/cds-services"):
        return CALLS[0]
    made = EXAMPLES.get(named.get("kind", ""))
    return made | {"id": named["rid"]} if made is not None and "rid" in named else made


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    """Three of four calls name what is there, and send a valid body with up to two things changed."""
    mark = zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode())
    path, named = case.operation.path, case.path_parameters
    if mark % 4 == 0:
        return case
    if "service_id" in named:
        named["service_id"] = ("redcell-anemia", "redcell-orders")[mark // 4 % 2]
    if "rid" in named and mark % 4 == 1:
        named["rid"] = people.OWN if named.get("kind", "Patient") == "Patient" else "own-hb"
    if path.startswith("/fhir") and case.query:
        kept = dict(list(case.query.items())[: mark // 4 % 3])
        case.query = kept | (QUERIES[mark // 16 % len(QUERIES)] if "{kind}" in path else {})
    if isinstance(case.body, dict) and "/smart/" not in path and not path.endswith("_search"):
        _mend(case, mark)
    return case


QUERIES: tuple[dict[str, str], ...] = (
    {},
    {"patient": people.OWN},
    {"patient": f"Patient/{people.OWN}", "_count": "1"},
    {"_count": "2"},
)


def _mend(case: Any, mark: int) -> None:
    valid = _valid(case.operation.path, case.path_parameters, mark // 8)
    if valid is None:
        return
    changed = [item for item in case.body.items() if item[0] not in ("resourceType", "id", "type")]
    text = CONTROLS.sub("", json.dumps(dict(changed[: mark // 16 % 3])))
    case.body = copy.deepcopy(valid) | json.loads(text)
    case.media_type = "application/json"
    if mark // 64 % 2:
        case.headers = {}


CONTROLS = re.compile(r"\\u(00[01]\w|007f|00[89]\w|d[89a-f]\w\w)")


# -- what is asked ---------------------------------------------------------------------------------


def budget(cases: int, steps: int = 0) -> settings:
    """As many examples as were asked for, none of them kept."""
    more = {"stateful_step_count": steps} if steps else {}
    return settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
        **more,
    )


def single_calls(world: World, cases: int, start: int, counts: Counter[str]) -> None:
    """Every described operation, each as often."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", world.app)
    operations = [found.ok() for found in schema.get_all_operations()]
    for operation in operations:

        @seed(start)
        @budget(max(1, cases // len(operations)))
        @given(case=operation.as_strategy())
        def asks(case: Any) -> None:
            answer = case.call(headers=world.headers_for(case.operation.path))
            counts[_hundreds(answer.status_code)] += 1
            case.validate_response(answer, checks=CHECKS)

        asks()


def walks(world: World, cases: int, start: int, counts: Counter[str]) -> None:
    """From call to call along what the answers give."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", world.app)

    class Walk(schema.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": world.headers_for(case.operation.path)}

        def validate_response(self, response: Any, case: Any, **_more: Any) -> None:
            counts[_hundreds(response.status_code)] += 1
            case.validate_response(response, checks=CHECKS)

    Walk._hypothesis_internal_use_seed = start
    run_state_machine_as_test(Walk, settings=budget(max(1, cases // STEPS), STEPS))


# -- pages -----------------------------------------------------------------------------------------

VALUES = (
    st.sampled_from(["", "0", "-1", "x", "on", "2026-11-20", "2026-13-45", "9" * 30, "Patient/x"])
    | st.sampled_from([people.OWN, people.OTHER, "own-hb", "Observation", "S-R9", "seen", "T11"])
    | st.text(max_size=30)
)
NAMES = """
    person patient at day days what value values kind status reason note to text account login name
    role roles language lang show sort page by when from until order action act decision choice
    rule key id file level mail people units chairs week minutes
"""
FIELDS = NAMES.split()
"""Names that forms of this service use, and some that none uses."""


def pages(world: World, cases: int, start: int, counts: Counter[str]) -> None:
    """Every page and form, with fields of any kind, by a nurse, a patient and an administrator."""
    routes = list(_pages(world))
    who = [world.signed_in(role) for role in ("nurse", "patient", "admin")]
    for path, method, fields in routes:
        form = st.fixed_dictionaries({}, optional=dict.fromkeys(fields, VALUES))
        ask = _asks(world, counts, method, path)
        made = given(person=PEOPLE, other=VALUES, form=form, headers=st.sampled_from(who))(ask)
        seed(start)(budget(max(1, cases // len(routes)))(made))()


def _pages(world: World) -> Iterator[tuple[str, str, list[str]]]:
    for context in iter_route_contexts(world.inside.router.routes):
        route, path = context.original_route, context.path_format
        if not isinstance(route, APIRoute) or route.name in LEFT_OUT or route.include_in_schema:
            continue
        if path.startswith(("/fhir", "/cds-services")):
            continue
        own = [f.alias for f in (*route.dependant.query_params, *route.dependant.body_params)]
        for method in sorted(route.methods or ()):
            yield path, method, sorted({*own, *FIELDS})


def _asks(world: World, counts: Counter[str], method: str, path: str) -> Callable[..., None]:
    """A test of one page or form."""

    def ask(person: str, other: str, form: dict[str, str], headers: dict[str, str]) -> None:
        browser = Browser(world.app)
        browser.headers.update(headers)
        reads = method in ("GET", "HEAD")
        body = {"params": form} if reads else {"data": form | {"for_person": person}}
        answer = browser.request(method, _filled(path, person, other), **body)
        counts[_hundreds(answer.status_code)] += 1
        assert answer.status_code < 500, (method, path, person, other, form)

    return ask


def _filled(path: str, person: str, other: str) -> str:
    def value(part: str) -> str:
        if not part.startswith("{"):
            return part
        return quote(person if part.startswith("{person") else other, safe="") or "x"

    return "/".join(map(value, path.split("/")))


def _hundreds(status: int) -> str:
    return f"{status // 100}xx"


WAYS: dict[str, Callable[[World, int, int, Counter[str]], None]] = {
    "single calls": single_calls,
    "walks": walks,
    "pages": pages,
}


def main() -> int:
    """Ask, and print how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    for name, way in WAYS.items():
        counts: Counter[str] = Counter()
        with tempfile.TemporaryDirectory() as folder, opened(Path(folder) / "data") as world:
            way(world, asked.cases // len(WAYS), asked.seed, counts)
        answers = ", ".join(f"{status} {n}" for status, n in sorted(counts.items()))
        said = (
            f"{name}: {sum(counts.values())} calls, {answers}; none failed or left the description"
        )
        print(said, flush=True)  # noqa: T201
        book.keep_figure("F9", said, by=f"{book.command()} ({name})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
