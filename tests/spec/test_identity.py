"""S1: may the newest count be another person's? A note beside the values; nothing rests on it."""

from __future__ import annotations

import json

import pytest

from builder import Value, assess, doses, new, output, patient, review, taken, when
from redcell.clinic import lines
from redcell.clinic.people import Person
from redcell.findings.surveillance import step
from redcell.findings.surveillance.identity import Mismatch
from redcell.outputs.assessment import to_dict, to_json
from redcell.outputs.cards.asked import Asked
from redcell.outputs.cards.talk import Talk
from redcell.outputs.cards.text import status
from redcell.outputs.explain import explain
from redcell.outputs.html.report import report
from redcell.outputs.speech import Speech
from redcell.outputs.text import page
from redcell.rule import Finding

OWN = {"hemoglobin": 11.0, "mcv": 90.0, "rdw": 14.0, "platelets": 250.0, "leukocytes": 6.0}
OTHER = {"hemoglobin": 9.0, "mcv": 80.0, "rdw": 17.0, "platelets": 400.0, "leukocytes": 9.0}
pytestmark = pytest.mark.trust("D5", "H1.6")


def counts(now=OTHER, before=OWN, day=-7.0, **more):
    """A person with two counts."""
    both = {name: [(0, now[name]), (day, before[name])] for name in OWN if name in now}
    return {**both, **more}


def plain(steps) -> str:
    """The text page on lines long enough for every sentence."""
    return " ".join(page(steps, color=False).split())


def said(**words) -> Mismatch:
    return review(**words).survey.identity.value


def test_another_persons_count_is_noticed_and_ones_own_is_not():
    found = said(**counts())
    assert (found.said, found.suspected) == ("suspected", True)
    assert found.distance > found.limit
    near = {"hemoglobin": 10.6, "mcv": 91.0, "rdw": 14.3, "platelets": 210.0, "leukocytes": 4.8}
    assert said(**counts(near)).said == "usual"


SIDES = [
    # MCV now, with a hemoglobin of 10.0 and the rest as it was: distance around the limit of 7.5
    ("at the limit", 93.4, "usual"),
    ("above the limit", 93.5, "suspected"),
]


@pytest.mark.trust("Q3")
@pytest.mark.parametrize(("name", "mcv", "found"), SIDES, ids=[s[0] for s in SIDES])
def test_both_sides_of_the_limit_of_five_values(name, mcv, found):
    assert said(**counts(OWN | {"hemoglobin": 10.0, "mcv": mcv, "rdw": 15.0})).said == found


@pytest.mark.trust("Q3")
def test_four_values_have_a_limit_of_their_own_and_three_are_not_compared():
    assert said(**counts(rdw=None)).limit == 10.5
    assert said(**counts(rdw=None, platelets=None)).said == "not-compared"
    assert said(**counts(hemoglobin=[(0, 9.0)])).said == "not-compared"
    assert said(hemoglobin=None).said == "not-compared"
    assert said(**counts(mcv=[Value(0, 80.0, comparator="<"), (-7, 90.0)])).limit == 10.5


@pytest.mark.trust("Q3")
@pytest.mark.parametrize(
    ("day", "found"),
    [(-3.0, "usual"), (-3.1, "suspected"), (-35, "suspected"), (-35.1, "not-compared")],
)
def test_how_far_apart(day, found):
    moved = OWN | {"hemoglobin": 9.4, "mcv": 94.0, "rdw": 15.2, "leukocytes": 7.2}
    assert said(**counts(moved, day=day)).said == found


BETWEEN = [
    ("red cells between", {"transfusions": [-3]}, "explained"),
    ("red cells before both", {"transfusions": [-8]}, "suspected"),
    ("a bleed between", {"symptoms": {"melena": new(2, day=-3)}}, "explained"),
    ("a bleed before both", {"symptoms": {"melena": new(2, day=-8)}}, "suspected"),
    ("B12 begun", {"therapy": {"b12/cyanocobalamin": taken(-20)}}, "explained"),
    ("B12 for long", {"therapy": {"b12/cyanocobalamin": taken(-91)}}, "suspected"),
    ("B12 since nobody knows when", {"therapy": {"b12/cyanocobalamin": taken(None)}}, "suspected"),
    ("folate begun 90 days ago", {"therapy": {"folate/folic-acid": taken(-90)}}, "explained"),
    (
        "hydroxyurea begun",
        {"therapy": {"marrow-suppressant/hydroxyurea": taken(-10)}},
        "explained",
    ),
    ("iron by vein", {"therapy": {"iron-iv/iron-sucrose": doses(-6)}}, "explained"),
    ("an anticoagulant begun", {"therapy": {"anticoagulant/apixaban": taken(-5)}}, "suspected"),
]


@pytest.mark.parametrize(("name", "words", "found"), BETWEEN, ids=[b[0] for b in BETWEEN])
def test_what_lies_between_explains_it(name, words, found):
    assert said(**counts(), **words).said == found


@pytest.mark.trust("Q3")
@pytest.mark.parametrize(
    ("hemoglobin", "found"), [(9.76, "usual"), (9.75, "suspected")], ids=["one", "two"]
)
def test_leukocytes_alone_are_no_other_person(hemoglobin, found):
    far = OWN | {"hemoglobin": hemoglobin, "leukocytes": 20.0}
    one = said(**counts(far))
    assert one.said == found
    assert one.distance > one.limit


def test_a_drug_that_lowers_platelets_and_leukocytes_widens_what_is_usual_for_them():
    fell = OWN | {"hemoglobin": 9.6, "platelets": 130.0, "leukocytes": 2.5}
    without = said(**counts(fell))
    treated = said(**counts(fell), therapy={"paclitaxel": doses(-14, -7)})
    assert without.said == "suspected"
    assert treated.said == "usual"
    assert treated.distance < without.distance


@pytest.mark.parametrize(("day", "limit"), [(-27.9, 10.5), (-28.1, 7.5)])
def test_a_growth_factor_takes_the_leukocytes_out(day, limit):
    rise = OWN | {"hemoglobin": 9.9, "leukocytes": 10.0}
    found = said(**counts(rise), therapy={"g-csf/filgrastim": doses(day)})
    assert (found.said, found.limit) == ("usual", limit)


def test_the_last_count_with_the_same_values_is_the_one_that_is_compared():
    words = counts(hemoglobin=[(0, 9.0), (-1, 9.2), (-7, 11.0)])
    found = review(**words).survey.identity
    assert found.value.said == "suspected"
    assert "Observation/hemoglobin-2" in found.evidence
    assert "Observation/hemoglobin-1" not in found.evidence


def test_platelets_and_leukocytes_that_part_count_more_than_when_they_move_together():
    together = said(**counts(OWN | {"platelets": 375.0, "leukocytes": 9.0}))
    apart = said(**counts(OWN | {"platelets": 375.0, "leukocytes": 4.0}))
    assert together.distance < apart.distance - 0.5


@pytest.mark.parametrize("hemoglobin", [5.0, 6.9, 9.0])
def test_nothing_that_is_decided_rests_on_it(hemoglobin, monkeypatch):
    record = patient(**counts(OTHER | {"hemoglobin": hemoglobin}), symptoms={"syncope": new(3)})
    steps = assess(record)
    assert steps.survey.identity.value.suspected
    with_it = to_json(steps)

    def silent(case):
        return Finding(steps.survey.identity.spec, Mismatch("usual", 0.0, 9.5), (), {})

    monkeypatch.setattr(step, "identity", silent)
    assert output(record) == with_it
    assert json.loads(with_it)["urgency"]["level"] == "emergency"


def test_it_is_said_with_values_days_rows_and_what_it_rests_on():
    steps = review(**counts())
    wanted = ("another person's sample", "check identity", "80 fL", "90 fL")
    rows = ("Observation/mcv-0", "Observation/mcv-1")
    for shown in (plain(steps), report(steps).replace("&#39;", "'")):
        assert all(one in shown for one in (*wanted, *rows)), shown
        assert when(-7).day.isoformat() in shown
        assert "never checked on real mix-ups" in shown
    card = status(Talk(steps, Asked()))
    assert "check identity" in card
    assert "G-i" in "\n".join(explain(steps, "G-i"))
    usual = review(**counts(OWN))
    assert "another person" not in plain(usual)
    assert "another person" not in report(usual)


def test_the_worklist_says_it_last_and_holds_nothing():
    steps = review(**counts())
    who = Person("p1", sex="female")
    line = lines.line_of(who, steps, to_dict(steps), assessment=1, made=0)
    detail = json.loads(line.body)
    assert line.held == 0
    assert detail["reasons"][-1]["rule"] == "G-i"
    assert "check identity" in detail["reasons"][-1]["text"]


def test_what_is_usual_and_why_not_is_said_in_words():
    speech = Speech(review().case.knowledge)
    for words, sign in (
        (counts(OWN), "no further than counts of one person do"),
        (counts(transfusions=[-3]), "1 unit(s) on"),
        (counts(symptoms={"melena": new(2, day=-3)}), "Between them lies"),
        ({"hemoglobin": None}, "No two counts"),
    ):
        found = review(**words).survey.identity
        assert sign in speech.statement(found), speech.statement(found)


def test_a_site_changes_weights_and_limits(tmp_path):
    policy, slip = tmp_path / "policy.toml", tmp_path / "slip.toml"
    policy.write_text(
        '[policy]\nname = "General Hospital"\n[anemia.identity_limits]\n'
        'rows = [[5.0, 1000.0]]\nsource = "own series"\n'
    )
    assert assess(patient(**counts()), policy).survey.identity.value.said == "usual"
    slip.write_text(
        '[policy]\nname = "General Hospital"\n[anemia.identity_changes]\n'
        'rows = [[35.0, 0.0, 0.0, 0.0, 0.0, 0.0]]\nsource = "a slip"\n'
    )
    assert assess(patient(**counts()), slip).survey.identity.value.said == "not-compared"
