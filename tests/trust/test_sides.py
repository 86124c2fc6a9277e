"""The count of thresholds with a case on each side notices what is missing."""

from __future__ import annotations

import pytest

import sides
from redcell.knowledge.load import knowledge
from redcell.rule import RULES, rule
from trust import book

pytestmark = pytest.mark.trust("Q3")


@rule("G3", limit="anemia.grade3_below")
def _below(value: float, *, limit) -> bool:
    """Is the value below a limit?"""
    return value < limit.value


del RULES[_below.spec.name]  # of this test alone


@pytest.fixture
def watch(monkeypatch):
    made = sides.Watch()
    made._functions = {_below.spec.name: _below.__wrapped__}
    return made


def test_a_case_far_off_shows_neither_side_and_one_beside_it_its_own(watch):
    limit = knowledge().value("anemia.grade3_below")
    for value, shown in ((limit + 3, set()), (limit, {sides.UP}), (limit - 0.01, {"up", "down"})):
        watch.look(_below(knowledge(), value))
        assert watch.sides["anemia.grade3_below"] == shown
    assert watch.answers[_below.spec.name] == {"False", "True"}


def test_every_cell_of_a_table_is_moved_by_itself():
    table = knowledge().number("anemia.who_classes_women")
    for place, number in sides.numbers(table):
        moved = dict(sides.numbers(sides.put(table, place, number + 1)))
        changed = {p for p, n in sides.numbers(table) if moved[p] != n}
        assert changed == {place}


def test_what_no_run_saw_is_missing_but_for_the_reviewed_list(monkeypatch):
    kept = []
    monkeypatch.setattr(book, "keep_figure", lambda *a, **k: kept.append((a, k)))
    missing = sides.judged({"sides": {}, "answers": {}, "files": {}})
    assert "anemia.grade3_below: no case just on each side of it" in missing
    assert "surveillance.grade: one answer in all its tests" in missing
    assert not any(line.startswith("monitoring.grade3_interval") for line in missing)
    assert kept[0][1]["good"] is False
