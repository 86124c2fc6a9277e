"""CPU of one CDS call beside a raw ASGI floor and beside pydantic bodies; p99 at 64 at once.

Run with `python benchmarks/cds.py`. Nothing here is a test: machines differ; ratios are for people.

Each contender is a uvicorn process of its own with one worker, on loopback. Calls are sent in
batches, the contenders in turn (A B C A B C ...), so that a drifting machine shifts all of them.
CPU is what the kernel counted for the process (user and system), over the batch, for each call.
Every call has a hookInstance and a user of its own, so that each one is answered with its card.

- floor: reads the body, decodes all of it with msgspec, answers one fixed card.
- redcell: the endpoint as it is, clinical work included. "seen": the prefetch came before, byte
  for byte; "new": every value in it is another one, so that nothing can be taken from before.
- pydantic: the same, but the framework decodes the body into pydantic models and writes the answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from timing import header, row

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
BATCH, ROUNDS, AT_ONCE = 100, 7, 64
COLUMNS = (
    "contender",
    "CPU for a call, us",
    "to the floor",
    f"the same, {AT_ONCE} at once",
    "to the floor",
    f"p99 at {AT_ONCE} at once, ms",
    "turned away",
)
PATH = "/cds-services/redcell-anemia"
BASE = "https://redcell.example"
ISSUER = "https://ehr.example"
CONTENDERS = ("floor", "redcell", "pydantic", "store", "RS384", "ES384")


# -- the contenders --------------------------------------------------------------------------------


class Asked(msgspec.Struct, rename="camel"):
    """A call, decoded whole."""

    hook: str
    hook_instance: str
    context: dict[str, Any]
    prefetch: dict[str, Any]


async def floor(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """No framework at all: read, decode everything, answer."""
    if scope["type"] != "http":
        return
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    asked = msgspec.json.decode(b"".join(parts), type=Asked)
    source = {"label": "floor"}
    card = {"summary": asked.context["patientId"], "indicator": "info", "source": source}
    body = msgspec.json.encode({"cards": [card]})
    start = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": start})
    await send({"type": "http.response.body", "body": body})


def now() -> int:
    from redcell.clock import micros

    return micros(AT)


def settings(name: str, keys: dict[str, Any] | None = None) -> Any:
    from redcell.web.cds.settings import CdsSettings, Issuer

    signed = name in ("RS384", "ES384")
    issuers = (Issuer(ISSUER, keys=keys),) if signed else ()
    return CdsSettings(base=BASE, open=not signed, issuers=issuers, page=f"{BASE}/launch")


def application(name: str, folder: Path) -> Any:
    if name == "floor":
        return floor
    from fastapi import FastAPI

    from redcell.web.cds.service import stateless_router

    app = FastAPI()
    if name == "pydantic":
        add_pydantic(app)
    elif name == "store":
        app.include_router(over_a_store(folder))
    else:
        path = folder / "keys.json"
        keys = json.loads(path.read_text()) if path.exists() else None
        clock = now if name == "redcell" else None
        more = {"now": clock} if clock else {}
        app.include_router(stateless_router(settings(name, keys), **more))
    return app


def over_a_store(folder: Path) -> Any:
    from redcell.clinic import intake
    from redcell.clinic.service import Clinic, make_store
    from redcell.clinic.worker import Worker
    from redcell.knowledge.load import knowledge
    from redcell.sources.read import demo
    from redcell.web.cds.kept import KeptFeedback, KeptPeople, KeptSeen
    from redcell.web.cds.service import assembled

    data = folder / "data"
    make_store(data)
    clinic = Clinic(data)
    bundle = json.loads(demo("okafor").read_bytes())
    resources = [entry["resource"] for entry in bundle["entry"]]
    arrival = intake.arrived("bench", "fhir", "okafor", b"{}", now())
    sender = intake.Sender("bench", "feed")
    clinic.writer.write(lambda c: intake.take(c, arrival, resources, sender))
    while Worker(clinic).step():
        pass
    parts = (KeptSeen(clinic), KeptFeedback(clinic), KeptPeople(clinic))
    return assembled(settings("store"), knowledge, *parts, now=now)


def add_pydantic(app: Any) -> None:
    """The same answers, with the bodies read and written by pydantic."""
    from pydantic import BaseModel, ConfigDict
    from pydantic.alias_generators import to_camel

    from redcell.knowledge.load import knowledge
    from redcell.web.cds.answers import Answerer, Dependencies
    from redcell.web.cds.calls import Call, Context
    from redcell.web.cds.fetch import Fetcher
    from redcell.web.cds.memory import MemoryFeedback, MemorySeen, NobodyStored
    from redcell.web.cds.outbound import Outbound
    from redcell.web.cds.tokens import Client

    class Model(BaseModel):
        model_config = ConfigDict(alias_generator=to_camel)

    class ContextModel(Model):
        user_id: str
        patient_id: str

    class CallModel(Model):
        hook: str
        hook_instance: str
        context: ContextModel
        prefetch: dict[str, Any]

    class SourceModel(Model):
        label: str
        topic: dict[str, str]

    class CardModel(Model):
        uuid: str
        summary: str
        indicator: str
        detail: str
        source: SourceModel
        suggestions: list[dict[str, Any]] | None = None
        selection_behavior: str | None = None
        override_reasons: list[dict[str, str]] | None = None
        links: list[dict[str, str]] | None = None

    class AnswerModel(Model):
        cards: list[CardModel]

    parts = (MemorySeen(), MemoryFeedback(), NobodyStored(), Fetcher(Outbound()))
    answerer = Answerer(Dependencies(settings("redcell"), knowledge, *parts))

    async def call(service_id: str, body: CallModel) -> Any:
        prefetch = msgspec.Raw(msgspec.json.encode(body.prefetch))
        context = Context(body.context.user_id, body.context.patient_id)
        found = Call(body.hook, body.hook_instance, context, prefetch)
        data = await answerer.answer(b"{}", found, service_id, Client("open"), now())
        return msgspec.json.decode(data)

    call.__annotations__ = {"service_id": str, "body": CallModel, "return": AnswerModel}
    app.post("/cds-services/{service_id}", response_model_exclude_none=True)(call)


# -- what is sent ----------------------------------------------------------------------------------


def prefetch(size: int) -> dict[str, Any]:
    """The bundled patient's data as prefetch of about this size."""
    from redcell.sources.read import demo

    entries = json.loads(demo("okafor").read_bytes())["entry"]
    keys = {"Patient": "patient_v1", "Condition": "conditions_v1", "Procedure": "procedures_v1"}
    found: dict[str, Any] = {"consents_v1": bundle([])}
    for kind, key in keys.items():
        same = [e for e in entries if e["resource"]["resourceType"] == kind]
        found[key] = same[0]["resource"] if kind == "Patient" else bundle(same)
    observations = [e for e in entries if e["resource"]["resourceType"] == "Observation"]
    counts = [e for e in observations if '"718-7"' in json.dumps(e)]
    found["hemoglobin_v1"] = bundle(counts)
    others = [e for e in reversed(observations) if e not in counts]
    room, taken, copy = size - len(json.dumps(found)) - 500, [], 0
    while room > 0:
        for entry in others:
            one = json.loads(json.dumps(entry))
            if copy:
                one["resource"]["id"] += f"-{copy}"
                one["resource"]["effectiveDateTime"] = f"20{26 - copy}-06-01T07:55:00Z"
            room -= len(json.dumps(one)) + 2
            if room <= 0:
                break
            taken.append(one)
        copy += 1
    found["laboratory_v1"] = bundle(taken)
    return found


def bundle(entries: list[Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


def body(data: dict[str, Any], *, new: bool = False) -> bytes:
    if new:
        data = json.loads(json.dumps(data), parse_float=other)
    context = {"userId": f"Practitioner/{uuid.uuid4().hex}", "patientId": "okafor"}
    call = {"hook": "patient-view", "hookInstance": str(uuid.uuid4()), "context": context}
    return json.dumps(call | {"prefetch": data}, separators=(",", ":")).encode()


def other(number: str) -> float:
    """A number near another one: somebody else's."""
    return round(float(number) * random.uniform(1, 1.02), 3)  # noqa: S311


def signer(name: str, folder: Path) -> Any:
    """Makes a token for each call; the public key goes into the folder."""
    from joserfc import jwt
    from joserfc.jwk import ECKey, RSAKey

    key: Any = ECKey.generate_key("P-384") if name == "ES384" else RSAKey.generate_key(2048)
    public = {**key.as_dict(private=False), "kid": "k"}
    (folder / "keys.json").write_text(json.dumps({"keys": [public]}))
    head = {"alg": name, "kid": "k", "typ": "JWT"}

    def token() -> str:
        at = int(time.time())
        claims = {"iss": ISSUER, "aud": BASE + PATH, "iat": at, "exp": at + 300}
        return jwt.encode(head, claims | {"jti": uuid.uuid4().hex}, key, algorithms=[name])

    return token


# -- asking and measuring --------------------------------------------------------------------------


class Server:
    """One contender in a process of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = tempfile.TemporaryDirectory()
        signed = name in ("RS384", "ES384")
        self.token = signer(name, Path(self.folder.name)) if signed else None
        self.process = subprocess.Popen(
            [sys.executable, __file__, "serve", name, self.folder.name], stdout=subprocess.PIPE
        )
        self.port = int(self.process.stdout.readline())  # type: ignore[union-attr]

    def cpu(self) -> float:
        """Seconds of CPU so far, of all threads."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def request(self, data: bytes) -> bytes:
        """A request with this body."""
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        if self.token is not None:
            head += f"Authorization: Bearer {self.token()}\r\n"
        return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


async def ask(port: int, requests: list[bytes], at_once: int = 1) -> tuple[list[float], int]:
    """Send requests over so many connections; how long each took, and how many were turned away.

    A client that is turned away waits as long as it was asked to, and goes on with the next call.
    """
    taken: list[float] = []
    away = 0
    todo = iter(requests)

    async def connection() -> None:
        nonlocal away
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in todo:
            start = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            answer = await reader.readexactly(length)
            if head.startswith(b"HTTP/1.1 503"):
                away += 1
                await asyncio.sleep(1)
                continue
            taken.append(time.perf_counter() - start)
            if not head.startswith(b"HTTP/1.1 200") or b'"summary"' not in answer:
                raise SystemExit(answer[:300])
        writer.close()

    await asyncio.gather(*(connection() for _ in range(at_once)))
    return taken, away


def cpu_of(server: Server, bodies: list[bytes]) -> float:
    """Microseconds of CPU for each call of a batch."""
    requests = [server.request(data) for data in bodies]
    before = server.cpu()
    asyncio.run(ask(server.port, requests))
    return (server.cpu() - before) / len(requests) * 1e6


def measure(size: int) -> None:
    data = prefetch(size)
    rows = [(n, n, False) for n in CONTENDERS] + [("redcell, new", "redcell", True)]
    servers: dict[str, Server] = {}
    found: dict[str, list[float]] = {label: [] for label, _, _ in rows}
    try:
        for name in CONTENDERS:
            servers[name] = Server(name)
        for _, name, new in rows:
            cpu_of(servers[name], [body(data, new=new) for _ in range(20)])
        for _ in range(ROUNDS):
            for label, name, new in rows:
                few = BATCH // 3 if new else BATCH
                bodies = [body(data, new=new) for _ in range(few)]
                found[label].append(cpu_of(servers[name], bodies))
        print(f"\nPrefetch of {len(json.dumps(data)) / 1000:.0f} kB\n")
        header(*COLUMNS)
        alone = statistics.median(found["floor"])
        for label, name, new in rows:
            requests = [servers[name].request(body(data, new=new)) for _ in range(AT_ONCE * 8)]
            before = servers[name].cpu()
            slow, away = asyncio.run(ask(servers[name].port, requests, AT_ONCE))
            together = (servers[name].cpu() - before) / len(requests) * 1e6
            if label == "floor":
                crowd = together
            cpu = statistics.median(found[label])
            p99 = sorted(slow)[int(len(slow) * 0.99)] * 1e3
            ratios = (f"{cpu / alone:.2f}", f"{together:,.0f}", f"{together / crowd:.2f}")
            row(label, f"{cpu:,.0f}", *ratios, f"{p99:,.0f}", f"{away} of {len(requests)}")
    finally:
        for server in servers.values():
            server.stop()


def serve(name: str, folder: str) -> None:
    import socket

    import uvicorn

    from redcell.web.settled import settle

    found = application(name, Path(folder))
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    print(bound.getsockname()[1], flush=True)
    settle()
    config = uvicorn.Config(found, log_level="warning", access_log=False, lifespan="off")
    uvicorn.Server(config).run(sockets=[bound])


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], sys.argv[3])
        return
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, medians of {ROUNDS} batches")
    for size in (30_000, 300_000):
        measure(size)


if __name__ == "__main__":
    main()
