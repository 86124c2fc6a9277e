"""What start-up made stays as long as the process: the collector need not look at it again.

Code tables, routes and knowledge are some hundred thousand objects. Every full collection would
walk over all of them, at the cost of a tenth of a call that makes many objects.
"""

from __future__ import annotations

import gc

NEWEST = 10_000
"""So many new objects before the collector looks at them; Python's own 700 is for small scripts."""
OFTEN = 20
"""So many collections of one generation before one of the next."""


def settle() -> None:
    """Take what is alive now out of the collector's sight. Once, when the process is ready."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEWEST, OFTEN, OFTEN)
