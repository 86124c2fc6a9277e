"""No call breaks the service: whatever is sent, the answer is cards or an OperationOutcome."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds.world import ORDERS, SHARED, STATUS, World, call, cells, drug, ordering

pytestmark = pytest.mark.trust("F1")

VECTORS = sorted((SHARED / "data" / "cds-hooks-vectors").glob("cdshooks-request-*.json"))
ODD = st.sampled_from(
    [
        None,
        "",
        "x",
        0,
        -1,
        1.5,
        True,
        [],
        {},
        [None],
        [[]],
        {"a": {}},
        "2026-13-45",
        "\ud800",
        "\u0000",
    ]
)
REFUSALS = {400, 412}


def places(item: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside a document."""
    found = [path] if path else []
    pairs = (
        item.items()
        if isinstance(item, dict)
        else enumerate(item)
        if isinstance(item, list)
        else ()
    )
    for key, inner in pairs:
        found += places(inner, (*path, key))
    return found


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    found = copy.deepcopy(document)
    target = found
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return found


def small() -> dict[str, Any]:
    """The bundled patient's call with one entry for each key."""
    body = call()
    for value in body["prefetch"].values():
        if "entry" in value:
            value["entry"] = value["entry"][-1:]
    return body


CALLS = {
    STATUS: small(),
    ORDERS: ordering("order-select", cells(2), drug("ferrous sulfate"), data=small()["prefetch"]),
}


@pytest.fixture(scope="module")
def open_world():
    found = World()
    yield found
    found.close()


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("service", CALLS)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_call_with_one_place_changed(open_world, service, data):
    body = CALLS[service]
    path = data.draw(st.sampled_from(places(body)))
    answer = open_world.post(service, encoded(changed(body, path, data.draw(ODD))))
    check(answer)


def check(answer: Any) -> None:
    assert answer.status_code in {200, *REFUSALS}, answer.text
    if answer.status_code == 200:
        assert isinstance(answer.json()["cards"], list)
    else:
        assert answer.json()["issue"][0]["expression"]


@given(text=st.binary(max_size=200))
def test_any_bytes(open_world, text):
    assert open_world.post(STATUS, text).status_code == 400
    assert open_world.post(f"{STATUS}/feedback", text).status_code == 400


@pytest.mark.parametrize("path", VECTORS, ids=lambda p: p.stem)
@pytest.mark.parametrize("service", [STATUS, ORDERS])
def test_the_vectors_of_hl7(open_world, path, service):
    check(open_world.post(service, path.read_bytes()))
