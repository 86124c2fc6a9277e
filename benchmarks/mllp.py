"""Messages over MLLP on this machine: how many a core takes, answered after the commit.

Run with `python benchmarks/mllp.py`; `--quick` for one short round. A sender in this process keeps
several messages on the line of several connections, as an interface engine does, and reads every
answer. Figures are medians of rounds, each with a new store (SQLite, `synchronous=FULL`), in a
process that is settled as the service is when it is ready. "CPU" is the processor time of
everything: sender, listener, translation, store. The parts are timed alone, with the old parser
beside the own one.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from redcell.clinic.together import take_together
from redcell.feeds.channels import Channel, Channels
from redcell.feeds.intake import MOST, Arrival, StoreIntake, _brought
from redcell.feeds.mllp import Limits, Listener
from redcell.feeds.mllp.framing import Framer, framed
from redcell.feeds.mllp.listener import message_arrival
from redcell.sources.hl7v2.framing import split
from redcell.sources.hl7v2.segments import parse
from redcell.store.database import open_database
from redcell.store.migrate import upgrade
from redcell.store.writer import Writer
from redcell.web.settled import settle

AT = 1_795_000_000_000_000
PATIENTS = 300
WINDOW = 64
"""Messages on the line of one connection."""
CBC = (
    *("718-7^Hemoglobin", "4544-3^Hematocrit", "787-2^MCV", "785-6^MCH", "786-4^MCHC", "789-8^RBC"),
    *("788-0^RDW", "777-3^Platelets", "6690-2^Leukocytes", "751-8^Neutrophils"),
    *("17849-1^Reticulocytes", "2276-4^Ferritin"),
)
CHANNEL = Channel("lab")


TAKEN = "20261120070000+0000"


def message(number: int, results: int) -> bytes:
    """A result message as a laboratory sends it."""
    header = f"MSH|^~\\&|LAB|HOSP|RC|X|20261120080000+0000||ORU^R01^ORU_R01|C{number}|P|2.5.1"
    person = f"PID|1||{number % PATIENTS}^^^HOSP^MR||DOE^JANE||19680214|F"
    order = f"OBR|1||F{number}|58410-2^CBC^LN|||20261120070000+0000"
    lines = [
        f"OBX|{n}|NM|{CBC[n % len(CBC)]}^LN||{9 + n / 10:.1f}|g/dL|12-16|L|||F|||{TAKEN}"
        for n in range(results)
    ]
    return "".join(f"{line}\r" for line in (header, person, order, *lines)).encode()


async def sender(port: int, messages: list[bytes]) -> None:
    """Keep a window of messages on the line until all are answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    framer, sent, heard = Framer(), 0, 0
    while heard < len(messages):
        room = messages[sent : heard + WINDOW]
        sent += len(room)
        writer.write(b"".join(framed(one) for one in room))
        for answer in framer.feed(await reader.read(65536)):
            if b"\rMSA|AA|" not in answer:
                raise RuntimeError(f"not accepted: {answer!r}")
            heard += 1
    writer.close()


def round_of(messages: list[bytes], connections: int) -> tuple[float, float]:
    """Messages a second: by the wall clock, and by processor time."""

    async def main(writer: Writer) -> tuple[float, float]:
        listener = Listener(StoreIntake(writer), Channels([CHANNEL]), Limits(), now=lambda: AT)
        await listener.start()
        known = [message(10_000_000 + n, 1) for n in range(PATIENTS)]
        await sender(listener.port, known)  # every patient is known, as on any later day
        wall, cpu = time.perf_counter(), time.process_time()
        shares = (messages[n::connections] for n in range(connections))
        await asyncio.gather(*(sender(listener.port, share) for share in shares))
        took = time.perf_counter() - wall, time.process_time() - cpu
        await listener.stop()
        return len(messages) / took[0], len(messages) / took[1]

    with tempfile.TemporaryDirectory() as folder:
        database = open_database(Path(folder))
        upgrade(database)
        writer = Writer(database)
        try:
            return asyncio.run(main(writer))
        finally:
            writer.close()
            database.close()


def alone(call: Callable[[bytes], object], messages: list[bytes]) -> float:
    """Milliseconds of processor time of one message: the best of several passes."""
    times = []
    for _ in range(5):
        start = time.process_time()
        for one in messages:
            call(one)
        times.append((time.process_time() - start) / len(messages))
    return min(times) * 1e3


def stored(messages: list[bytes]) -> float:
    """The same for the store: prepared arrivals, kept in groups, without commit to disk."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(Path(folder))
        upgrade(database)
        arrivals = [_brought(message_arrival(CHANNEL, one, AT)) for one in messages]
        for start in range(0, len(arrivals), MOST):
            some = arrivals[start : start + MOST]
            with database.write() as connection:
                begun = time.process_time()
                take_together(connection, some)
                times.append((time.process_time() - begun) / len(some))
        database.close()
    return statistics.median(times[len(times) // 3 :]) * 1e3


def parts(results: int, number: int) -> None:
    messages = [message(n, results) for n in range(number)]

    def parsed(one: bytes) -> None:
        for raw in split("message", one, []):
            parse(raw)

    def prepared(one: Arrival) -> None:
        _brought(one)

    arrivals = [message_arrival(CHANNEL, one, AT) for one in messages]
    print(f"| own splitter of segments | {alone(parsed, messages):.2f} ms |")
    try:
        import hl7
    except ImportError:
        pass
    else:
        old = alone(lambda one: hl7.parse(one.decode()), messages)
        print(f"| python-hl7 in its place | {old:.2f} ms |")
    print(f"| whole translation into FHIR | {alone(CHANNEL.translate, messages):.2f} ms |")
    print(f"| resources as versions to keep | {alone(prepared, arrivals):.2f} ms |")  # type: ignore[arg-type]
    print(f"| store, in groups of {MOST} | {stored(messages):.2f} ms |")


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    quick = "--quick" in sys.argv
    rounds, number = (1, 200) if quick else (7, 1000)
    round_of([message(n, 1) for n in range(200)], 4)
    settle()  # as the service does when it is ready
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, {rounds} rounds of {number}\n")
    print("| results in a message | connections | messages/s, wall | messages/s of CPU |")
    print("| --- | --- | --- | --- |")
    for results, connections in ((1, 4), (5, 4), (12, 4), (12, 1)):
        messages = [message(n, results) for n in range(number)]
        found = [round_of(messages, connections) for _ in range(rounds)]
        wall, cpu = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"| {results} | {connections} | {wall:.0f} | {cpu:.0f} |")
    print("\nParts of one message with 12 results, processor time:\n")
    print("| part | time |\n| --- | --- |")
    parts(12, 200 if quick else 600)


if __name__ == "__main__":
    main()
