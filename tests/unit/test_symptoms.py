"""When a symptom is new or worse, and which of several reports counts (input contract, symptoms)."""

from __future__ import annotations

import pytest

from builder import AT, when
from redcell.record.symptoms import SymptomReport, answer, newest

pytestmark = pytest.mark.trust("S2.3")

RECENT, GAP = 14, 35


def said(day, grade=1, kind="Observation", **more):
    more = {k: when(v) if k == "onset" else v for k, v in more.items()}
    return SymptomReport("headache", grade, when(day), f"{kind}/{day}-{grade}", **more)


NEW = [
    # name, reports, new or worse, unconfirmed
    ("course new", [said(0, course="new")], True, False),
    ("course worse", [said(0, course="worse")], True, False),
    ("course unchanged", [said(0, course="unchanged")], False, False),
    ("course better", [said(0, course="better")], False, False),
    ("unchanged wins over a fresh onset", [said(0, course="unchanged", onset=-1)], False, False),
    ("new wins over an old onset", [said(0, course="new", onset=-90)], True, False),
    ("onset 14 d ago", [said(0, onset=-14)], True, False),
    ("onset over 14 d ago", [said(0, onset=-14.01)], False, False),
    ("no earlier report: yes, the safe reading", [said(0)], True, True),
    ("grade 0 is never new", [said(0, 0)], False, False),
    ("grade unknown, no earlier report", [said(0, None)], True, True),
    ("a run that began 14 d ago", [said(0), said(-14)], True, False),
    ("a run that began over 14 d ago", [said(0), said(-14.01)], False, False),
    ("absence between begins a new run", [said(0), said(-3, 0), said(-20)], True, False),
    ("a gap of 35 d keeps the run", [said(0), said(-35)], False, False),
    ("a gap of over 35 d breaks it", [said(0), said(-35.01)], True, False),
    ("a run over several gaps", [said(0), said(-30), said(-60)], False, False),
    ("the onset of the first report of the run", [said(0), said(-7, onset=-40)], False, False),
    ("earlier absence only", [said(0), said(-7, 0)], True, False),
    ("higher than 14 d before is worse", [said(0, 2), said(-14, 1)], True, False),
    ("higher than 13 d before, run older", [said(0, 2), said(-13, 1), said(-30, 2)], False, False),
    (
        "the report nearest to 14 d before counts",
        [said(0, 2), said(-15, 2), said(-30, 1)],
        False,
        False,
    ),
    ("the same grade is not worse", [said(0, 2), said(-20, 2)], False, False),
    ("a lower grade is not worse", [said(0, 1), said(-20, 3)], False, False),
    ("an unknown grade is not worse", [said(0, None), said(-20, 1)], False, False),
    ("weekly the same mild symptom", [said(-7 * n) for n in range(8)], False, False),
]


@pytest.mark.parametrize(("name", "reports", "fresh", "unconfirmed"), NEW, ids=[n[0] for n in NEW])
def test_new_or_worse(name, reports, fresh, unconfirmed):
    reply = answer(reports, AT, RECENT, GAP)
    assert (reply.new_or_worse, reply.unconfirmed) == (fresh, unconfirmed)
    assert answer(reports[::-1], AT, RECENT, GAP) == reply  # the order does not matter


COUNTS = [
    ("the newest", [said(0, 1), said(-1, 3)], 1),
    ("absence counts too", [said(0, 0), said(-1, 3)], 0),
    (
        "an Observation beats a questionnaire of the day",
        [said(-0.1, 1), said(0, 3, "QuestionnaireResponse")],
        1,
    ),
    (
        "a questionnaire beats the problem list",
        [said(-0.1, 1, "QuestionnaireResponse"), said(0, 3, "Condition")],
        1,
    ),
    ("a newer day beats a better source", [said(0, 1, "Condition"), said(-1, 3)], 1),
]


@pytest.mark.parametrize(("name", "reports", "grade"), COUNTS, ids=[c[0] for c in COUNTS])
def test_which_report_counts(name, reports, grade):
    assert newest(reports).grade == grade


@pytest.mark.parametrize(
    ("grade", "present", "moderate"),
    [(0, False, False), (1, True, False), (2, True, True), (None, True, False)],
)
def test_grades(grade, present, moderate):
    assert said(0, grade).present is present
    assert said(0, grade).at_least(2) is moderate
