"""Numbers, limits and ids as laboratories write them, for formats without types of their own."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

DIGITS = r"[+-]?(?:[0-9]{1,12}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})"
NUMBER = re.compile(DIGITS)
WRITTEN = re.compile(rf"(<=|>=|<|>|less than|greater than)?\s*({DIGITS})", re.IGNORECASE)
BETWEEN = re.compile(rf"({DIGITS})\s*(?:-|to)\s*({DIGITS})", re.IGNORECASE)
COMPARATORS = {"less than": "<", "greater than": ">"}
SIGNS = str.maketrans({"\u2013": "-", "\u2014": "-", "\u2212": "-"})
BAD_ID = re.compile(r"[^A-Za-z0-9.-]")
MAX_ID = 64
SHOWN = 40
KEPT = 100
"""Characters of a range whose limits are kept: a longer one is no range, and would fill memory."""


class Number(Struct, frozen=True):
    """A number, and whether it is only a bound (`<10`)."""

    value: float
    comparator: str = ""
    digits: str = ""
    """As it was written, with its trailing zeros."""


def number(text: str) -> Number | None:
    """The number that a whole text writes; `None` for anything else.

    Never NaN or infinite: at most 12 digits on each side of the point, and no exponent.
    """
    found = WRITTEN.fullmatch(_plain(text))
    if found is None:
        return None
    sign = (found[1] or "").lower()
    return Number(float(found[2]), COMPARATORS.get(sign, sign), found[2])


def limits(text: str, unit: str = "") -> tuple[float | None, float | None]:
    """Lower and upper limit of a reference range written as `12-16`, `<5` or `>60`.

    A range that is written in any other way ("M: 13-18, F: 12-16") gives no limits.
    """
    return _limits(text, unit) if len(text) + len(unit) <= KEPT else _limits.__wrapped__(text, unit)


@lru_cache(maxsize=1024)
def _limits(text: str, unit: str) -> tuple[float | None, float | None]:
    plain = _plain(text).strip("()[] ")
    if unit and plain.lower().endswith(unit.lower()):
        plain = plain[: -len(unit)].strip()
    found = BETWEEN.fullmatch(plain)
    if found is not None:
        low, high = float(found[1]), float(found[2])
        return (low, high) if low <= high else (None, None)
    bound = number(plain)
    if bound is None or not bound.comparator:
        return None, None
    return (None, bound.value) if bound.comparator.startswith("<") else (bound.value, None)


def shown(text: str) -> str:
    """A value as a message may quote it: short, in quotes, without control characters."""
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 1] + "\u2026")


def clean_id(text: str, length: int = MAX_ID) -> str:
    """The text as a FHIR id: other characters become `-`, and it is cut at `length`."""
    return BAD_ID.sub("-", text)[:length]


def _plain(text: str) -> str:
    plain = text.translate(SIGNS).replace("\u2264", "<=").replace("\u2265", ">=")
    return plain.strip(" \t")
