"""Five times as many requests as the service can do: the rest is refused at once, and it recovers.

    python tests/operation/overload.py --seconds 60

First the rate that eight callers get is measured. Then requests begin at five times that rate,
whether earlier ones were answered or not. Each answer must be a success or 503 or 429 with
Retry-After, refusals within 50 ms in the middle; what was acknowledged must be there; afterwards
one caller must be answered as before, within ten seconds, and the process must not have grown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
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
REFUSED_IN, RECOVERED, GROWTH = 0.050, 10, 20
"""Seconds of a refusal in the middle, seconds until all is well again, megabytes."""


@dataclass
class Report:
    """What was answered under load."""

    rate: float = 0
    sent: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    refused_in: list[float] = field(default_factory=list)
    lost: int = 0
    recovered: float = 0
    growth: float = 0

    @property
    def good(self) -> bool:
        known = {"201", "200", "429", "503"}
        well = self.recovered <= RECOVERED and self.growth <= GROWTH
        quick = not self.refused_in or self.middle <= REFUSED_IN
        return self.sent > 0 and not self.lost and well and quick and known >= set(self.answers)

    @property
    def middle(self) -> float:
        """Seconds that a refusal took in the middle."""
        return sorted(self.refused_in)[len(self.refused_in) // 2]

    def __str__(self) -> str:
        answers = ", ".join(f"{n} x {what}" for what, n in sorted(self.answers.items()))
        middle = f"{self.middle * 1000:.0f} ms" if self.refused_in else "no time: none was refused"
        return (
            f"{self.rate:.0f} writes a second to {CALLERS} callers; at {TIMES} times that, "
            f"{self.sent} sent: {answers}; a refusal took {middle} in the middle, as the sender "
            f"sees it; {self.lost} acknowledged lost; answered as before after "
            f"{self.recovered:.1f} s; memory {self.growth:+.1f} MB"
        )


class Sender:
    """Sends results with ids of their own, each over its own connection, and keeps what was taken.

    Plain streams: a client library with hundreds of open connections would be the slower part.
    """

    def __init__(self, address: str, token: str) -> None:
        where = urlsplit(address)
        self.host, self.port, self.token = where.hostname, where.port, token
        self.number = 0
        self.acked: list[str] = []

    async def one(self) -> tuple[str, float]:
        """Send one; its answer and how long it took."""
        self.number += 1
        rid, began = f"l{self.number}", time.monotonic()
        try:
            code = await asyncio.wait_for(self._sent(rid), 60)
        except (OSError, TimeoutError) as error:
            return type(error).__name__, time.monotonic() - began
        if code in {"200", "201"}:
            self.acked.append(rid)
        return code, time.monotonic() - began

    async def _sent(self, rid: str) -> str:
        body = json.dumps(hemoglobin(rid, f"p{self.number % 50}")).encode()
        head = (
            f"PUT /fhir/Observation/{rid} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Type: application/fhir+json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(head.encode() + body)
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
    return report, sender.acked


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
    asked, good = parser.parse_args(), True
    with stores() as addresses, tempfile.TemporaryDirectory() as folder:
        for name, address in addresses.items():
            where = address if "://" in address else ""
            report = run(Path(folder) / name, where, asked.seconds)
            good &= report.good
            print(f"{name}: {report}")  # noqa: T201
            by = f"{book.command()} ({name})"
            book.keep_figure("L2", f"{name}: {report}", by=by, good=report.good)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
