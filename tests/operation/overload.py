"""Five times as many requests as the service can do: the rest is refused at once, and it recovers.

    python tests/operation/overload.py --seconds 60

First the rate that eight callers get is measured. Then requests begin at five times that rate,
whether earlier ones were answered or not. Each answer must be a success or 503 or 429 with
Retry-After, refusals within 50 ms in the middle; what was acknowledged must be there; afterwards
one caller must be answered as before, within ten seconds, and the process must not have grown.

How long a refusal takes is measured three times: by another process that asks a few times a second,
as a caller elsewhere would; by the sender of the load, whose own processor time is in it; and by
the service itself, from the head of the request to its answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1]))

from fhir_api.resources import hemoglobin
from operation.both import stores
from operation.kill import prepare
from operation.malformed import memory, token_of
from operation.process import Service
from redcell.store.database import open_database
from redcell.store.schema import facts
from trust import book

CALLERS, TIMES = 8, 5
ASKED = 20
"""Requests a second of the process that looks on."""
REFUSED_IN, RECOVERED, GROWTH = 0.050, 10, 20
"""Seconds of a refusal in the middle, seconds until all is well again, megabytes."""


@dataclass
class Report:
    """What was answered under load."""

    rate: float = 0
    sent: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    refused_in: list[float] = field(default_factory=list)
    """As the sender of the load sees it."""
    seen: list[float] = field(default_factory=list)
    """As the process that looks on sees it."""
    inside: float = 0
    """On average, from head to answer."""
    lost: int = 0
    recovered: float = 0
    growth: float = 0

    @property
    def good(self) -> bool:
        known = {"201", "200", "429", "503"}
        well = self.recovered <= RECOVERED and self.growth <= GROWTH
        quick = not self.refused_in or (
            bool(self.seen) and max(middle(self.seen), middle(self.refused_in)) <= REFUSED_IN
        )
        return self.sent > 0 and not self.lost and well and quick and known >= set(self.answers)

    def __str__(self) -> str:
        answers = ", ".join(f"{n} x {what}" for what, n in sorted(self.answers.items()))
        took = (
            f"{middle(self.seen) * 1000:.0f} ms in the middle of {len(self.seen)} that another "
            f"process sees, {middle(self.refused_in) * 1000:.0f} ms as the sender of the load sees "
            f"it, {self.inside * 1000:.1f} ms on average inside the service"
            if self.refused_in and self.seen
            else "no time: none was refused"
        )
        return (
            f"{self.rate:.0f} writes a second to {CALLERS} callers; at {TIMES} times that, "
            f"{self.sent} sent: {answers}; a refusal took {took}; {self.lost} acknowledged lost; "
            f"answered as before after "
            f"{self.recovered:.1f} s; memory {self.growth:+.1f} MB"
        )


def middle(times: list[float]) -> float:
    """The one in the middle."""
    return sorted(times)[len(times) // 2]


def request(host: str, rid: str, token: str, body: bytes) -> bytes:
    """A result that is put, on a connection of its own."""
    head = (
        f"PUT /fhir/Observation/{rid} HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/fhir+json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


class Sender:
    """Sends results with ids of their own, each over its own connection, and keeps what was taken.

    Plain streams: a client library with hundreds of open connections would be the slower part.
    """

    def __init__(self, address: str, token: str, name: str = "l") -> None:
        where, self.name = urlsplit(address), name
        self.host, self.port, self.token = where.hostname, where.port, token
        self.number = 0
        self.acked: list[str] = []

    async def one(self) -> tuple[str, float]:
        """Send one; its answer and how long it took."""
        self.number += 1
        rid, began = f"{self.name}{self.number}", time.monotonic()
        try:
            code = await asyncio.wait_for(self._sent(rid), 60)
        except (OSError, TimeoutError) as error:
            return type(error).__name__, time.monotonic() - began
        if code in {"200", "201"}:
            self.acked.append(rid)
        return code, time.monotonic() - began

    async def _sent(self, rid: str) -> str:
        body = json.dumps(hemoglobin(rid, f"p{self.number % 50}")).encode()
        sent = request(f"{self.host}:{self.port}", rid, self.token, body)
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(sent)
            answer = await reader.read()
        finally:
            writer.close()
        return answer[9:12].decode() or "closed"


async def load(service: Service, token: str, seconds: float) -> tuple[Report, list[str]]:
    """Measure, overload, and wait until all is well again."""
    report, sender = Report(), Sender(service.address, token)
    ends = time.monotonic() + min(seconds, 10)

    async def caller() -> int:
        count = 0
        while time.monotonic() < ends:
            await sender.one()
            count += 1
        return count

    report.rate = sum(await asyncio.gather(*(caller() for _ in range(CALLERS)))) / min(seconds, 10)
    before, pause = memory(service), 1 / (TIMES * report.rate)
    usual = (await sender.one())[1]
    onlooker, refused = watching(sender, seconds), refusals(service)
    tasks, began = [], time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        while len(tasks) * pause <= now:
            tasks.append(asyncio.create_task(sender.one()))
        await asyncio.sleep(pause)
    sent = await asyncio.gather(*tasks)
    done = time.monotonic()
    report.sent, report.answers = len(sent), Counter(code for code, _ in sent)
    report.refused_in = [took for code, took in sent if code in {"429", "503"}]
    while (await sender.one())[1] > max(4 * usual, 0.5) and time.monotonic() - done < 60:
        await asyncio.sleep(0.2)
    report.recovered = time.monotonic() - done
    report.growth = memory(service) - before
    lines = [line.split() for line in onlooker.communicate(timeout=90)[0].splitlines()]
    report.seen = [float(took) for code, took in lines if code in {"429", "503"}]
    count, spent = (now - was for now, was in zip(refusals(service), refused, strict=True))
    report.inside = spent / count if count else 0
    return report, sender.acked


async def look_on(sender: Sender, seconds: float) -> None:
    """Ask a few times a second, and print each code with the seconds that it took."""
    tasks, ends = [], time.monotonic() + seconds
    while time.monotonic() < ends:
        tasks.append(asyncio.create_task(sender.one()))
        await asyncio.sleep(1 / ASKED)
    for code, took in await asyncio.gather(*tasks):
        print(code, took)  # noqa: T201


def watching(sender: Sender, seconds: float) -> subprocess.Popen[str]:
    """The process that looks on, until a little before the load ends."""
    token = f"token={sender.token}"  # which may begin with a dash
    where = [f"http://{sender.host}:{sender.port}", token, str(seconds * 0.9)]
    command = [sys.executable, __file__, "--look-on", *where]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def refusals(service: Service) -> tuple[float, float]:
    """How many answers no route gave, which refusals are, and the seconds of all of them."""
    with urllib.request.urlopen(f"{service.admin}/metrics", timeout=60) as answer:  # noqa: S310
        text = answer.read().decode()
    name = 'redcell_http_request_seconds_{}{{route="unknown"}} '
    found = (text.partition(name.format(part))[2].split() for part in ("count", "sum"))
    count, spent = (float(rest[0]) if rest else 0.0 for rest in found)
    return count, spent


def run(folder: Path, address: str, seconds: float) -> Report:
    """Load a service of its own."""
    prepare(folder, address)
    token = token_of(address or str(folder))
    service = Service(folder, "--port", "0").wait_until_ready()
    try:
        report, acked = asyncio.run(load(service, token, seconds))
    finally:
        service.stop()
    database = open_database(address or folder)
    with database.read() as connection:
        there = set(connection.scalars(sa.select(facts.c.rid)))
    database.close()
    report.lost = len(set(acked) - there)
    return report


def main() -> int:
    """On both databases; print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--store", choices=("sqlite", "postgresql"))
    parser.add_argument("--look-on", nargs=3, help=argparse.SUPPRESS)
    asked, good = parser.parse_args(), True
    if asked.look_on:
        address, given, seconds = asked.look_on
        token = given.removeprefix("token=")
        asyncio.run(look_on(Sender(address, token, "seen"), float(seconds)))
        return 0
    with stores() as addresses, tempfile.TemporaryDirectory() as folder:
        for name, address in addresses.items():
            if asked.store not in (None, name):
                continue
            where = address if "://" in address else ""
            report = run(Path(folder) / name, where, asked.seconds)
            good &= report.good
            print(f"{name}: {report}")  # noqa: T201
            by = f"{book.command()} ({name})"
            book.keep_figure("L2", f"{name}: {report}", by=by, good=report.good)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
