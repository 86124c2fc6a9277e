"""Malformed input to a running service; the long form is `make torture`."""

from __future__ import annotations

import asyncio
import gc
import json

import pytest

from fhir_api.resources import patient
from operation.malformed import GROWTH, run, token_of
from redcell.web.app import Options, create_app


@pytest.mark.trust("F1", "F2")
def test_malformed_input_never_makes_a_fault(tmp_path, record_figure):
    for row, report in run(tmp_path / "data", "", number=200, seed=1).items():
        assert not report.wrong, report.wrong
        assert len(report.answers) > 1
        assert report.growth <= GROWTH, row
        record_figure(row, str(report))


@pytest.mark.trust("F1")
def test_nothing_of_a_refused_body_waits_for_the_collector(clinic, store_address):
    app = create_app(clinic, Options(works=False))
    body = json.dumps(patient("p", "1") | {"id": "x" * 2_000_000}).encode()
    headers = [
        (b"host", b"redcell"),
        (b"content-type", b"application/fhir+json"),
        (b"authorization", b"Bearer " + token_of(store_address).encode()),
    ]
    assert asyncio.run(asked(app, "/fhir/Patient/p", headers, body)) == 400
    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(asked(app, "/fhir/Patient/p", headers, body)) == 400
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        held = [one for left in gc.garbage for one in gc.get_referents(left) if is_large(one)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not held


async def asked(app, path, headers, body) -> int:
    """The status of a request to the application itself: no client holds the body too."""
    sent = [{"type": "http.request", "body": body, "more_body": False}]
    scope = {
        "type": "http",
        "method": "PUT",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 4711),
        "server": ("redcell", 80),
        "http_version": "1.1",
    }
    answers = []

    async def receive():
        return sent.pop() if sent else {"type": "http.disconnect"}

    async def send(message):
        answers.append(message.get("status", 0))

    await app(scope, receive, send)
    return answers[0]


def is_large(one: object) -> bool:
    """Is it a text or bytes of the size of the body?"""
    return isinstance(one, (str, bytes, bytearray)) and len(one) > 1_000_000
