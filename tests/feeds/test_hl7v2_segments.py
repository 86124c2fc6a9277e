"""The own splitter of segments against python-hl7: every field, repetition and component alike."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.messages import adt, cbc, obx, pid
from redcell.sources.hl7v2.segments import Separators, segment_of, separators_of, text_of

pytestmark = pytest.mark.trust("F10")

hl7 = pytest.importorskip("hl7", reason="python-hl7 judges the splitter; it is not installed")

MESSAGES = [
    cbc(
        obx(), obx("52101004^Present^SCT~B^b^L", "", "800-3^x^LN", "CWE"), "NTE|1||a\\T\\b\\.br\\c"
    ),
    adt("A40", pid("1^^^A&1.2&ISO^MR~2^^^B^SS"), "MRG|9^^^HOSP^MR"),
    cbc(obx()).replace(b"|", b"$").replace(b"^", b"%"),
    cbc(obx('""', "", "", "")),
]


def theirs(part, separators: Separators) -> list[list[list[str]]]:
    """A segment of python-hl7 as fields of repetitions of components."""
    fields = []
    for field in [part] if isinstance(part, str) else list(part):
        if isinstance(field, str):
            fields.append([[text_of(field, separators)]])
            continue
        repeats = [[r] if isinstance(r, str) else [str(c) for c in r] for r in field]
        fields.append([[text_of(c, separators) for c in repeat] for repeat in repeats])
    return fields


def ours(line: str, separators: Separators) -> list[list[list[str]]]:
    return [[list(r) for r in field.repeats] for field in segment_of(line, separators).fields]


def alike(text: str) -> None:
    lines = [line for line in text.split("\r") if line]
    separators = separators_of(lines[0])
    for part, line in zip(hl7.parse("\r".join(lines)), lines, strict=True):
        assert ours(line, separators) == theirs(part, separators), line


@pytest.mark.parametrize("data", MESSAGES)
def test_whole_messages(data):
    alike(data.decode())


@settings(max_examples=150)
@given(st.lists(st.text('AZ09|^~\\& ."-', max_size=30), max_size=5))
def test_random_segments(lines):
    header = "MSH|^~\\&|LAB|HOSP|||20261120||ORU^R01|1|P|2.5"
    alike("\r".join([header, *(f"OBX|{line}" for line in lines)]))
