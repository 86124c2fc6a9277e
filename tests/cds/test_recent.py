"""What is remembered of calls is bounded: by number, by bytes and by time."""

from __future__ import annotations

import pytest
from msgspec import Struct

from cds.world import STATUS, World, call, prefetch
from redcell.clock import MINUTE
from redcell.loop import Steps, run
from redcell.web.cds import answers, recent
from redcell.web.cds.recent import KEPT, MOST, MOST_BYTES, Recent

pytestmark = pytest.mark.trust("L7")


class Made(Struct):
    at: int
    size: int = 1


def name(number: int) -> bytes:
    return str(number).encode()


def test_what_was_made_lately_is_found_until_it_is_old():
    found: Recent[Made] = Recent()
    found.keep(b"a", Made(0))
    assert found.current(b"a", KEPT - 1) is not None
    assert found.current(b"a", KEPT) is None
    assert found.current(b"a", -1) is None
    assert found.current(b"b", 0) is None


def test_the_oldest_go_when_there_are_too_many():
    found: Recent[Made] = Recent()
    for number in range(MOST + 3):
        found.keep(name(number), Made(number))
    assert list(found) == [name(number) for number in range(3, MOST + 3)]


def test_the_oldest_go_when_there_are_too_many_bytes():
    found: Recent[Made] = Recent()
    for number in range(5):
        found.keep(name(number), Made(0, MOST_BYTES // 3))
    assert list(found) == [b"2", b"3", b"4"]
    found.keep(b"huge", Made(0, MOST_BYTES + 1))
    assert not found


def test_what_is_old_goes_when_something_new_comes():
    found: Recent[Made] = Recent()
    found.keep(b"a", Made(0))
    found.keep(b"b", Made(1))
    found.keep(b"c", Made(KEPT))
    assert list(found) == [b"b", b"c"]
    found.keep(b"b", Made(KEPT + 1))
    assert list(found) == [b"c", b"b"]


@pytest.mark.parametrize(("most", "assessed"), [(MOST_BYTES, 1), (10, 2)])
def test_a_call_is_weighed_by_what_came_with_it(monkeypatch, most, assessed):
    runs: list[int] = []
    sent = prefetch()

    def counted(*args: object) -> Steps:
        runs.append(1)
        return run(*args)

    monkeypatch.setattr(recent, "MOST_BYTES", most)
    monkeypatch.setattr(answers, "run", counted)
    world = World()
    try:
        for _ in range(2):
            world.post(STATUS, call(data=sent))
            world.clock.pass_(MINUTE)
    finally:
        world.close()
    assert len(runs) == assessed
