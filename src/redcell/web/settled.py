"""What start-up made stays as long as the process: the collector need not look at it again.

Code tables, routes and knowledge are some hundred thousand objects. Every full collection would
walk over all of them, at the cost of a tenth of a call that makes many objects.

Large pieces of memory go back to the machine when they are freed. Left to itself, the C library of
Linux keeps pieces as large as the largest it has seen, in every thread that ever held one, and has
a heap for each thread, each of which grows to the most that its threads ever needed at once.
"""

from __future__ import annotations

import ctypes
import gc
import sys

NEWEST = 10_000
"""So many new objects before the collector looks at them; Python's own 700 is for small scripts."""
OFTEN = 20
"""So many collections of one generation before one of the next."""
LARGE = 256 * 1024
"""Bytes from which on a piece of memory is the machine's own, given back when it is freed."""
HEAPS = 2
"""Heaps of all threads together: only one thread at a time runs Python."""
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8


def settle() -> None:
    """Take what is alive now out of the collector's sight. Once, when the process is ready.

    The young are looked at once more; the old were, while the process started.
    """
    gc.collect(1)
    gc.freeze()
    gc.set_threshold(NEWEST, OFTEN, OFTEN)
    give_back()


def share_heaps() -> None:
    """Have all threads share a few heaps. Before the first thread starts."""
    _tell(_ARENA_MAX, HEAPS)


def give_back() -> None:
    """Have large pieces of memory given back."""
    _tell(_MMAP_THRESHOLD, LARGE)


def _tell(what: int, value: int) -> None:
    """Set up the C library, where it can be told."""
    if sys.platform != "linux":
        return
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    if tell is not None:
        tell(what, value)
