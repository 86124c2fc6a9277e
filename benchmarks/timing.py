"""Times taken in turn, memory, and tables of them."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct


def has(package: str) -> bool:
    return find_spec(package) is not None


def row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def header(*cells: str) -> None:
    row(*cells)
    row(*["---"] * len(cells))


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f}" if seconds < 0.1 else f"{seconds * 1e3:,.0f}"


class Times(Struct):
    """CPU and wall seconds of the calls of one contender."""

    cpu: list[float]
    wall: list[float]


def timed(call: Callable[[], object], into: Times) -> None:
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    into.wall.append(time.perf_counter() - wall)
    into.cpu.append(time.process_time() - cpu)


def in_turn(calls: Sequence[Callable[[], object]], runs: int) -> tuple[list[Times], ...]:
    """Times of the first calls (compilation), and of the warm ones in turn."""
    cold = [Times([], []) for _ in calls]
    warm = [Times([], []) for _ in calls]
    for call, times in zip(calls, cold, strict=True):
        timed(call, times)
    for _ in range(runs):
        for call, times in zip(calls, warm, strict=True):
            timed(call, times)
    return cold, warm


def peak_mebibytes() -> float:
    """Most memory of this process; `ru_maxrss` would start from that of the one that began it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
