"""Turns at records that were never seen: in order, counted at once, and bounded."""

from __future__ import annotations

import asyncio

import pytest

from redcell.web.cds.calls import RefusedCallError
from redcell.web.cds.turns import FIRST_GUESS, Turns


async def one(turns: Turns, name: int, done: list[int], work: float = 0.0) -> None:
    async with turns.place() as since, turns.turn(since):
        done.append(name)
        await asyncio.sleep(work)


def test_turns_come_in_the_order_of_asking():
    async def main() -> list[int]:
        turns, done = Turns(longest=10), []
        await asyncio.gather(*(one(turns, n, done) for n in range(20)))
        return done

    assert asyncio.run(main()) == list(range(20))


@pytest.mark.trust("L2")
def test_who_would_wait_too_long_is_turned_away_at_once():
    async def main() -> tuple[list[int], list[BaseException | None], Turns]:
        turns, done = Turns(longest=FIRST_GUESS * 4), []
        calls = (one(turns, n, done) for n in range(9))
        return done, await asyncio.gather(*calls, return_exceptions=True), turns

    done, found, turns = asyncio.run(main())
    assert done == [0, 1, 2, 3, 4]
    assert [type(error) for error in found[5:]] == [RefusedCallError] * 4
    assert {error.status for error in found[5:]} == {503}
    assert turns.turned_away == 4


def test_slow_turns_shorten_the_line():
    async def main() -> Turns:
        turns, done = Turns(longest=0.2), []
        await asyncio.gather(*(one(turns, n, done, 0.05) for n in range(12)))
        with pytest.raises(RefusedCallError):
            await asyncio.gather(*(one(turns, n, done) for n in range(12)))
        return turns

    assert asyncio.run(main()).turned_away


def test_after_a_slow_moment_the_line_is_long_again():
    async def main() -> tuple[list[int], list[int]]:
        turns, slow, done = Turns(longest=0.1), [], []
        await one(turns, 0, slow, 0.6)
        await asyncio.gather(*(one(turns, n, slow) for n in range(4)), return_exceptions=True)
        for n in range(20):
            await one(turns, n, [])
        await asyncio.gather(*(one(turns, n, done) for n in range(4)))
        return slow, done

    slow, done = asyncio.run(main())
    assert slow == [0, 0]
    assert done == [0, 1, 2, 3]


def test_a_failure_gives_the_turn_to_the_next():
    async def fails(turns: Turns) -> None:
        async with turns.place() as since, turns.turn(since):
            raise ValueError

    async def main() -> list[int]:
        turns, done = Turns(longest=10), []
        await asyncio.gather(fails(turns), one(turns, 1, done), return_exceptions=True)
        await one(turns, 2, done)
        return done

    assert asyncio.run(main()) == [1, 2]
