"""Exact arithmetic on laboratory numbers: rounding, and conversion by a rational factor."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cache

__all__ = ["convert", "factor", "half_up", "plain", "printed"]


WHOLE = 2.0**53
"""From here on every float is a whole number."""


@cache
def _quantum(digits: int) -> Decimal:
    return Decimal(1).scaleb(-digits)


def half_up(value: float, digits: int) -> float:
    """`value` rounded to `digits` decimals, halves away from zero, on its shortest decimal form.

    6.995 rounds to 7.0 as a person reads it, although the nearest binary number lies below. A value
    so large that it has no decimals is returned as it is.
    """
    if not abs(value) < WHOLE:
        return value
    near = round(value, digits)
    if near == value:
        return float(value)  # as it is: the usual case
    text = repr(value)
    if text[-1] != "5" and "e" not in text:
        return near  # not half way between two: every way of rounding agrees
    return float(Decimal(text).quantize(_quantum(digits), rounding=ROUND_HALF_UP))


@cache
def factor(text: str) -> Fraction:
    """A conversion factor written as `10`, `0.1`, `1/0.62058` or `100/7`."""
    above, _, below = text.partition("/")
    return Fraction(above) / Fraction(below) if below else Fraction(above)


def convert(value: float, by: Fraction) -> float:
    """`value` times an exact factor; the only rounding is the last one, to a float."""
    if by == 1:
        return value
    return float(Fraction(Decimal(repr(value))) * by)


def plain(value: float, digits: int = 2) -> str:
    """A number as people write it: at most `digits` decimals, no trailing zeros, no exponent."""
    rounded = half_up(value, digits)
    return f"{rounded:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{rounded:.0f}"


PRINTED = {
    "10*3/uL": "thousand/µL",
    "10*6/uL": "million/µL",
    "mm[Hg]": "mmHg",
    "Cel": "°C",
    "m[IU]/L": "mIU/L",
    "m[IU]/mL": "mIU/mL",
    "mL/min/{1.73_m2}": "mL/min/1.73 m²",
    "ng/mL{FEU}": "ng/mL FEU",
    "/100{WBCs}": "per 100 white cells",
    "/min": "a minute",
    "{unit}": "units",
    "d": "days",
    "wk": "weeks",
    "1": "",
}
"""How people write a UCUM unit; every other unit is printed as it is, without annotations."""


def printed(ucum: str) -> str:
    """A unit as people write it; a pure annotation such as `{INR}` is left out."""
    if ucum in PRINTED:
        return PRINTED[ucum]
    return "" if ucum.startswith("{") and ucum.endswith("}") else ucum
