"""Speed of the service on this machine: start, ingest on both databases, how soon a result counts.

Run with `.venv/bin/python benchmarks/service.py [--seconds 20] [--people 40]`. Nothing here is a
test. Every figure is of real processes over loopback: senders in this one, `redcell serve` in
another. PostgreSQL is a server of its own in a temporary folder, on a Unix socket.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parent)]
# ruff: noqa: E402  (what follows lies in these folders)

import httpx
import msgspec
import sqlalchemy as sa
from timing import header, ms, row

from operation.kill import CLIENT, _register
from operation.process import Service
from operation.senders import Fhir, Mllp, Target, Unit, messages, transactions
from redcell import clock
from redcell.clinic import intake, setup
from redcell.clinic.intake import Sender, arrived
from redcell.clinic.service import Clinic
from redcell.identity import tokens
from redcell.population.synthesize import people
from redcell.record.moment import utc
from redcell.store.schema import assessments, jobs

BY = Sender("bench", "feed")
CONNECTIONS = 4
EVERY = 1.0
"""Seconds between two results whose way is timed."""
BULK = 5
FEED = """
[[feeds]]
name = "lab"
authorities = { DEMO = "urn:redcell:demo:mrn" }
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--people", type=int, default=40)
    given = parser.parse_args()
    load = os.getloadavg()[0]
    print(
        f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {load:.1f} at the start\n"
    )
    header("store", "what", "figure", "wanted")
    with tempfile.TemporaryDirectory(prefix="redcell-bench-") as name:
        one(Path(name) / "sqlite", "", given.seconds, given.people)
        from postgres import start

        server = start(Path(name))
        if server is not None:
            try:
                address = server.new_database()
                one(Path(name) / "postgresql", address, given.seconds, given.people)
            finally:
                server.stop()


def one(folder: Path, address: str, seconds: float, count: int) -> None:
    """Every figure of one database."""
    kind = "PostgreSQL" if address else "SQLite"
    folder.mkdir()
    toml = f"database = {json.dumps(address)}\nsecure_cookies = false\n{FEED}"
    (folder / "redcell.toml").write_text(toml)
    list(setup.init(folder))
    clinic = Clinic(folder)
    try:
        rows = bulk(clinic, count)
        row(kind, "bulk: resources a second, one process", f"{rows:,.0f}", "")
        served(kind, folder, clinic, seconds)
    finally:
        clinic.close()


def bulk(clinic: Clinic, count: int) -> float:
    """Resources a second in large transactions; what they say is needed for the rest."""
    at = clock.now()
    found = list(people(count, seed=3, at=utc(clock.when(at)), months=6))
    total, began = 0, time.perf_counter()
    for start in range(0, count, BULK):
        group = [r for one in found[start : start + BULK] for r in one.resources]
        arrival = arrived("lab", "bulk", str(start), msgspec.json.encode(group), at)
        clinic.writer.write(lambda c, a=arrival, g=group: intake.take(c, a, g, BY), timeout=None)
        total += len(group)
    return total / (time.perf_counter() - began)


def served(kind: str, folder: Path, clinic: Clinic, seconds: float) -> None:
    began = time.perf_counter()
    options = ("--port", "0", "--mllp-port", "0", "--workers", "2")
    service = Service(folder, *options, "--log-level", "error").wait_until_ready()
    try:
        row(
            kind,
            "start until pages answer (3 processes)",
            f"{time.perf_counter() - began:.2f} s",
            "",
        )
        until_idle(clinic, 900)
        latencies(kind, "nothing else to do", clinic, service, seconds)
        halt = threading.Event()
        load = threading.Thread(target=steady, args=(service, halt, 20.0))
        load.start()
        latencies(kind, "20 other results a second", clinic, service, seconds)
        halt.set()
        load.join()
        rates(kind, clinic, service, seconds / 2)
    finally:
        service.stop()
    single(kind, folder)


def single(kind: str, folder: Path) -> None:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        service = Service(folder, "--port", "0", "--log-level", "error").wait_until_ready()
        times.append(time.perf_counter() - began)
        service.kill()
    row(kind, "start until pages answer, one process", f"{statistics.median(times):.2f} s", "2 s")


def until_idle(clinic: Clinic, seconds: float) -> None:
    """Wait until nothing is due."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with clinic.database.read() as connection:
            due = sa.select(sa.func.count()).where(jobs.c.run_after <= clock.now())
            if not connection.scalar(due):
                return
        time.sleep(0.5)


# -- how soon a result counts ----------------------------------------------------------------------


def latencies(kind: str, what: str, clinic: Clinic, service: Service, seconds: float) -> None:
    """From the acknowledgment of a result to the assessment that holds it."""
    with clinic.database.read() as connection:
        found = sorted(connection.scalars(sa.select(assessments.c.person).distinct()))
    send, taken = Mllp(service.mllp), []
    known = itertools.cycle(person for person in found if person.startswith("demo-"))
    for number in range(max(int(seconds / EVERY), 5)):
        person = next(known)
        before = newest(clinic, person)
        unit = result(person, f"{what[:2]}{kind[:1]}{number}", number, clinic)
        kept(send, unit)
        acked = time.perf_counter()
        while newest(clinic, person) == before and time.perf_counter() - acked < 60:
            time.sleep(0.01)
        taken.append(time.perf_counter() - acked)
        time.sleep(max(0.0, EVERY - taken[-1]))
    tail = sorted(taken)[max(0, int(len(taken) * 0.95) - 1)]
    figure = f"{ms(statistics.median(taken))} / {ms(tail)} ms (n {len(taken)})"
    row(kind, f"result acknowledged to assessed, {what}: median / p95", figure, "5 s")


def kept(send: Target, unit: Unit) -> None:
    """Send until it is acknowledged; a connection that was idle may have been closed."""
    while True:
        try:
            if send(unit):
                return
        except OSError:
            time.sleep(0.05)


def newest(clinic: Clinic, person: str) -> int:
    with clinic.database.read() as connection:
        query = sa.select(sa.func.max(assessments.c.id)).where(assessments.c.person == person)
        return connection.scalar(query) or 0


def result(person: str, control: str, number: int, clinic: Clinic) -> Unit:
    """A count of somebody who is known, by the record number that they have."""
    from redcell.store.schema import tokens as codes

    with clinic.database.read() as connection:
        query = sa.select(codes.c.code).where(
            codes.c.rid == person, codes.c.param == "person-identifier"
        )
        mrn = connection.scalar(query)
    at = clock.when(clock.now()).strftime("%Y%m%d%H%M%S")
    segments = (
        f"MSH|^~\\&|LAB|BENCH|REDCELL|CLINIC|{at}+0000||ORU^R01|{control}|P|2.5.1",
        f"PID|1||{mrn}^^^DEMO^MR||Test^Test||19700101|F",
        f"OBR|1||{control}|58410-2^CBC^LN|||{at}+0000",
        f"OBX|1|NM|718-7^Hemoglobin^LN||{8 + number % 30 / 10:.1f}|g/dL|12-16|L|||F|||{at}+0000",
    )
    return Unit("mllp", control, "\r".join([*segments, ""]).encode())


def steady(service: Service, halt: threading.Event, rate: float) -> None:
    """Other results, at an even rate."""
    send = Mllp(service.mllp)
    for unit in messages("steady"):
        if halt.wait(1 / rate):
            return
        kept(send, unit)


# -- how much is taken in --------------------------------------------------------------------------


def rates(kind: str, clinic: Clinic, service: Service, seconds: float) -> None:
    made = [messages(f"r{n}") for n in range(CONNECTIONS)]
    rate = at_once(made, lambda: Mllp(service.mllp), seconds)
    row(kind, f"MLLP messages a second, {CONNECTIONS} connections", f"{rate:,.0f}", "300")
    if httpx.get(f"{service.address}/fhir/metadata").status_code != httpx.codes.OK:
        return
    _register(clinic.database)
    with clinic.database.write() as connection:
        granted = tokens.Granted(CLIENT, ("system/*.cruds",))
        token, _ = tokens.issue(connection, granted, at=clock.now())
    made = [transactions(f"t{n}") for n in range(CONNECTIONS)]
    rate = at_once(made, lambda: Fhir(service.address, token), seconds)
    row(
        kind,
        f"FHIR requests a second (4 of 5 are transactions of 4), {CONNECTIONS} clients",
        f"{rate:,.0f}",
        "",
    )


def at_once(made: list[Iterator[Unit]], target: Callable[[], Target], seconds: float) -> float:
    """Acknowledgments a second from several senders."""
    counts = [0] * len(made)
    end = time.perf_counter() + seconds

    def run(n: int) -> None:
        send = target()
        for unit in made[n]:
            if time.perf_counter() > end:
                return
            counts[n] += bool(send(unit))

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(made))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


if __name__ == "__main__":
    main()
