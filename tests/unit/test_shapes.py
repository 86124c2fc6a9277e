"""A text whose shape is known is judged as the strict check judges it."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redcell.sources import shapes
from redcell.sources.fhir.resources import DECODERS
from redcell.sources.shapes import Shapes
from redcell.sources.strict_json import RefusedJsonError, check

decode = DECODERS["Observation"].decode
KNOWN = b'{"a1":{"x":1.5,"code":"be"},"list":[{"k":12},{"k":-3e2}],"b":"2026-11-20"}'


def outcome(judge, text):
    try:
        judge(text)
    except RefusedJsonError as error:
        return str(error)
    return "taken"


def taken(text):
    try:
        decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


edits = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from([*b'0123456789abcdefABCDEF-+.":,{}[]\\k\xc3'])),
    max_size=4,
)


@given(edits, edits, st.booleans())
def test_one_edit_more_or_less_changes_no_verdict(first, second, warm):
    own = Shapes()
    for changes in ([], first, second, [*first, *second]):
        text = bytearray(KNOWN)
        for at, byte in changes:
            text[at % len(text) : at % len(text) + at % 2] = bytes([byte])
        line = bytes(text)
        if taken(line):
            assert outcome(own.check, line) == outcome(check, line)
            if warm:
                assert outcome(own.check, line) == outcome(check, line)


@pytest.mark.parametrize(
    ("known", "other"),
    [
        (b'{"a1":1,"a2":2}', b'{"a1":1,"a1":2}'),
        (b'{"k":1,"k2":2}', b'{"k3":1,"k3":2}'),
        (b'{"x":{"be":1,"e":2}}', b'{"x":{"e":1,"e":2}}'),
        (b'{"v":1}', b'{"v":' + b"1" * 33 + b"}"),
        (b'{"v":"a"}', b'{"v":"' + b"1" * 33 + b'"}'),
        (b'{"v":"x"}', b'{"v":"\\u0078"}'),
        (b'{"v":1,"w":2}', b'{"v":1,"\\u0076":2}'),
    ],
)
def test_texts_of_one_shape_are_told_apart(known, other):
    own = Shapes()
    for text in (known, known, other, known):
        assert outcome(own.check, text) == outcome(check, text)


def test_depth_is_the_same_in_each_shape():
    own = Shapes()
    deep = b'{"a":' * 70 + b"1" + b"}" * 70
    for text in (deep, deep, deep.replace(b"1", b"2")):
        assert "64 levels" in outcome(own.check, text)


def test_texts_that_never_repeat_cost_no_memory():
    own = Shapes()
    for number in range(shapes.PATIENCE + 10):
        own.check(json.dumps({"text": "x" * number}).encode())
    assert own._balance == 0
    assert len(own._known) <= shapes.MOST
