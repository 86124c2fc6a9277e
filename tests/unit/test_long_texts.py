"""What is remembered stays small whatever is sent: long texts are read, and not kept."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from redcell.clinic.versions import version_of
from redcell.sources.fhir import conditions
from redcell.sources.fhir.datatypes import CodeableConcept, Coding
from redcell.sources.fhir.resources import ItemAnswer
from redcell.sources.shapes import Shapes
from redcell.sources.written import limits

pytestmark = pytest.mark.trust("F1", "L7")

LONG, TIMES = 200_000, 40


def ranges(text: str) -> None:
    assert limits(f"12-16{text}") == (None, None)


def times(text: str) -> None:
    observation = {"resourceType": "Observation", "id": "a", "effectiveDateTime": text}
    assert version_of(observation, 0).reading is None


def concepts(text: str) -> None:
    assert CodeableConcept(text=text).concept.text == text


def answers(text: str) -> None:
    answer = ItemAnswer(valueCoding=Coding(display=text))
    assert conditions._value(answer).codeable.text == text


SHAPES = Shapes()


def shapes(text: str) -> None:
    SHAPES.check(json.dumps({"text": text}).encode())


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("read", [ranges, times, concepts, answers, shapes])
def test_long_texts_are_read_and_not_kept(read: Callable[[str], None], traced: None):
    read("x" * LONG)
    before, _ = tracemalloc.get_traced_memory()
    for number in range(TIMES):
        read(f"{chr(ord('g') + number % 20)}{chr(ord('g') + number // 20)}" * (LONG // 2))
    after, _ = tracemalloc.get_traced_memory()
    assert after - before < 2 * LONG
