"""F4-F6: what is refused before JSON is decoded, against a plain scan, and how long that takes."""

from __future__ import annotations

import json
import random  # noqa: TID251  (seeded)
import time

import pytest

from redcell.sources.strict_json import MAX_DEPTH, MAX_DIGITS, RefusedJsonError, check

PIECES = (
    '"', "\\", "{", "}", "[", "]", "[[", '{"a":', '{"a":1,"a":', "1" * 20, "9" * 33, "-1.5", ",",
    ":", " ", '"a"', '\\"', "true", "[" * 16, "]" * 16, "\n", "\\u0061",
)  # fmt: skip
TEXTS = 10_000
LARGE = 2_000_000


def plainly_good(text: str) -> bool:
    """May it be used? By a scan of each character and the decoder of the standard library."""
    inside = escaped = False
    depth = run = 0
    for letter in text:
        if inside:
            inside = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
            continue
        inside = letter == '"'
        run = run + 1 if letter in "0123456789.+-eE" else 0
        depth += (letter in "{[") - (letter in "}]")
        if run > MAX_DIGITS or depth > MAX_DEPTH:
            return False
    try:
        pairs: list[list[tuple[str, object]]] = []
        json.loads(text, object_pairs_hook=pairs.append)
    except (ValueError, RecursionError):
        return False
    return all(len(dict(one)) == len(one) for one in pairs)


def is_good(data: bytes) -> bool:
    """Is it let through?"""
    try:
        check(data)
    except RefusedJsonError:
        return False
    return True


def texts(chance: random.Random):
    """Broken and whole texts, many of them close to the limit of depth."""
    for number in range(TEXTS):
        text = "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 20)))
        if number % 3 == 0:
            deep = chance.randint(60, 68)
            inner = chance.choice(['"["', "{}", "[]", '{"a":[]}', "1", '"' + "1" * 40 + '"', text])
            text = "[" * deep + inner + "]" * deep
        yield text


@pytest.mark.trust("F4", "F5", "F6")
def test_the_quick_scan_and_a_plain_one_agree(record_figure):
    good = 0
    for text in texts(random.Random(20261128)):  # noqa: S311  (seeded)
        expected = plainly_good(text)
        assert is_good(text.encode()) == expected, text
        good += expected
    assert TEXTS / 20 < good < TEXTS / 2
    record_figure("F5", f"{TEXTS} texts, {good} of them good: both scans agree on each")


FEW = 10
"""Walks over the bytes in plain Python that the scan may take; it takes one or less."""


@pytest.mark.trust("F1", "F5", "F6")
@pytest.mark.parametrize(
    "text",
    [
        b'{"a":"' + b"1" * LARGE + b'"}',
        b'{"a":"' + b"][" * (LARGE // 2) + b'"}',
        b"[" * LARGE,
        b"]" * LARGE,
        b'"\\' * (LARGE // 2),
        b'"' * LARGE,
        b"1" * LARGE,
        b"[" + (b"[]," + b" " * 57) * (LARGE // 60) + b"1]",
        b"[" + (b"[" * 20 + b"]" * 20 + b"," + b" " * 359) * (LARGE // 400) + b"1]",
        b'{"\\u0061":1,' * (LARGE // 12),
    ],
    ids=lambda text: text[:8].decode(),
)
def test_no_text_takes_time_out_of_proportion_to_its_bytes(text):
    """A scan that goes back for each bracket or quote would take thousands of walks, not a few."""
    took = []
    for _ in range(4):  # one that is quick enough shows it: the machine may be busy
        began = time.thread_time()
        assert sum(byte == 34 for byte in text) <= LARGE
        walked = time.thread_time()
        is_good(text)
        took.append((walked - began, time.thread_time() - walked))
        if took[-1][1] < FEW * took[-1][0]:
            return
    raise AssertionError(took)
