"""What comes in any order ends alike; every order of eight events is tried by `make torture`."""

from __future__ import annotations

import random  # noqa: TID251  (seeded)

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from operation.orders import (
    AT,
    BY,
    EVENTS,
    LINK,
    every_order,
    hemoglobin,
    patient,
    state,
    taken_back,
)
from redcell.clinic import intake
from redcell.clinic.intake import arrived
from redcell.store.database import open_database
from redcell.store.migrate import upgrade


@pytest.mark.trust("D4", "D6", "D8", "P3")
def test_every_order_of_five_events_ends_alike(database, record_figure):
    report = every_order(database, (EVENTS[0], *EVENTS[3:7]))
    assert report.good, report.examples
    record_figure("D4", str(report))


def stream_machine(database, seen: list[int]) -> type[RuleBasedStateMachine]:
    """A machine that makes a stream of events; at its end the stream is taken in twice.

    Each step is one event that a sender can send. The end states of the stream as it came and of
    a shuffled one with repeats are compared.
    """

    class Stream(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.events: list[dict] = []

        def at(self) -> str:
            """The sender's clock: later with each event."""
            return f"2026-11-10T08:{len(self.events) // 60:02}:{len(self.events) % 60:02}Z"

        @rule(number=st.integers(1, 3), value=st.sampled_from([6.9, 7.4, 8.0, 12.5]),
              status=st.sampled_from(["preliminary", "final", "corrected", "amended",
                                      "entered-in-error", "cancelled", "registered"]),
              who=st.sampled_from(["a", "b"]))  # fmt: skip
        def result(self, number: int, value: float, status: str, who: str) -> None:
            self.events.append(hemoglobin(f"hb{number}", who, value, status, self.at(), number))

        @rule(who=st.sampled_from(["a", "b", "c"]), value=st.sampled_from(["1", "2"]))
        def described(self, who: str, value: str) -> None:
            self.events.append(patient(who, value, self.at()))

        @rule()
        def merged(self) -> None:
            link = [{**LINK[0], "other": {"reference": "Patient/a"}}]
            self.events.append(patient("b", "2", self.at(), link=link))

        @rule()
        def unmerged(self) -> None:
            self.events.append(patient("b", "2", self.at()))

        @rule()
        def long_ago(self) -> None:
            self.events.append(hemoglobin("old", "a", 9.1, "final", "2026-09-01T08:00:00Z", 1))

        @invariant()
        def nothing(self) -> None:
            """State is compared at the end, when the stream is known."""

        def teardown(self) -> None:
            seed = len(seen)
            chance = random.Random(seed)  # noqa: S311
            turned = [*self.events, *self.events[::3]]
            chance.shuffle(turned)
            ends = {end_of(database, order) for order in (self.events, turned)}
            seen.append(len(self.events))
            assert len(ends) == 1, (seed, turned)

    return Stream


def end_of(database, events: list[dict]) -> str:
    """The state after these events, which are taken back."""
    with taken_back(database) as connection:
        for step, event in enumerate(events):
            arrival = arrived("lab", "fhir", f"k{step}", b"{}", AT + step)
            intake.take(connection, arrival, [event], BY)
        found = state(connection)
    return found


@pytest.mark.trust("D4", "D3", "D6", "D8", "P3")
def test_random_streams_end_alike_whatever_their_order(tmp_path, record_figure):
    database = open_database(tmp_path)
    upgrade(database)
    seen: list[int] = []
    chosen = settings(max_examples=30, stateful_step_count=12, derandomize=True, deadline=None)
    run_state_machine_as_test(stream_machine(database, seen), settings=chosen)
    database.close()
    assert sum(seen) > 100
    record_figure("D4", f"{len(seen)} random streams of {sum(seen)} events end alike in any order")
