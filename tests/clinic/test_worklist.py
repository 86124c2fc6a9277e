"""The worklist's rules on both databases: order, tabs, what hides a line and what brings it back."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from redcell.clinic import acts, decisions, worklist
from redcell.clinic.acts import Act, ActError, LineChangedError
from redcell.clinic.decisions import Decision, DecisionError
from redcell.clinic.lines import LEVELS, Detail
from redcell.clinic.worklist import Keeper, Search
from redcell.clock import DAY, HOUR
from redcell.store import assessments
from redcell.store.assessments import Assessment, Line

AT = 1_795_340_520_000_000
TODAY = date(2026, 11, 22)


def put(database, person: str, level: int = 5, *, due="2026-12-04", state="a", **more) -> None:
    """Somebody's newest assessment and line."""
    overdue = more.pop("overdue", None)
    kept = Assessment(person, AT, AT, "", (), "", "", "", state, "assessed", b"{}")
    with database.write() as connection:
        number = assessments.add(connection, kept)
        values = {
            "person": person, "assessment": number, "made": AT, "level": level,
            "urgency": LEVELS[level], "status": "assessed", "name": person.upper(), "mrn": person,
            "hemoglobin": 9.0, "hemoglobin_at": AT, "grade": 2, "decision": "", "due": due,
            "probability": None, "held": 0, "state": state,
            "body": msgspec.json.encode(Detail(overdue=overdue)),
        }  # fmt: skip
        assessments.put_lines(connection, [Line(**{**values, **more})])


def find(database, keeper: Keeper, tab="action", *, at: int = AT, **more):
    with database.read() as connection:
        board = keeper.look(connection)
        return worklist.find(connection, board, Search(tab=tab, **more), at=at, today=TODAY)


@pytest.mark.trust("S14")
def test_no_filter_tab_or_place_tells_what_a_closed_line_does_not_say(database):
    keeper = Keeper()
    put(database, "open-mild", 2, grade=1)
    put(database, "open-severe", 2, grade=3, held=1)
    put(database, "shut-mild", 2, grade=1)
    put(database, "shut-severe", 2, grade=3, held=1)
    put(database, "shut-now", 0, grade=1)
    shut = ("shut-mild", "shut-severe", "shut-now")

    def seen(tab, **more):
        with database.read() as connection:
            board, wanted = keeper.look(connection), Search(tab=tab, **more)
            return worklist.find(connection, board, wanted, at=AT, today=TODAY, closed=shut)

    for grade in range(1, 5):
        found = names(seen("all", grade=grade))
        assert set(shut) <= set(found), "an emergency is filtered out, or its grade told"
        assert found[0] == "shut-now"
        assert ("open-severe" in found) == (grade <= 3)
    assert names(seen("held")) == ["open-severe"]
    assert seen("all").counts["held"] == 1
    assert names(seen("action")) == ["shut-now", "open-severe", "open-mild", *shut[:2]]


def names(found) -> list[str]:
    return [row.head.person for row in found.rows]


def act(person: str, state: str = "a", at: int = AT, who: str = "n1") -> Act:
    return Act(person, who, who.upper(), at, state)


@pytest.mark.trust("H2.2", "H2.3")
def test_urgency_then_held_then_due(database):
    keeper = Keeper()
    put(database, "later", 2, due="2026-11-25")
    put(database, "sooner", 2, due="2026-11-23")
    put(database, "held", 2, due="2026-12-30", held=1)
    put(database, "now", 0)
    put(database, "overdue", 5, due="2026-11-21")
    put(database, "late", 5, due="2026-11-22", overdue=True)
    put(database, "calm", 5, due="2026-11-22")
    assert names(find(database, keeper)) == ["now", "held", "sooner", "later", "overdue", "late"]
    assert names(find(database, keeper, "watching")) == ["calm"]
    assert find(database, keeper).counts == {
        "action": 6, "week": 0, "overdue": 2, "held": 1, "watching": 1, "all": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("level", "tab"), [(2, "action"), (3, "week"), (4, "week"), (5, "watching")]
)
def test_levels_fall_on_their_tab(database, level, tab):
    put(database, "p", level)
    assert names(find(database, Keeper(), tab)) == ["p"]


def test_done_hides_a_line_until_its_state_changes(database):
    keeper = Keeper()
    put(database, "p", 2)
    with database.write() as connection:
        acts.claim(connection, act("p"))
        acts.finish(connection, act("p"), reason="seen")
    assert names(find(database, keeper)) == []
    (row,) = find(database, keeper, "watching").rows
    assert (row.hidden, row.standing.hidden, row.standing.owner) == (True, "done", "")
    put(database, "p", 2)
    assert names(find(database, keeper)) == [], "a new assessment of the same state"
    put(database, "p", 2, state="b")
    assert names(find(database, keeper)) == ["p"]
    put(database, "p", 2, state="a")
    assert names(find(database, keeper)) == [], "back in the state that was finished"


def test_a_snooze_ends_by_itself_and_by_a_change(database):
    keeper = Keeper()
    put(database, "p", 2)
    with database.write() as connection:
        acts.snooze(connection, act("p"), until=AT + 4 * HOUR, reason="waiting")
    assert names(find(database, keeper)) == []
    assert names(find(database, keeper, at=AT + 4 * HOUR)) == ["p"]
    with database.write() as connection:
        acts.reopen(connection, act("p"))
    assert names(find(database, keeper)) == ["p"]


def test_a_snooze_has_a_reason_and_a_near_end(database):
    put(database, "urgent", 1)
    put(database, "calm", 5)
    with database.write() as connection:
        for person, until, reason in (
            ("urgent", AT, "x"),
            ("urgent", AT + 3 * DAY, "x"),
            ("calm", AT + 40 * DAY, "x"),
            ("calm", AT + DAY, "  "),
        ):
            with pytest.raises(ActError):
                acts.snooze(connection, act(person), until=until, reason=reason)
        acts.snooze(connection, act("calm"), until=AT + 28 * DAY, reason="x")


def test_what_was_not_seen_cannot_be_finished(database):
    put(database, "p", 2)
    with database.write() as connection:
        with pytest.raises(LineChangedError):
            acts.finish(connection, act("p", state="old"), reason="x")
        with pytest.raises(LineChangedError):
            acts.finish(connection, act("nobody"), reason="x")


def test_the_last_to_take_a_line_has_it(database):
    keeper = Keeper()
    put(database, "p", 2)
    with database.write() as connection:
        acts.claim(connection, act("p", who="n1"))
        acts.claim(connection, act("p", who="n2"))
    assert find(database, keeper).rows[0].standing.owner_name == "N2"
    assert names(find(database, keeper, owner="n1")) == []
    assert names(find(database, keeper, owner="n2")) == ["p"]
    with database.write() as connection:
        acts.unclaim(connection, act("p", who="n2"))
    assert names(find(database, keeper, owner="-")) == ["p"]


@pytest.mark.trust("L5")
def test_pages_of_a_hundred(database):
    keeper = Keeper()
    for number in range(205):
        put(database, f"p{number:03}", 2)
    found = find(database, keeper, page=3)
    assert (found.total, found.pages, len(found.rows)) == (205, 3, 5)
    assert find(database, keeper, page=99).page == 3
    assert names(find(database, keeper, text="P00"))[0] == "p000"


def test_somebody_who_was_merged_away_is_gone(database):
    keeper = Keeper()
    put(database, "old", 2)
    put(database, "new", 2)
    assert len(find(database, keeper).rows) == 2
    with database.write() as connection:
        assessments.drop_lines(connection, ["old"])
    assert names(find(database, keeper)) == ["new"]


def test_nothing_is_read_again_without_a_change(database):
    keeper = Keeper()
    put(database, "p", 2)
    with database.read() as connection:
        assert keeper.look(connection) is keeper.look(connection)


def test_names_as_one_types_them():
    assert worklist.folded("OKÁFOR,  Joy") == "okafor joy"


def decision(**more) -> Decision:
    values = {
        "person": "p", "option": "count", "choice": "accept", "reason": "because", "assessment": 1,
        "said": "Count", "rules": ("O14",), "actor": "n1", "name": "N. One", "at": AT,
    }  # fmt: skip
    return Decision(**{**values, **more})


@pytest.mark.trust("S7.2")
def test_a_decision_is_kept_once_with_its_reason(database):
    with database.write() as connection:
        decisions.decide(connection, decision(), key="k")
        decisions.decide(connection, decision(), key="k")
        decisions.decide(connection, decision(choice="refuse", reason="no"), key="k2")
        with pytest.raises(DecisionError):
            decisions.decide(connection, decision(reason=" "), key="k3")
        with pytest.raises(DecisionError):
            decisions.decide(connection, decision(choice="order"), key="k4")
    with database.read() as connection:
        found = decisions.decisions_of(connection, "p")
    assert [one.choice for one in found] == ["refuse", "accept"]
    assert decisions.newest_by_option(found)["count"].choice == "refuse"
    assert found[1].rules == ("O14",)


def test_a_list_read_on_is_the_list_read_anew(database):
    keeper = Keeper()
    for n in range(12):
        put(database, f"p{n}", n % 6, due=f"2026-12-{1 + n:02}")
    find(database, keeper)
    put(database, "p3", 0, state="b")
    put(database, "new", 2, held=1)
    with database.write() as connection:
        acts.snooze(connection, act("p1"), until=AT + HOUR, reason="called")
        assessments.drop_lines(connection, ["p5"])
    for tab in worklist.TABS:
        read_on, anew = find(database, keeper, tab), find(database, Keeper(), tab)
        assert (names(read_on), read_on.counts) == (names(anew), anew.counts)
        assert len(names(anew)) == anew.counts[tab]
    assert "p1" in names(find(database, keeper, "watching"))
    assert "p1" not in names(find(database, keeper, "action"))
