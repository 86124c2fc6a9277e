"""Passwords, by argon2id. Checking one costs the same whether the account exists or not."""

from __future__ import annotations

import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from redcell.errors import RedcellError

MEMORY_KIB = 64 * 1024
PASSES = 3
LANES = 2
"""RFC 9106's second choice needs 64 MiB and 3 passes; OWASP asks for at least 19 MiB and 2."""
SHORTEST, LONGEST = 12, 200
WORDS = (
    "redcell", "hemoglobin", "anemia", "transfusion", "oncology", "hospital", "clinic", "patient",
    "password", "passwort", "contraseña", "qwertyuiop", "1234567890",
)  # fmt: skip
"""What somebody would try first here; beside one of them a password needs its full length."""
AT_ONCE = 4
"""Hashes that are made at the same time; each holds its memory."""

_turns = threading.BoundedSemaphore(AT_ONCE)


class WeakPasswordError(RedcellError):
    """The password cannot be taken."""


@cache
def hasher() -> PasswordHasher:
    """The one way in which passwords are hashed."""
    return PasswordHasher(PASSES, MEMORY_KIB, LANES, type=Type.ID)


@cache
def _nobody() -> str:
    """A hash that no password fits, to be checked where there is no account."""
    return hasher().hash("")


def hashed(password: str, *, login: str = "") -> str:
    """The hash to store.

    Raises:
        WeakPasswordError: it is too short, too long, or the login itself.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPasswordError(f"A password has {SHORTEST} to {LONGEST} characters.")
    if login and _is_built_from(password, login.casefold()):
        raise WeakPasswordError("The password must not be built from the login.")
    if any(_is_built_from(password, word) for word in WORDS):
        raise WeakPasswordError("The password must not be built from a word that all would try.")
    if len(set(password)) <= 3:  # noqa: PLR2004  (aaaaaaaaaaaa)
        raise WeakPasswordError("The password repeats too few characters.")
    with _turns:
        return hasher().hash(_composed(password))


def _is_built_from(password: str, word: str) -> bool:
    """Is it this word, with less around it than a password of its own?"""
    return word in password.casefold() and len(password) < len(word) + SHORTEST


def fits(stored: str | None, password: str) -> bool:
    """Is it the account's password? Without a stored one the answer is no, after the same work."""
    given = _composed(password) if 0 < len(password) <= LONGEST else ""
    with _turns:
        try:
            hasher().verify(stored or _nobody(), given)
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None and bool(given)


def _composed(password: str) -> str:
    """One spelling for letters that can be typed in several ways."""
    return unicodedata.normalize("NFC", password)


def outdated(stored: str) -> bool:
    """Was it hashed by weaker parameters than today's?"""
    return hasher().check_needs_rehash(stored)
