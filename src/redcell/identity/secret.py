"""Secrets: the key of this data folder, random values for cookies and tokens, and their hashes.

Only hashes are stored. A random value of 256 bits needs no slow hash; passwords do (`passwords`).
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from redcell.errors import SettingsError

FILE = "secret.key"
SIZE = 32


def new() -> str:
    """A random value that nobody guesses, fit for cookies and addresses."""
    return secrets.token_urlsafe(SIZE)


def digest(value: str) -> str:
    """What is stored of a random value."""
    return hashlib.sha256(value.encode()).hexdigest()


def key_of(folder: Path) -> bytes:
    """The key of a data folder; made when it has none. Every process of a service shares it.

    Raises:
        SettingsError: the file is not a key, or others may read it.
    """
    path = folder / FILE
    if not path.exists():
        _make(path)
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: not a key. Remove it to have a new one made.") from error
    if len(key) != SIZE:
        raise SettingsError(f"{path}: not a key of {SIZE} bytes. Remove it to have one made.")
    if path.stat().st_mode & 0o077:
        raise SettingsError(f"{path}: others can read it. Run: chmod 600 {path}")
    return key


def _make(path: Path) -> None:
    """Write a new key whole, so that two processes that start at once end with the same one."""
    part = path.with_name(f"{FILE}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(SIZE))
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
