"""MLLP frames out of any stream: fragments, several at once, garbage, restarts, sizes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redcell.feeds.mllp.framing import Framer, FrameTooLargeError, framed

ONE, TWO = b"MSH|one\rPID|1\r", b"MSH|two\r"
MESSAGE = st.binary(max_size=40).map(lambda b: b.replace(b"\x0b", b"").replace(b"\x1c\r", b""))
NOISE = st.binary(max_size=12).map(lambda b: b.replace(b"\x0b", b""))


def read(*chunks: bytes, largest: int = 1 << 20) -> tuple[list[bytes], Framer]:
    framer = Framer(largest)
    return [message for chunk in chunks for message in framer.feed(chunk)], framer


STREAMS = [
    # name, chunks, messages, bytes of garbage, is a frame open
    ("one", [framed(ONE)], [ONE], 0, False),
    ("two in one write", [framed(ONE) + framed(TWO)], [ONE, TWO], 0, False),
    ("byte by byte", [bytes([b]) for b in framed(ONE) + framed(TWO)], [ONE, TWO], 0, False),
    ("end cut in two", [framed(ONE)[:-1], b"\r" + framed(TWO)], [ONE, TWO], 0, False),
    ("garbage before", [b"junk" + framed(ONE)], [ONE], 4, False),
    ("garbage between", [framed(ONE) + b"\r\n" + framed(TWO)], [ONE, TWO], 2, False),
    ("garbage alone", [b"GET / HTTP/1.1\r\n\r\n"], [], 18, False),
    ("begun anew", [b"\x0bMSH|half" + framed(ONE)], [ONE], 8, False),
    ("begun anew in another write", [b"\x0bMSH|half", framed(ONE)], [ONE], 8, False),
    ("begun anew twice", [b"\x0bA\x0bBC" + framed(ONE)], [ONE], 3, False),
    ("no end", [b"\x0bMSH|"], [], 0, True),
    ("an end sign without CR is content", [framed(b"a\x1cb")], [b"a\x1cb"], 0, False),
    ("two end signs", [framed(b"a\x1c")], [b"a\x1c"], 0, False),
    ("empty", [framed(b"")], [b""], 0, False),
    ("end without start", [b"MSH|one\r\x1c\r" + framed(TWO)], [TWO], 10, False),
]


@pytest.mark.parametrize(
    ("name", "chunks", "messages", "garbage", "is_open"), STREAMS, ids=[s[0] for s in STREAMS]
)
def test_streams(name, chunks, messages, garbage, is_open):
    found, framer = read(*chunks)
    assert (found, framer.garbage, framer.open) == (messages, garbage, is_open)


def test_a_frame_past_the_limit_is_refused_with_its_beginning():
    with pytest.raises(FrameTooLargeError) as caught:
        read(b"\x0bMSH|" + b"x" * 100, largest=50)
    assert caught.value.begun.startswith(b"MSH|xx")
    with pytest.raises(FrameTooLargeError):
        read(framed(b"x" * 51), largest=50)
    assert read(framed(b"x" * 50), largest=50)[0] == [b"x" * 50]


def test_messages_before_one_that_is_too_large_are_given_out():
    given = Framer(50).feed(framed(ONE) + framed(b"x" * 99))
    assert next(given) == ONE
    with pytest.raises(FrameTooLargeError):
        next(given)


@settings(max_examples=200)
@given(st.lists(st.tuples(NOISE, MESSAGE), max_size=6), st.data())
def test_any_cuts_give_the_same_messages_and_count_every_other_byte(parts, data):
    stream = b"".join(noise + framed(message) for noise, message in parts)
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    cuts = [0, *sorted(places), len(stream)]
    found, framer = read(*(stream[a:b] for a, b in itertools.pairwise(cuts)))
    assert found == [message for _, message in parts]
    assert framer.garbage == sum(len(noise) for noise, _ in parts)


PIECES = st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"MSH|", b"x"])


@pytest.mark.trust("F2")
@settings(max_examples=300)
@given(st.lists(st.lists(PIECES, max_size=6).map(b"".join), max_size=8))
def test_any_bytes_are_read_the_same_however_they_are_cut(chunks):
    whole, framer = read(b"".join(chunks))
    again, other = read(*chunks)
    assert (whole, framer.garbage, framer.open) == (again, other.garbage, other.open)
