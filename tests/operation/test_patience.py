"""Senders that are slow, or send too much: they keep nobody else out, and hear why."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import httpx
import pytest
import uvicorn

from redcell.web import patience
from redcell.web.patience import Arriving, Patience
from redcell.web.shedding import Shedding
from redcell.web.turnstile import Turnstile

SLOW = b"POST /fhir HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
HALF = b"GET / HTTP/1.1\r\nHost: x\r\nX-Half"


async def echo(scope, receive, send):
    """Answers with the size of the body; `/large` with more than a line takes."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = b"x" * (1 << 24) if scope["path"] == "/large" else str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def served(app):
    """A server over real sockets; its port."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=Patience, log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext
    task = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield sock.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await task


async def opened(port: int, data: bytes):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
    writer.write(data)
    await writer.drain()
    return reader, writer


@pytest.mark.trust("L4", "L2")
def test_slow_senders_keep_nobody_out(monkeypatch):
    monkeypatch.setattr(patience, "BODY_SECONDS", 0.5)
    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.5)

    async def test() -> None:
        async with served(Arriving(Shedding(echo, Turnstile(2)))) as port:
            many = [await opened(port, SLOW if n % 2 else HALF) for n in range(20)]
            async with httpx.AsyncClient() as client:
                answer = await client.post(f"http://127.0.0.1:{port}/fhir", content=b"12345")
                assert (answer.status_code, answer.text) == (200, "5")
            said = [await asyncio.wait_for(reader.read(), 10) for reader, _ in many]
            assert {line[:12] for line in said[1::2]} == {b"HTTP/1.1 408"}
            assert set(said[::2]) == {b""}
            for _, writer in many:
                writer.close()

    asyncio.run(test())


def test_a_head_that_begins_after_an_answer_is_timed_too(monkeypatch):
    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.3)

    async def test() -> None:
        async with served(Arriving(echo)) as port:
            reader, writer = await opened(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"0\r\n\r\n")
            writer.write(HALF)
            assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()

    asyncio.run(test())


def test_who_takes_no_answer_is_cut(monkeypatch):
    monkeypatch.setattr(patience, "ANSWER_SECONDS", 0.3)

    async def test() -> None:
        async with served(Arriving(echo)) as port:
            reader, writer = await opened(port, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.sleep(1)
            with contextlib.suppress(ConnectionError):
                assert len(await asyncio.wait_for(reader.read(), 10)) < 1 << 24
            writer.close()

    asyncio.run(test())


ROWS = [
    ("a form", "/sign-in", {"content": b"x" * 1000}, 200),
    ("a large form", "/sign-in", {"content": b"x" * ((1 << 20) + 1)}, 413),
    ("a large form in chunks", "/sign-in", {"content": [b"x" * (1 << 19)] * 3}, 413),
    ("an interface with its own limit", "/fhir", {"content": [b"x" * (1 << 19)] * 8}, 200),
    (
        "two lengths",
        "/fhir",
        {"content": b"0\r\n\r\n", "headers": {"Transfer-Encoding": "chunked", "Content-Length": "5"}},
        400,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "path", "more", "status"), ROWS, ids=[r[0] for r in ROWS])
def test_how_much_and_how_it_is_said(name, path, more, status):
    async def test() -> None:
        async def parts():
            for part in more["content"]:
                yield part

        content = parts() if isinstance(more["content"], list) else more["content"]
        app = Arriving(echo)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            answer = await client.post(path, content=content, headers=more.get("headers"))
        assert answer.status_code == status
        if status != 200:
            assert answer.json()["resourceType"] == "OperationOutcome"

    asyncio.run(test())
