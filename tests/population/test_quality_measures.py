"""Measures of practice: both sides of every boundary, and what is in neither."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from builder import AT, Said, Value, doses, new, patient, red_cells, taken, when
from redcell.knowledge.load import knowledge
from redcell.population.quality import events_of
from redcell.population.quality.past import count_before
from redcell.population.quality.red_cells import sessions
from redcell.record.moment import Moment, on_day
from redcell.record.transfusions import Transfusion

K = knowledge()
YEAR = 365


def found(measure: str, record, days: float = YEAR, base=K) -> list[tuple[str, str]]:
    """What came of a record by one measure: finding and reason, in time order."""
    events = [e for e in events_of(record, AT, base, days) if e.measure == measure]
    return [(e.finding, e.reason) for e in sorted(events, key=lambda e: e.time)]


def counts(*rows, **more):
    return patient(hemoglobin=list(rows), **more)


# -- red cells at or above the threshold -----------------------------------------------------------

ABOVE = "transfusion-above-threshold"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (6.9, ("not-counted", "")),  # T10: below the threshold
        (7.0, ("counted", "consider")),  # T12
        (7.9, ("counted", "consider")),
        (8.0, ("counted", "do-not-transfuse")),  # T14
        (10.4, ("counted", "do-not-transfuse")),
    ],
)
def test_the_threshold_itself_is_above(before, expected):
    record = counts((-31, before), (-20, 9.0), symptoms={"fatigue": 0}, transfusions=[-30])
    assert found(ABOVE, record) == [expected]


def test_what_a_rule_recommended_is_not_counted():
    """T11: 7.0 to 7.9 with heart disease is a recommendation."""
    heart = {"cardiovascular-disease": True}
    record = counts((-31, 7.5), transfusions=[-30], diagnoses=heart)
    assert found(ABOVE, record) == [("not-counted", "")]


@pytest.mark.parametrize(
    ("age", "expected"),
    [(7.0, ("counted", "consider")), (7.01, ("excluded", "no-count-before"))],
)
def test_a_count_of_the_seven_days_before(age, expected):
    record = counts((-30 - age, 7.6), transfusions=[-30])
    assert found(ABOVE, record) == [expected]


def test_a_count_before_the_last_red_cells_is_history():
    record = counts((-31, 6.5), transfusions=[-30, -28])
    assert found(ABOVE, record) == [("not-counted", ""), ("excluded", "no-count-before")]


def test_two_bags_within_a_day_are_one_session():
    record = counts((-31, 6.5), transfusions=[red_cells(-30), red_cells(-29.5)])
    assert found(ABOVE, record) == [("not-counted", "")]
    assert len(sessions([red_cells(-30), red_cells(-29)], 1.0)) == 2
    assert len(sessions([red_cells(-30), red_cells(-29.01)], 1.0)) == 1


def test_an_emergency_and_a_refusal_are_in_neither():
    bleeding = {"hematemesis": new(3, day=-30.1)}
    told = counts((-31, 8.5), symptoms=bleeding, transfusions=[-30])
    assert found(ABOVE, told) == [("excluded", "emergency")]
    refused = counts((-31, 8.5), transfusions=[-30], refusal="clear")
    assert found(ABOVE, refused) == [("excluded", "refusal-on-record")]
    sickle = counts((-31, 8.5), transfusions=[-30], diagnoses={"sickle-cell-disease": True})
    assert found(ABOVE, sickle) == [("excluded", "sickle-cell-disease")]


@pytest.mark.parametrize(
    ("day", "expected"), [(-5, ("excluded", "last-weeks")), (-15, ("counted", "consider"))]
)
def test_in_hospice_care_symptoms_and_goals_decide(day, expected):
    """T18: since ten days before."""
    record = counts((day - 1, 7.5), transfusions=[day], hospice=True)
    assert found(ABOVE, record) == [expected]


def test_the_site_sets_the_threshold(tmp_path):
    file = tmp_path / "site.toml"
    file.write_text(
        '[policy]\nname = "Site"\n[transfusion.restrictive_hb]\nvalue = 7.5\nsource = "ours"\n'
    )
    site = knowledge(file)
    low, high = (counts((-31, hb), transfusions=[-30]) for hb in (7.4, 7.5))
    assert found(ABOVE, low, base=site) == [("not-counted", "")]
    assert found(ABOVE, high, base=site)[0][0] == "counted"


@pytest.mark.parametrize(("day", "inside"), [(-365, True), (-365.01, False), (0, True)])
def test_the_period_holds_both_of_its_ends(day, inside):
    record = counts((day - 1, 7.6), transfusions=[day])
    assert len(found(ABOVE, record)) == inside


def test_a_count_of_the_day_itself_counts_where_the_hour_is_not_known():
    day = on_day(when(-30).day)
    one = Transfusion(day, day, 1.0, "Procedure/day")
    morning = Moment(datetime(day.day.year, day.day.month, day.day.day, 8, tzinfo=UTC))
    record = counts((-33, 6.0), ((morning.time - AT.time).total_seconds() / 86400, 7.7))
    rows = record.results["hemoglobin"]
    assert count_before(rows, day, None, 7.0).value == 7.7
    both = counts(*(((m.time.time - AT.time).total_seconds() / 86400, m.value) for m in rows),
                  transfusions=[one])  # fmt: skip
    assert found(ABOVE, both) == [("counted", "consider")]


# -- several units ---------------------------------------------------------------------------------

SEVERAL = "several-units-without-count"


@pytest.mark.parametrize(
    ("units", "expected"), [(1.0, []), (2.0, [("counted", "no-count-between")])]
)
def test_one_unit_is_not_asked_about(units, expected):
    record = counts((-31, 6.8), transfusions=[red_cells(-30, units, hours=4)], weight=None)
    assert found(SEVERAL, record) == expected


@pytest.mark.parametrize(
    ("hours_after", "expected"),
    [(2.0, ("not-counted", "")), (4.0, ("counted", "no-count-between")),
     (-0.5, ("counted", "no-count-between"))],
)  # fmt: skip
def test_a_count_between_the_units(hours_after, expected):
    record = counts(
        (-31, 6.8), (-30 + hours_after / 24, 7.4), transfusions=[red_cells(-30, 2.0, hours=4)]
    )
    assert found(SEVERAL, record) == [expected]


def test_a_count_between_two_bags_of_one_session():
    bags = [red_cells(-30), red_cells(-29.8)]
    assert found(SEVERAL, counts((-31, 6.8), (-29.9, 7.4), transfusions=bags)) == [
        ("not-counted", "")
    ]
    assert found(SEVERAL, counts((-31, 6.8), (-29.7, 7.4), transfusions=bags))[0][0] == "counted"


def test_two_units_that_the_policy_gives_are_in_neither():
    """T17: hemoglobin so low that one unit does not reach 7.0."""
    big = {"weight": [(-31, 90.0)], "height": [(-31, 180.0)], "albumin": [(-31, 4.2)],
           "egfr": [(-31, 90.0)]}  # fmt: skip
    record = counts((-31, 5.2), transfusions=[red_cells(-30, 2.0, hours=4)], symptoms=None, **big)
    assert found(SEVERAL, record) == [("excluded", "policy-gives-as-many")]


def test_without_hours_nothing_can_lie_between():
    record = counts((-31, 6.8), transfusions=[red_cells(-30, 2.0)], weight=None)
    assert found(SEVERAL, record) == [("excluded", "hours-not-known")]
    day = on_day(when(-30).day)
    bags = [Transfusion(day, day, 1.0, f"Procedure/{name}") for name in "ab"]
    assert found(SEVERAL, counts((-31, 6.8), transfusions=bags)) == [
        ("excluded", "hours-not-known")
    ]


def test_bags_entered_with_one_time_are_one_session_of_its_hours():
    bags = [replace(red_cells(-30, hours=4), reference=f"Procedure/{name}") for name in "ab"]
    inside, after = (
        counts((-31, 6.8), (-30 + hours / 24, 7.4), transfusions=bags) for hours in (2.0, 4.0)
    )
    assert found(SEVERAL, inside) == [("not-counted", "")]
    assert found(SEVERAL, after) == [("counted", "no-count-between")]


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(0.5, "counted"), (1.9, "counted"), (2.0, "not-counted"), (4.0, "not-counted"),
     (4.1, "counted")],
)  # fmt: skip
def test_a_count_while_the_first_bag_runs_is_no_look_at_what_it_did(hours, expected):
    bags = [red_cells(-30, hours=2), red_cells(-30 + 4 / 24, hours=2)]
    record = counts((-31, 6.8), (-30 + hours / 24, 7.4), transfusions=bags)
    assert found(SEVERAL, record)[0][0] == expected


def test_one_unit_at_a_time_is_no_rule_of_sickle_cell_disease():
    given = {"transfusions": [red_cells(-30, 2.0, hours=4)]}
    sickle = counts((-31, 6.8), diagnoses={"sickle-cell-disease": True}, **given)
    assert found(SEVERAL, sickle) == [("excluded", "sickle-cell-disease")]
    hospice = counts((-6, 6.8), transfusions=[red_cells(-5, 2.0, hours=4)], hospice=True)
    assert found(SEVERAL, hospice) == [("counted", "no-count-between")]


# -- grade 3 without a count -----------------------------------------------------------------------

UNCOUNTED = "grade-3-without-count"


@pytest.mark.parametrize(("value", "events"), [(7.9, 1), (8.0, 0)])
def test_grade_3_begins_below_8(value, events):
    assert len(found(UNCOUNTED, counts((-30, value), (-29, 9.0)))) == events


@pytest.mark.parametrize(
    ("later", "expected"),
    [(7.0, ("not-counted", "")), (7.01, ("counted", "no-count-after"))],
)
def test_seven_days_to_the_next_count(later, expected):
    assert found(UNCOUNTED, counts((-30, 7.5), (-30 + later, 9.0))) == [expected]


@pytest.mark.parametrize(
    ("day", "expected"),
    [(-7.0, ("counted", "no-count-after")), (-6.99, ("excluded", "period-not-over"))],
)
def test_the_seven_days_must_be_over(day, expected):
    assert found(UNCOUNTED, counts((day, 7.5))) == [expected]


def test_a_preliminary_count_asks_for_none_but_answers_one():
    early = Value(-30, 7.5, status="preliminary")
    assert found(UNCOUNTED, patient(hemoglobin=[early, (-10, 9.0)])) == []
    answer = Value(-28, 8.4, status="preliminary")
    record = patient(hemoglobin=[(-30, 7.5), answer, (-1, 9.0)])
    assert found(UNCOUNTED, record) == [("not-counted", "")]


@pytest.mark.parametrize(
    ("day", "expected"),
    [(-9, "excluded"), (-16.9, "excluded"), (-17.0, "excluded"), (-17.1, "counted")],
)
def test_hospice_care_begun_within_the_days_is_in_neither(day, expected):
    record = counts((day, 7.5), hospice=True)  # since ten days before
    assert found(UNCOUNTED, record)[0][0] == expected


@pytest.mark.parametrize(
    ("died", "expected"),
    [(-23.0, "excluded"), (-22.9, "counted"), (None, "counted")],
)
def test_death_within_the_days_is_in_neither(died, expected):
    record = counts((-30, 7.5))
    died = died is not None and when(died)
    record = replace(record, patient=replace(record.patient, deceased=died))
    assert found(UNCOUNTED, record)[0][0] == expected


@pytest.mark.parametrize(("last", "expected"), [(-22.9, "counted"), (-23.0, "excluded")])
def test_of_a_death_without_a_date_it_is_known_that_it_came_after_the_last_result(last, expected):
    record = counts((-30, 7.5), ferritin=[(last, 250.0)])
    kept = {name: record.results[name] for name in ("hemoglobin", "ferritin")}
    dead = replace(record.patient, deceased=True)
    assert found(UNCOUNTED, replace(record, results=kept, patient=dead))[0][0] == expected


def test_the_same_blood_measured_twice_is_no_second_look():
    twice = counts((-30.0, 7.5), (-29.99, 7.6))
    assert found(UNCOUNTED, twice) == [("counted", "no-count-after")]
    next_day = counts((-30.0, 7.5), (-29.0, 7.6))
    assert found(UNCOUNTED, next_day) == [("not-counted", ""), ("counted", "no-count-after")]
    higher = counts((-30.0, 7.5), (-29.9, 8.4))
    assert found(UNCOUNTED, higher) == [("not-counted", "")]


# -- iron ------------------------------------------------------------------------------------------

REPLETE = "iron-to-the-replete"


@pytest.mark.parametrize(
    ("ferritin", "tsat", "expected"),
    [
        (100.0, 20.0, ("counted", "replete")),
        (99.9, 20.0, ("not-counted", "")),  # possible
        (100.0, 19.9, ("not-counted", "")),  # functional
        (29.9, None, ("not-counted", "")),  # definite, whatever the saturation
        (30.0, None, ("excluded", "iron-not-known")),
        (801.0, None, ("counted", "replete")),
        (800.0, None, ("excluded", "iron-not-known")),
        (None, None, ("excluded", "iron-not-known")),
    ],
)
@pytest.mark.parametrize("group", ["iron-oral/ferrous-sulfate", "iron-iv/iron-sucrose"])
def test_iron_beside_its_tests(ferritin, tsat, expected, group):
    tests = {"ferritin": ferritin and [(-40, ferritin)], "tsat": tsat and [(-40, tsat)]}
    record = counts((-40, 9.5), therapy={group: taken(-30, -20)}, **tests)
    assert found(REPLETE, record) == [expected]


@pytest.mark.parametrize(
    ("age", "expected"), [(89.999, "counted"), (90.001, "excluded")]
)  # fmt: skip
def test_tests_older_than_90_days_are_not_current(age, expected):
    tests = {"ferritin": [(-30 - age, 250.0)], "tsat": [(-30 - age, 30.0)]}
    record = counts((-31, 9.5), therapy={"iron-oral/x": taken(-30, -20)}, **tests)
    assert found(REPLETE, record)[0][0] == expected


@pytest.mark.parametrize(("gap", "courses"), [(56.0, 1), (56.1, 2)])
def test_a_course_begins_after_56_days_without(gap, courses):
    given = {"iron-iv/x": doses(-100.0, -100.0 + gap)}
    tests = {"ferritin": [(-101, 250.0)], "tsat": [(-101, 30.0)]}
    assert len(found(REPLETE, counts((-101, 9.5), therapy=given, **tests))) == courses


@pytest.mark.parametrize(
    ("day", "expected"),
    [(-30.0, ("excluded", "beside-an-esa")), (-86.0, ("excluded", "beside-an-esa")),
     (-86.1, ("counted", "replete")), (-28.0, ("counted", "replete"))],
)  # fmt: skip
def test_iron_may_be_added_to_an_esa(day, expected):
    """E3; an ESA ends 56 days after its last dose, and one begun later is no reason."""
    tests = {"ferritin": [(-40, 250.0)], "tsat": [(-40, 30.0)]}
    given = {"iron-iv/x": taken(-30, -20), "esa/epoetin": doses(day)}
    assert found(REPLETE, counts((-40, 9.5), therapy=given, **tests)) == [expected]


def test_overload_is_counted_beside_an_esa_too():
    """I8: no iron in any form."""
    tests = {
        "ferritin": [(-40, 1200.0)],
        "tsat": [(-40, 60.0)],
        "units_elsewhere": (-400, -300, 25.0),
    }
    given = {"iron-iv/x": taken(-30, -20), "esa/epoetin": doses(-30)}
    record = counts((-40, 9.5), therapy=given, **tests)
    assert found(REPLETE, record) == [("counted", "overload")]


# -- ESA -------------------------------------------------------------------------------------------

ESA = "esa-outside-conditions"


def with_esa(hemoglobin: float, *, until: float = 60.0, intent: str = "palliative", **more):
    therapy = {
        "paclitaxel": [*doses(-38, -31, intent=intent)],
        "esa/epoetin": doses(-30),
    }
    chemo = therapy["paclitaxel"][-1]
    therapy["paclitaxel"] = [*therapy["paclitaxel"][:-1],
                             type(chemo)("request", -60, -30 + until, ongoing=True, intent=intent,
                                         until=-30 + until), chemo]  # fmt: skip
    tests = {n: [(-31, v)] for n, v in (("ferritin", 250.0), ("tsat", 30.0), ("systolic", 124.0),
                                        ("diastolic", 76.0))}  # fmt: skip
    red = more.pop("transfusions", [-50, -45])
    return counts((-31, hemoglobin), therapy=therapy, transfusions=red, **(tests | more))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (with_esa(9.9), ("not-counted", "")),
        (with_esa(10.0), ("counted", "esa-hemoglobin")),
        (with_esa(9.9, intent="curative"), ("counted", "esa-curative")),
        (with_esa(9.9, until=59.0), ("counted", "esa-plan-short")),
        (with_esa(9.9, transfusions=[]), ("counted", "esa-no-ground")),
        (with_esa(9.9, systolic=[(-31, 160.0)]), ("counted", "esa-pressure")),
        (with_esa(9.9, systolic=[(-31, 159.0)]), ("not-counted", "")),
        (with_esa(9.9, ferritin=None), ("excluded", "conditions-not-known")),
        (with_esa(9.9, intent=""), ("excluded", "conditions-not-known")),
        (
            with_esa(10.0, diagnoses={"chronic-kidney-disease": True}),
            ("excluded", "kidney-disease"),
        ),
    ],
)
def test_an_esa_beside_its_conditions(record, expected):
    assert found(ESA, record) == [expected]


# -- iron deficiency looked for --------------------------------------------------------------------

LOOKED = "iron-deficiency-not-looked-for"


@pytest.mark.parametrize(("value", "events"), [(9.9, 1), (10.0, 0)])
def test_an_episode_begins_below_10(value, events):
    assert len(found(LOOKED, counts((-60, value)))) == events


@pytest.mark.parametrize(
    ("day", "expected"),
    [(-90.0, "not-counted"), (-90.1, "counted"), (28.0, "not-counted"), (28.1, "counted")],
)
def test_the_window_of_the_tests(day, expected):
    tests = {name: [(-60 + day, value)] for name, value in (("ferritin", 250.0), ("tsat", 30.0))}
    assert found(LOOKED, counts((-60, 9.5), **tests))[0][0] == expected


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        ({"ferritin": 250.0, "tsat": None}, ("counted", "half-tested")),
        ({"ferritin": None, "tsat": 30.0}, ("counted", "half-tested")),
        ({"ferritin": None, "tsat": None}, ("counted", "not-tested")),
        ({"ferritin": 20.0, "tsat": None}, ("not-counted", "")),
    ],
)
def test_half_of_the_tests_does_not_settle_it(tests, expected):
    told = {name: value and [(-50, value)] for name, value in tests.items()}
    assert found(LOOKED, counts((-60, 9.5), **told)) == [expected]


@pytest.mark.parametrize(
    ("day", "expected"), [(-28.0, "counted"), (-27.9, "excluded")]
)  # fmt: skip
def test_the_28_days_must_be_over(day, expected):
    assert found(LOOKED, counts((day, 9.5), ferritin=None, tsat=None))[0][0] == expected


@pytest.mark.parametrize(("gap", "episodes"), [(90.0, 1), (90.1, 2)])
def test_a_new_episode_after_90_days(gap, episodes):
    assert len(found(LOOKED, counts((-200, 9.5), (-200 + gap, 9.5)))) == episodes


def test_an_episode_that_began_before_the_period_is_none_of_it():
    assert found(LOOKED, counts((-40, 9.5), (-20, 9.4)), days=30) == []


# -- symptoms asked --------------------------------------------------------------------------------

ASKED = "symptoms-not-asked"


@pytest.mark.parametrize(("value", "events"), [(9.9, 1), (10.0, 0)])
def test_symptoms_are_asked_about_below_10(value, events):
    assert len(found(ASKED, counts((-30, value)))) == events


@pytest.mark.parametrize(
    ("day", "expected"),
    [(-7.0, "not-counted"), (-7.01, "counted"), (1.0, "not-counted"), (1.01, "counted")],
)
def test_the_window_of_the_answers(day, expected):
    told = dict.fromkeys(K.symptoms) | {"fatigue": Said(0, day=-30 + day)}
    assert found(ASKED, counts((-30, 8.5), symptoms=told))[0][0] == expected


@pytest.mark.parametrize(("symptom", "expected"), [("palpitations", "not-counted"),
                                                   ("headache", "counted")])  # fmt: skip
def test_only_symptoms_that_decide_about_red_cells_count(symptom, expected):
    told = dict.fromkeys(K.symptoms) | {symptom: Said(1, day=-30)}
    assert found(ASKED, counts((-30, 8.5), symptoms=told))[0][0] == expected


@pytest.mark.parametrize(("day", "expected"), [(-1.0, "counted"), (-0.99, "excluded")])
def test_the_day_after_must_be_over(day, expected):
    assert found(ASKED, counts((day, 8.5), symptoms=None))[0][0] == expected


@pytest.mark.parametrize(("died", "expected"), [(-29.0, "excluded"), (-28.9, "counted")])
def test_nobody_is_asked_after_death(died, expected):
    record = counts((-30, 8.5), symptoms=None)
    record = replace(record, patient=replace(record.patient, deceased=when(died)))
    assert found(ASKED, record)[0][0] == expected


def test_in_hospice_care_symptoms_are_asked_about():
    assert found(ASKED, counts((-5, 8.5), symptoms=None, hospice=True))[0][0] == "counted"


# -- all of them -----------------------------------------------------------------------------------


def test_every_event_names_its_evidence_and_its_person():
    record = counts((-31, 7.6), (-60, 9.5), transfusions=[red_cells(-30, 2.0, hours=4)],
                    therapy={"iron-iv/x": doses(-20)}, ferritin=[(-40, 250.0)], tsat=[(-40, 30.0)])  # fmt: skip
    events = events_of(record, AT, K, YEAR)
    assert {e.measure for e in events} >= {ABOVE, SEVERAL, UNCOUNTED, REPLETE, LOOKED, ASKED}
    for event in events:
        assert event.patient == "p1"
        assert event.evidence
        assert all("/" in reference for reference in event.evidence)


def test_nothing_dated_later_is_used():
    record = counts((-30, 7.5), (2, 7.0), transfusions=[3])
    assert found(UNCOUNTED, record) == [("counted", "no-count-after")]
    assert found(ABOVE, record) == []
