"""More requests than can be at work are refused at once; the long form is `make torture`."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from redcell.web.shedding import Shedding


@pytest.mark.trust("L2")
def test_what_would_only_wait_is_refused_at_once_and_work_goes_on():
    free = asyncio.Event()

    async def slow(_scope, _receive, send):
        await free.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    async def test() -> None:
        app = Shedding(slow, at_once=3)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://redcell") as client:
            first = [asyncio.create_task(client.get("/")) for _ in range(3)]
            await asyncio.sleep(0.01)
            program = await client.get("/fhir/Patient")
            person = await client.get("/", headers={"Accept": "text/html"})
            assert (program.status_code, program.headers["Retry-After"]) == (503, "1")
            assert program.json()["resourceType"] == "OperationOutcome"
            assert person.text == "the service is busy: the same request may be tried again."
            free.set()
            assert [answer.status_code for answer in await asyncio.gather(*first)] == [200] * 3
            assert (await client.get("/")).status_code == 200
            assert app.at_work == 0

    asyncio.run(test())


@pytest.mark.trust("L2")
def test_an_open_stream_and_a_fault_take_no_place():
    async def answers(scope, _receive, send):
        if scope["path"] == "/fault":
            raise ValueError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert app.at_work == 0
        await send({"type": "http.response.body", "body": b""})

    app = Shedding(answers, at_once=1)

    async def test() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://redcell") as client:
            assert (await client.get("/fault")).status_code == 500
            assert (await client.get("/stream")).status_code == 200

    asyncio.run(test())
