"""What was acknowledged is on disk: the listener is killed at random moments while messages come in."""

from __future__ import annotations

import os
import random  # noqa: TID251  (seeded)
import signal
import socket
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from feeds.messages import obr, obx, oru, pid
from redcell.feeds.mllp.framing import Framer, framed
from redcell.store.database import open_database
from redcell.store.migrate import upgrade
from redcell.store.schema import arrivals, audit, facts

PROGRAM = """
import asyncio, sys
from redcell.feeds.channels import Channel, Channels
from redcell.feeds.intake import StoreIntake
from redcell.feeds.mllp import Listener
from redcell.store.database import open_database
from redcell.store.writer import Writer

async def main():
    channel = Channel("lab")
    channel.translate(b"")
    listener = Listener(StoreIntake(Writer(open_database(sys.argv[1]))), Channels([channel]))
    await listener.start()
    print(listener.port, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
NUMBER = 300


def message(number: int) -> bytes:
    return oru(
        pid(f"{number % 7}^^^HOSP^MR"), obr(filler=f"F{number}"), obx(), control=f"M{number}"
    )


def deliver(port: int, todo: list[int], acked: set[int], until: float) -> None:
    """Keep a few messages on the line until the time is over or the listener is gone."""
    framer, sent = Framer(), 0
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.settimeout(0.05)
        heard = 0
        while heard < len(todo) and time.monotonic() < until:
            while sent < min(heard + 8, len(todo)):
                line.sendall(framed(message(todo[sent])))
                sent += 1
            try:
                data = line.recv(65536)
            except TimeoutError:
                continue
            for answer in framer.feed(data):
                name = answer.split(b"\rMSA|AA|M")[1].split(b"\r")[0]
                acked.add(int(name))
                heard += 1


@pytest.mark.trust("A1", "P1")
def test_nothing_that_was_acknowledged_is_lost_or_doubled(tmp_path):
    database = open_database(tmp_path)
    upgrade(database)
    chance = random.Random(12)  # noqa: S311
    acked: set[int] = set()
    kills, deadline = 0, time.monotonic() + 150
    while len(acked) < NUMBER and time.monotonic() < deadline:
        child = subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path], stdout=subprocess.PIPE)
        port = int(child.stdout.readline())
        todo = [n for n in range(NUMBER) if n not in acked]
        last = kills >= 5
        until = time.monotonic() + (60 if last else 0.05 + chance.random() * 0.4)
        try:
            deliver(port, todo, acked, until)
        finally:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            child.stdout.close()
        kills += 1
        with database.read() as connection:
            kept = set(connection.scalars(sa.select(arrivals.c.key)))
        assert {f"LAB|HOSP|M{n}" for n in acked} <= kept
    assert len(acked) == NUMBER
    assert kills > 2
    with database.read() as connection:
        rows = connection.execute(sa.select(arrivals.c.key, arrivals.c.outcome)).all()
        results = connection.scalar(
            sa.select(sa.func.count()).select_from(facts).where(facts.c.kind == "Observation")
        )
        entries = connection.scalar(sa.select(sa.func.count()).select_from(audit))
    assert len(rows) == len({r.key for r in rows}) == NUMBER
    assert {r.outcome for r in rows} == {"accepted"}
    assert (results, entries) == (NUMBER, NUMBER)
    database.close()
