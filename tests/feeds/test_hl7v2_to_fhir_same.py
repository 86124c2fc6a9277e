"""The same messages read as files, and translated, folded and read as FHIR: the same record.

Every set of messages that the tests of the file reader read goes both ways, and so do the samples
beside the project and random histories of orders. What differs is listed with its reason.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.both_ways import (
    Case,
    as_file,
    cases,
    current_of,
    essence,
    held,
    load,
    patients,
    record_of,
    translated,
)
from feeds.messages import cbc, obr, obx, oru, pid

HERE = Path(__file__)
SHARED = HERE.parents[2].parent / "shared" / "data" / "hl7v2-oru"

HELD_BY_INTAKE = "other content under a known MSH-10 is held by the intake, before any translation"
REVIEWED = {
    "test_a_resend_counts_once_and_other_content_under_one_id_is_held[0]": HELD_BY_INTAKE,
    "test_messages_that_disagree_about_the_birth_date_say_so[0]": (
        "the newest Patient counts in both; that they disagree is seen in its versions"
    ),
    "test_other_messages_are_refused_with_their_field[0]": "an ADT message is read by feeds alone",
}


def differences(case: Case) -> list[str]:
    """In what the two ways differ, for each patient of the messages."""
    found = []
    current = current_of(translated(case))
    for name, person in patients(case):
        one, other = as_file(case, name), None
        if any(v.patient == person for v in current.values()):
            other = record_of(current, person)
        if essence(one) != essence(other) or held(one) != held(other):
            found.append(f"{name}: {essence(one)} {held(one)} / {essence(other)} {held(other)}")
    return found


def test_everything_that_the_file_reader_is_tested_with():
    seen = {case.name: differences(case) for case in cases(load("test_hl7v2"), "read_messages")}
    assert len(seen) > 100
    assert {name for name, found in seen.items() if found} == set(REVIEWED)


SAMPLES = sorted(SHARED.glob("*.hl7")) if SHARED.is_dir() else []


@pytest.mark.skipif(not SAMPLES, reason=f"{SHARED} is not here: public data lie beside the project")
@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_the_samples_beside_the_project(path):
    case = Case(path.name, [(path.name, path.read_bytes())], True)
    assert translated(case)[0].refusal is None
    assert differences(case) == []


# -- random histories ------------------------------------------------------------------------------

ANALYTES = [
    ("718-7^Hemoglobin^LN", "g/dL"),
    ("777-3^Platelets^LN", "10*3/uL"),
    ("HCT^Hematocrit^L", "%"),
]
EVENTS = st.tuples(
    st.integers(0, 3),  # which order
    st.sampled_from(ANALYTES),
    st.sampled_from("FPPCAIW"),
    st.integers(70, 150),
    st.booleans(),  # is it of another time?
)


def history(events) -> list[tuple[str, bytes]]:
    """Messages in which the time of an order moves: with a correction, or to a further result."""
    times = {order: 6 * 60 + 7 * order for order in range(4)}
    files = []
    for number, (order, (code, unit), letter, value, moves) in enumerate(events):
        if moves:
            times[order] += 60
        hour, minute = divmod(times[order], 60)
        at = f"20261120{hour % 24:02}{minute:02}00+0000"
        shown = (
            str(value)
            if unit == "10*3/uL"
            else f"{value / 10 if unit == 'g/dL' else value / 3:.1f}"
        )
        data = oru(
            pid(), obr(filler=f"F{order}", time=at), obx(shown, unit, code, status=letter, span=""),
            control=f"M{number}", sent=f"20261121{number // 60:02}{number % 60:02}00+0000",
        )  # fmt: skip
        files.append((f"m{number}.hl7", data))
    return files


def after_a_withdrawal(events) -> bool:
    """Does a result come back after it was withdrawn? FHIR knows no way back: reviewed."""
    withdrawn = set()
    for order, (code, _), letter, _, _ in events:
        if letter == "W":
            withdrawn.add((order, code))
        elif (order, code) in withdrawn and letter in "FPCA":
            return True
    return False


def plain(events):
    """The events without what is reviewed: a time moves only for an order with a single test."""
    kept = [e for n, e in enumerate(events) if not after_a_withdrawal(events[: n + 1])]
    tests = {order: {code for o, (code, _), *_ in kept if o == order} for order in range(4)}
    return [(o, test, x, v, moves and len(tests[o]) == 1) for o, test, x, v, moves in kept]


@pytest.mark.trust("D4", "P3")
@settings(max_examples=120)
@given(st.lists(EVENTS, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_random_histories_in_any_order_of_arrival(events, chance):
    files = history(plain(events))
    case = Case("history", files)
    found = translated(case)
    names = list(patients(case))
    one = as_file(case, names[0][0])
    current = current_of(found)
    wanted = essence(one)
    assert not wanted or essence(record_of(current, names[0][1])) == wanted
    chance.shuffle(found)
    again = current_of(found)
    assert {n: v.hash for n, v in again.items()} == {n: v.hash for n, v in current.items()}


def test_a_cancellation_withdraws_a_result_and_a_withdrawn_one_does_not_come_back():
    """Reviewed: the file reader passes a cancellation over, and takes a value after a withdrawal."""
    for letter in "XW":
        messages = [
            cbc(obx("9.1")),
            cbc(obx("9.1", status=letter), control="M2", sent="20261120090000+0000"),
        ]
        case = Case("x", [(f"{n}.hl7", m) for n, m in enumerate(messages)], False)
        ((name, person),) = patients(case)
        assert record_of(current_of(translated(case)), person).results == {}
        assert bool(as_file(case, name).results) is (letter == "X")
