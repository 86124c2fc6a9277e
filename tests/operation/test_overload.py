"""More requests than can be at work are refused at once; the long form is `make torture`."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import httpx
import pytest

from operation.test_patience import opened, served
from redcell.web.shedding import Shedding
from redcell.web.turnstile import Turnstile, refusal


@pytest.mark.trust("L2")
def test_what_would_only_wait_is_refused_at_once_and_work_goes_on():
    free = asyncio.Event()

    async def slow(_scope, _receive, send):
        await free.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    async def test() -> None:
        app = Shedding(slow, Turnstile(3))
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
            assert app.turnstile.at_work == 0

    asyncio.run(test())


@pytest.mark.trust("L2")
def test_an_open_stream_and_a_fault_take_no_place():
    async def answers(scope, _receive, send):
        if scope["path"] == "/fault":
            raise ValueError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert app.turnstile.at_work == 0
        await send({"type": "http.response.body", "body": b""})

    app = Shedding(answers, Turnstile(1))

    async def test() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://redcell") as client:
            assert (await client.get("/fault")).status_code == 500
            assert (await client.get("/stream")).status_code == 200

    asyncio.run(test())


PLAIN = b"GET /fhir/Patient HTTP/1.1\r\nHost: x\r\n\r\n"
PUT = b"PUT /fhir/Patient/p HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"


@pytest.mark.trust("L2")
def test_a_connection_refuses_in_the_same_words_without_the_application():
    asked = []

    async def never(scope, _receive, _send):
        asked.append(scope["path"])

    app = Shedding(never, Turnstile(0))
    app.state = SimpleNamespace(turnstile=app.turnstile)

    async def test() -> None:
        async with served(app) as port:
            base = f"http://127.0.0.1:{port}"
            for accept in ("application/fhir+json", "text/html,*/*"):
                headers = {"Accept": accept, "Authorization": "Bearer x"}
                async with httpx.AsyncClient(base_url=base, headers=headers) as client:
                    quick = await client.put("/fhir/Patient/p", content=b"{}")
                    again = await client.put("/fhir/Patient/p", content=b"{}")
                    slow = await client.put("/fhir/Patient/p", content=in_parts())
                assert quick.status_code == again.status_code == slow.status_code == 503
                assert quick.content == again.content == slow.content
                assert "server" in slow.headers
                assert "server" not in again.headers  # of the connection's own answer
                assert {**slow.headers}.items() >= {**quick.headers}.items()
            async with httpx.AsyncClient(base_url=base) as client:
                assert (await client.head("/")).status_code == 503
                assert not asked
                assert (await client.get("/healthz")).status_code == 500  # nothing was answered
                assert asked == ["/healthz"]

    asyncio.run(test())


async def in_parts():
    yield b"{}"


@pytest.mark.trust("L2", "S8")
@pytest.mark.parametrize(
    "data",
    [
        PLAIN[:-1],
        PLAIN * 2,
        PLAIN + b"x",
        PLAIN.replace(b"Host: x", b"X: x"),
        PLAIN.replace(b"Host: x", b"Host: x\r\nHost: x"),
        PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"),
        PLAIN.replace(b"/fhir/Patient", b"/healthz?x=1"),
        PLAIN.replace(b"/fhir", b"http://x/fhir"),
        PLAIN.replace(b"Host: x", b"Host: x\r\n folded"),
        PLAIN.replace(b"Host: x", b"Host : x"),
        PLAIN.replace(b"Host: x", b"Host: x\r\nA: " + b"a" * (1 << 14)),
        PUT + b"\r\n{}{",
        PUT.replace(b"2", b"65537") + b"\r\n{}",
        PUT + b"Content-Length: 2\r\n\r\n{}",
        PUT + b"Transfer-Encoding: chunked\r\n\r\n{}",
        PUT + b"Expect: 100-continue\r\n\r\n{}",
        PUT.replace(b"2", b"+2") + b"\r\n{}",
        PUT.replace(b"2", b"0" * 40 + b"2") + b"\r\n{}",
        b"",
        b"\x16\x03\x01",
    ],
)
def test_what_is_not_one_plain_request_takes_the_usual_way(data):
    assert refusal(data) is None


@pytest.mark.trust("L2")
def test_one_plain_request_is_refused_on_the_line_once_it_is_whole():
    assert refusal(PLAIN).method == "GET"
    assert b"503" in refusal(PLAIN).answer
    assert not refusal(PLAIN).closing
    part = PUT + b"Connection: close\r\n\r\n{"
    assert refusal(part).answer == b""
    assert refusal(part + b"}").closing
    assert b"connection: close" in refusal(part + b"}").answer


@pytest.mark.trust("L2", "S8")
def test_bytes_after_a_request_that_was_passed_on_are_never_read_as_one():
    release = asyncio.Event()
    turnstile = Turnstile(1)

    async def early(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 413, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})
        await release.wait()

    app = Shedding(early, turnstile)
    app.state = SimpleNamespace(turnstile=turnstile)

    async def test() -> None:
        async with served(app) as port:
            reader, writer = await opened(port, PUT.replace(b"2", b"900") + b"\r\n{")
            assert b"413" in await reader.readuntil(b"no")
            turnstile.at_work = 1
            writer.write(PLAIN)  # the body goes on, and looks like a request
            release.set()
            assert b"503" not in await asyncio.wait_for(reader.read(), 30)
            writer.close()

    asyncio.run(test())
