"""Ten thousand connections that say nothing, beside one that works; after a minute they are closed.

    python tests/operation/idle.py --sockets 10000

Another process opens the connections and holds them. A sender sends a message each second all the
while and must hear its answer; once the idle time is over each silent connection must be closed,
and the sender must still be heard.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from feeds.messages import cbc, obx
from feeds.test_mllp import AT, Memory, Peer
from redcell.feeds.channels import Channel, Channels
from redcell.feeds.mllp import Limits, Listener
from trust import book

IDLE = 60.0
"""Seconds, as in service."""
LATE = 60.0
"""Seconds after which no silent connection may be open any more, on a busy machine."""
RESERVE = 200
PACE = 0.002
"""Seconds between two: connections that come all at once are another test's matter."""


def hold(port: int, number: int, ready: int) -> None:
    """Open connections from addresses of this machine, wait until all are closed, and end."""
    try:
        os._exit(_hold(port, number, ready))
    except BaseException as error:  # nothing of the parent may go on in this copy of it
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)


def _hold(port: int, number: int, ready: int) -> int:
    peers = []
    for n in range(number):
        one = socket.socket()
        one.bind((f"127.1.{n // 5000}.{n % 200 + 1}", 0))
        one.connect(("127.0.0.1", port))
        peers.append(one)
        time.sleep(PACE)
    os.write(ready, b"x")
    for one in peers:
        one.settimeout(IDLE + 2 * LATE)
        if one.recv(1):
            return 1
    return 0


def resident() -> float:
    """Megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def measure(number: int) -> tuple[int, int, float, float, bool]:
    """Open at once; messages answered, the slowest answer, megabytes, all silent ones closed."""
    limits = Limits(per_address=number, connections=number + 10, idle_seconds=IDLE)
    listener = Listener(Memory(), Channels([Channel()]), limits, now=lambda: AT)
    await listener.start()
    before, (ready, told) = resident(), os.pipe()
    child = os.fork()
    if child == 0:
        hold(listener.port, number, told)
    peer = Peer(*await asyncio.open_connection("127.0.0.1", listener.port))
    os.set_blocking(ready, False)
    most, heard, slowest, size, began = 0, 0, 0.0, 0.0, 0.0
    while True:
        sent = time.monotonic()
        await peer.send(cbc(obx(), control=f"M{heard}"))
        if await peer.code() != f"AA|M{heard}":
            raise SystemExit("a message was not accepted")
        heard, slowest = heard + 1, max(slowest, time.monotonic() - sent)
        most, size = max(most, listener.counts.connections), max(size, resident() - before)
        if not began and _told(ready):
            began = time.monotonic()
        done, status = os.waitpid(child, os.WNOHANG)
        if done or (began and time.monotonic() > began + IDLE + LATE):
            break
        await asyncio.sleep(1)
    closed = bool(done) and status == 0 and listener.counts.connections == 1
    await listener.stop()
    return most - 1, heard, slowest, size, closed


def _told(pipe: int) -> bool:
    try:
        return bool(os.read(pipe, 1))
    except BlockingIOError:
        return False


def main() -> int:
    """Hold them, print and keep the figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sockets", type=int, default=10_000)
    asked = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < asked.sockets + RESERVE:
        raise SystemExit(f"this machine lets a process open {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, asked.sockets + RESERVE), hard))
    most, heard, slowest, size, closed = asyncio.run(measure(asked.sockets))
    said = (
        f"{most} silent connections at once ({size:.0f} MB), all closed after {IDLE:.0f} s: "
        f"{'yes' if closed else 'NO'}; a sender beside them had {heard} of {heard} messages "
        f"accepted, the slowest after {slowest * 1000:.0f} ms"
    )
    print(said)  # noqa: T201
    good = closed and most == asked.sockets
    book.keep_figure("L4", said, by=book.command(), good=good)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
