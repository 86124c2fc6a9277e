"""The inbox: every report and message is taken on by somebody, or says ever louder that it is not."""

from __future__ import annotations

import itertools

import pytest

from redcell.clinic import messages, releases
from redcell.clinic.releases import Release
from redcell.clinic.settings import Messages
from redcell.clock import MINUTE

TIMERS = Messages(emergency=(15, 30), now=(60,), ordinary=(1440,))


def send(database, text="I feel weak", at=0, **more):
    with database.write() as connection:
        return messages.send(connection, person="p", actor="joy", text=text, at=at, **more)


def inbox(database):
    with database.read() as connection:
        return messages.items(connection)


def act(database, kind, item, **more):
    with database.write() as connection:
        messages.act(connection, kind, item, **{"actor": "chen", "at": 5} | more)


@pytest.mark.trust("H4.3", "S7.1")
def test_a_message_waits_until_it_is_taken(database):
    send(database)
    (item,) = inbox(database)
    assert item.waits
    act(database, messages.OPENED, item)
    assert inbox(database)[0].waits
    act(database, messages.TAKEN, item)
    (item,) = inbox(database)
    assert (item.waits, item.taken_by, item.opened_by) == (False, "chen", "chen")


def test_an_answer_takes_it_on(database):
    send(database)
    act(database, messages.ANSWERED, inbox(database)[0], text="Please rest")
    (item,) = inbox(database)
    assert item.taken_by == "chen"
    assert item.answers[0].body["text"] == "Please rest"


@pytest.mark.trust("D3")
def test_the_same_message_counts_once(database):
    assert send(database, key="k1")
    assert not send(database, key="k1")
    assert len(inbox(database)) == 1


@pytest.mark.trust("H4.3", "S7.1")
def test_what_nobody_takes_escalates_step_by_step(database):
    send(database, pressure="emergency")
    steps = []
    for minute in range(0, 60, 5):
        with database.write() as connection:
            for item in messages.escalate(connection, TIMERS, at=minute * MINUTE):
                steps.append((minute, item.steps + 1))
    assert steps == [(15, 1), (30, 2)]


@pytest.mark.trust("H4.3")
def test_what_somebody_has_does_not_escalate(database):
    send(database, pressure="emergency")
    act(database, messages.TAKEN, inbox(database)[0])
    with database.write() as connection:
        assert messages.escalate(connection, TIMERS, at=999 * MINUTE) == []


def test_the_most_pressing_stands_first(database):
    send(database, "a", at=1)
    send(database, "b", at=2, pressure="now")
    send(database, "c", at=3, pressure="emergency")
    with database.read() as connection:
        assert [i.text for i in messages.waiting(connection)] == ["c", "b", "a"]


@pytest.mark.trust("D4")
def test_events_fold_alike_in_any_order(database):
    send(database)
    item = inbox(database)[0]
    for kind in (messages.OPENED, messages.TAKEN, messages.CLOSED):
        act(database, kind, item)
    from redcell.store import events

    with database.read() as connection:
        found = events.select(connection, *messages.KINDS)
    folded = {repr(messages.fold(order)) for order in itertools.permutations(found)}
    assert len(folded) == 1


def test_a_release_is_shown_until_it_is_taken_back(database):
    first = Release("p", "chen", "M. Chen, RN", 10, ("Blood test on Tuesday.",), talk_at=8.0)
    second = Release("p", "rao", "Dr. Rao", 20, ("Blood test on Friday.",), iron="untested")
    with database.write() as connection:
        releases.release(connection, first)
        releases.release(connection, second)
        assert releases.current(connection, ["p"]).lines == ("Blood test on Friday.",)
        assert [r.name for r in releases.history(connection, ["p"])] == ["Dr. Rao", "M. Chen, RN"]
        releases.take_back(connection, "p", by="chen", at=30, reason="wrong day")
        assert releases.current(connection, ["p"]) is None
        assert releases.current(connection, ["somebody-else"]) is None


def test_what_waits_is_found_without_looking_at_the_rest(database):
    for n in range(6):
        send(database, f"m{n}", at=n)
    by_text = {item.text: item for item in inbox(database)}
    act(database, messages.TAKEN, by_text["m0"])
    act(database, messages.ANSWERED, by_text["m1"], text="rest")
    act(database, messages.CLOSED, by_text["m2"])
    act(database, messages.TAKEN, by_text["m3"])
    act(database, messages.GIVEN_BACK, by_text["m3"])
    send(database, "from us", from_team=True)
    with database.read() as connection:
        found = messages.waiting(connection)
        expected = messages.by_need(i for i in messages.items(connection) if i.waits)
    assert found == expected
    assert [item.text for item in found] == ["m3", "m4", "m5"]


def test_one_item_is_found_by_its_key(database):
    send(database, "first", key="k1")
    send(database, "second", key="k2")
    act(database, messages.OPENED, next(i for i in inbox(database) if i.text == "second"))
    with database.read() as connection:
        found = messages.keyed(connection, messages.MESSAGE, "k2")
        assert found is not None
        assert (found.text, found.opened_by) == ("second", "chen")
        assert messages.keyed(connection, messages.MESSAGE, "k3") is None
