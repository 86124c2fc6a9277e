"""S1: every route x role x own, other's and unknown person x verb, as the table says."""

from __future__ import annotations

import itertools

import pytest
from fastapi import Depends, FastAPI
from fastapi.routing import iter_route_contexts

from identity import people, samples
from identity.each_route import PROGRAMS, STRANGER, UNSAFE, address, callers
from redcell.errors import SettingsError
from redcell.identity.caller import STAFF, Caller
from redcell.identity.table import GLASS_ROLES, TABLE, Row, Verdict, Where, judge, widened
from redcell.web.security.authorize import authorize, check_table

TARGETS = (people.OWN, people.OTHER, people.UNKNOWN)


def expected(row: Row, role: str, target: str) -> Verdict:
    """The table read a second time, in other words than the code's."""
    if row.everyone:
        return Verdict.ALLOWED
    if role == STRANGER:
        return Verdict.SIGN_IN
    if role in PROGRAMS and not row.scope:
        return Verdict.FORBIDDEN
    single = row.where in (Where.PATH, Where.QUERY)
    if role in row.all:
        return Verdict.ALLOWED
    if role in row.own and (target == people.OWN or not single):
        return Verdict.ALLOWED
    return Verdict.UNKNOWN if single else Verdict.FORBIDDEN


@pytest.mark.trust("S1", "H8.1")
def test_every_cell_of_the_table(app, clinic):
    routes = {c.original_route.name: c for c in iter_route_contexts(app.router.routes)}
    seen = 0
    who = callers(app, clinic)
    for name, row in TABLE.items():
        context = routes.get(name)
        if context is None:
            continue
        for role, browser in who.items():
            answers = {}
            for target, method in itertools.product(targets(row), row.methods):
                path = address(context, row, target)
                kind = samples.FHIR if path.startswith("/fhir") else browser.headers
                answer = browser.request(method, path, headers=kind)
                seen += 1
                check_cell((name, role, target, method), row, answer, browser.state)
                answers[target, method] = answer
            if len(targets(row)) > 1:
                check_alike(name, row, answers)
    assert seen > 300


def targets(row: Row) -> tuple[str, ...]:
    """Routes that are about no single person are called once."""
    named = row.where in (Where.PATH, Where.QUERY) and not row.everyone
    return TARGETS if named else (people.OWN,)


def check_cell(cell, row: Row, answer, state) -> None:
    _name, role, target, method = cell
    want = expected(row, role, target)
    assert state.get("verdict", "allowed" if row.everyone else None) == want, cell
    if want is Verdict.SIGN_IN:
        to_sign_in = answer.status_code == 303 and "/sign-in" in answer.headers["location"]
        assert to_sign_in or answer.status_code == 401, cell
    elif want in (Verdict.UNKNOWN, Verdict.FORBIDDEN):
        hidden = 404 if want is Verdict.UNKNOWN else 403
        assert answer.status_code in (hidden, 404), cell
    else:
        check_allowed(cell, row, answer)
    if role not in STAFF and role not in row.all:
        for canary in (people.OTHER_NAME, people.OTHER_MRN):
            assert canary not in answer.text, cell
    if target != people.OWN and role in row.own and method == "GET":
        assert people.OTHER_NAME not in answer.text, cell


def check_allowed(cell, row: Row, answer) -> None:
    _, role, _, method = cell
    assert answer.status_code < 500, (cell, answer.text)
    by_cookie = method in UNSAFE and row.csrf and role not in PROGRAMS
    if by_cookie:
        assert answer.status_code == 403, (cell, "a state change without a token")
    elif not row.everyone:
        assert answer.status_code not in (401, 403), (cell, answer.text)


def check_alike(name: str, row: Row, answers) -> None:
    """Another's person and one whom nobody knows: nothing tells them apart."""
    for method in row.methods:
        other, unknown = (answers[t, method] for t in (people.OTHER, people.UNKNOWN))
        if other.status_code == 404 or unknown.status_code == 404:
            hidden = other.text.replace(people.OTHER, "") == unknown.text.replace(
                people.UNKNOWN, ""
            )
            refused = row.where in (Where.PATH, Where.QUERY) and other.status_code == 404
            assert hidden or not refused, (name, method)


@pytest.mark.trust("S14")
def test_glass_opens_one_person_for_those_outside_the_team():
    row = Row(name="x", where=Where.PATH, all=("nurse",), glass=True)
    closed = Row(name="x", where=Where.PATH, all=("nurse",))
    for role in sorted(GLASS_ROLES):
        caller = Caller("a", roles=frozenset({role}), glass=frozenset({"p"}))
        assert judge(row, caller, "p") is Verdict.ALLOWED
        assert judge(row, caller, "q") is Verdict.UNKNOWN
        assert judge(closed, caller, "p") is Verdict.UNKNOWN
    patient = Caller("a", roles=frozenset({"patient"}), glass=frozenset({"p"}))
    assert judge(row, patient, "p") is Verdict.UNKNOWN


@pytest.mark.trust("S1", "H8.1")
def test_a_launched_session_sees_its_person_alone():
    row = Row(name="x", where=Where.PATH, all=("physician",))
    caller = Caller("a", roles=frozenset({"physician"}), launched="p")
    assert judge(row, caller, "p") is Verdict.ALLOWED
    assert judge(row, caller, "q") is Verdict.UNKNOWN
    assert caller.sees("p")
    assert not caller.sees("q")


@pytest.mark.trust("S1")
def test_reach_all_shows_everybody_only_where_a_route_is_about_people():
    patient = Caller("a", roles=frozenset({"patient"}), people=frozenset({"p"}))
    assert widened(Row(name="x", where=Where.ROWS, all=("patient",)), patient).sees("q")
    assert not widened(Row(name="x", all=("patient",)), patient).sees("q")
    own = Row(name="x", where=Where.ROWS, own=("patient",))
    assert not widened(own, patient).sees("q")


@pytest.mark.trust("S2", "S1")
def test_tokens_pass_only_where_a_scope_is_named():
    caller = Caller("a", roles=frozenset({"nurse"}), scopes=frozenset({"user/*.rs"}))
    assert judge(Row(name="x", all=("nurse",)), caller) is Verdict.FORBIDDEN
    assert judge(Row(name="x", all=("nurse",), scope="r"), caller) is Verdict.ALLOWED


@pytest.mark.parametrize(
    "wrong",
    [
        {"all": ("nurse", "nurse")},
        {"all": ("doctor",)},
        {"own": ("nurse",), "where": Where.PATH},
        {"own": ("patient",)},
        {"all": ("patient",), "own": ("patient",), "where": Where.ROWS},
    ],
)
def test_a_row_that_contradicts_itself_is_refused(wrong):
    with pytest.raises(ValueError, match="row x"):
        Row(name="x", **wrong)


def made(path: str, name: str, methods=("GET",)) -> FastAPI:
    app = FastAPI(dependencies=[Depends(authorize)], openapi_url=None)
    app.add_api_route(path, lambda: None, name=name, methods=list(methods))
    return app


@pytest.mark.trust("S1", "H8.1")
@pytest.mark.parametrize(
    ("app", "said"),
    [
        (made("/x", "nowhere-in-the-table"), "no row"),
        (made("/sign-in", "sign-in"), "has no route"),
        (made("/healthz", "healthz"), "the route answers"),
    ],
)
def test_routes_and_rows_that_differ_stop_the_application(app, said):
    with pytest.raises(SettingsError, match=said):
        check_table(app)


def test_two_routes_of_one_name_stop_the_application():
    app = made("/a", "language")
    app.add_api_route("/b", lambda: None, name="language")
    with pytest.raises(SettingsError, match="two routes"):
        check_table(app)
