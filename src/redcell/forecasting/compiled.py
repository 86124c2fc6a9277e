"""Where the compiled model is kept, so that the next process need not compile it again.

What is kept is machine code: the folder is the user's own, closed to others, and named after the
versions and the processor that the code was made for. `JAX_COMPILATION_CACHE_DIR`, when it is
set, names another folder, or none when it is empty.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

FOLDER = "JAX_COMPILATION_CACHE_DIR"
SETTINGS = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
PROCESSOR = Path("/proc/cpuinfo")
TELLING = ("model name", "flags", "features", "cpu part")
"""What of a processor decides which code runs on it."""


@contextmanager
def keeping() -> Iterator[Path | None]:
    """Have JAX, which is imported within the block, keep what it compiles.

    Gives the folder; none where the user chose one, JAX is there already, or no folder can be had
    that is safe. The environment is afterwards as it was: what is right here may not be elsewhere.
    """
    chosen = FOLDER in os.environ or "jax" in sys.modules
    folder = None if chosen else _folder()
    if folder is None or not _own(folder):
        yield None
        return
    set_ = {k: v for k, v in SETTINGS.items() if k not in os.environ} | {FOLDER: str(folder)}
    os.environ.update(set_)
    try:
        yield folder
    finally:
        for name in set_:
            os.environ.pop(name, None)


def _folder() -> Path | None:
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not Path(base).is_absolute():
        try:
            base = str(Path.home() / ".cache")
        except RuntimeError:  # nobody's home
            return None
    made = f"{version('jax')}\n{version('jaxlib')}\n{platform.machine()}\n{_processor()}"
    return Path(base) / "redcell" / "compiled" / hashlib.sha256(made.encode()).hexdigest()[:16]


def _processor() -> str:
    """The features of the first processor, as far as the system tells them."""
    try:
        first = PROCESSOR.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return platform.processor()
    lines = (line for line in first.splitlines() if line.lower().startswith(TELLING))
    return "\n".join(lines)


def _own(folder: Path) -> bool:
    """Make the folder, and see that nobody else may write to it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = folder.lstat()
    except OSError:
        return False
    mine = not hasattr(os, "getuid") or state.st_uid == os.getuid()
    closed = not state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(state.st_mode) and mine and closed and os.access(folder, os.W_OK)
