"""Exact arithmetic: rounding as a person reads it, conversion by a rational factor."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redcell.quantity import convert, factor, half_up, plain

pytestmark = pytest.mark.trust("D1")


@pytest.mark.parametrize(
    ("value", "digits", "rounded"),
    [
        (6.995, 2, 7.0), (6.994, 2, 6.99), (7.995, 2, 8.0), (9.995, 2, 10.0), (0.005, 2, 0.01),
        (-0.005, 2, -0.01), (1.005, 2, 1.01), (2.5, 0, 3.0), (-2.5, 0, -3.0), (1e-7, 2, 0.0),
        (8.0, 2, 8.0), (4.91 / 0.62058, 2, 7.91), (1e22, 2, 1e22), (1e300, 2, 1e300), (-1e300, 2, -1e300), (inf, 2, inf),
    ],
)  # fmt: skip
def test_half_up(value, digits, rounded):
    assert half_up(value, digits) == rounded


NEAR_TIES = st.builds(
    lambda units, decimals, away: float(f"{units}5e-{decimals + 1}") + away,
    st.integers(-(10**6), 10**6),
    st.integers(0, 4),
    st.sampled_from((0.0, 1e-9, -1e-9)),
)


@given(st.floats(-1e15, 1e15) | NEAR_TIES, st.integers(0, 6))
def test_half_up_rounds_what_is_printed(value, digits):
    printed = Decimal(repr(value))
    exact = float(printed.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP))
    assert half_up(value, digits) == exact


@pytest.mark.parametrize(
    ("text", "exact"),
    [("1", Fraction(1)), ("0.1", Fraction(1, 10)), ("100/7", Fraction(100, 7)),
     ("1/0.62058", Fraction(100000, 62058)), ("0.45359237", Fraction(45359237, 100000000))],
)  # fmt: skip
def test_factor_is_exact(text, exact):
    assert factor(text) == exact


def test_convert_rounds_once():
    assert convert(79.9, Fraction(1, 10)) == 7.99
    assert convert(84.0, Fraction(1, 10)) == 8.4
    assert convert(7.3, Fraction(1)) == 7.3


@given(st.integers(200, 2500))
def test_gram_per_liter_and_deciliter_agree_to_the_last_digit(hundredths):
    deciliter = hundredths / 100
    assert convert(float(Decimal(hundredths) / 10), factor("0.1")) == deciliter


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (8.0, "8"),
        (7.10, "7.1"),
        (0.0, "0"),
        (1200.0, "1200"),
        (0.004, "0"),
        (6.995, "7"),
        (-0.5, "-0.5"),
    ],
)
def test_plain(value, text):
    assert plain(value) == text


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_plain_never_shows_an_exponent_or_a_trailing_zero(value, digits):
    shown = plain(value, digits)
    assert "e" not in shown
    assert not ("." in shown and shown.endswith("0"))
    assert float(shown) == half_up(value, digits)
