"""A symptom report: kept once, read by the same reader, and what the patient is told at once."""

from __future__ import annotations

import pytest

from redcell import clock
from redcell.clinic import intake, refresh
from redcell.clinic.intake import Sender, arrived
from redcell.clinic.refresh import Basis
from redcell.clinic.reports import (
    Answer,
    Report,
    ReportError,
    call_for,
    call_rules,
    check,
    resources,
)
from redcell.knowledge.load import knowledge

AT = clock.micros(clock.EPOCH.replace(year=2026, month=11, day=22, hour=9))
KNOWN = knowledge()


def report(*answers: Answer, **more) -> Report:
    fields = {"key": "0f0e0d0c-1234", "person": "p", "at": AT, "by": "joy"}
    return Report(**fields | {"answers": answers} | more)


def read_back(database, one: Report):
    made = resources(one, KNOWN)
    patient = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1970-01-01"}
    with database.write() as connection:
        arrival = arrived("page", "entry", one.key, b"", AT)
        intake.take(connection, arrival, [patient, *made], Sender("joy", "patient"))
    with database.read() as connection:
        found = refresh.assess(connection, "p", Basis(KNOWN), at=AT)
    return {s["symptom"]: s for s in found.out["symptoms"]}, found.out


def test_answers_come_back_as_they_were_given(database):
    said, _ = read_back(
        database,
        report(
            Answer("fatigue", 2, course="worse"),
            Answer("dizziness", 0),
            Answer("easy-bruising", None, onset="2026-11-20"),
            Answer("dyspnea-at-rest", 1, course="new"),
        ),
    )
    assert {name: s["grade"] for name, s in said.items()} == {
        "fatigue": 2,
        "dizziness": 0,
        "easy-bruising": None,
        "dyspnea-at-rest": 1,
    }


@pytest.mark.trust("S2.2")
def test_a_red_flag_makes_an_emergency(database):
    _, out = read_back(database, report(Answer("dyspnea-at-rest", 1, course="new")))
    assert out["urgency"]["level"] == "emergency"


def test_a_temperature_counts(database):
    _, out = read_back(database, report(temperature_c=38.4))
    assert any(f["rule"] in ("S-R3", "S-R23") for f in out["red_flags"])


@pytest.mark.trust("S2.1")
def test_every_symptom_can_be_reported(database):
    answers = [Answer(symptom, 2, course="new") for symptom in sorted(KNOWN.symptoms)]
    said, _ = read_back(database, report(*answers))
    wanted = dict.fromkeys(KNOWN.symptoms, 2)
    del wanted["feeling-cold"]  # with rigors it is read as rigors
    assert {name: s["grade"] for name, s in said.items()} == wanted


@pytest.mark.parametrize(
    "bad",
    [
        report(),
        report(Answer("fatigue", 5)),
        report(Answer("fatigue", -1)),
        report(Answer("being sad", 1)),
        report(Answer("fatigue", 1, course="odd")),
        report(Answer("fatigue", 1), temperature_c=99.0),
        report(Answer("fatigue", 1), key="x"),
        report(Answer("fatigue", 1), note="x" * 2001),
    ],
)
def test_what_the_form_cannot_send_is_refused(bad):
    with pytest.raises(ReportError):
        check(bad, KNOWN)


@pytest.mark.trust("H4.1", "Q3")
@pytest.mark.parametrize("rule", call_rules(KNOWN), ids=lambda r: f"{r.symptom}-{r.grade}")
def test_each_call_at_its_grade_and_not_below(rule):
    assert rule.symptom in KNOWN.symptoms
    assert rule.text in KNOWN.wording("patient")["call"]
    at = call_for(report(Answer(rule.symptom, rule.grade)), KNOWN)
    assert at is not None
    assert at.call == rule.call
    below = call_for(report(Answer(rule.symptom, rule.grade - 1)), KNOWN)
    assert below is None or below.call == "now" != rule.call or below.grade < rule.grade


def test_an_unknown_grade_is_taken_as_the_worst():
    assert call_for(report(Answer("bleeding", None)), KNOWN).call == "emergency"


@pytest.mark.parametrize(("degrees", "calls"), [(37.9, False), (38.0, True), (40.0, True)])
def test_fever_by_the_thermometer(degrees, calls):
    found = call_for(report(temperature_c=degrees), KNOWN)
    assert (found is not None) == calls


def test_the_emergency_wins():
    both = report(Answer("back-pain", 3), Answer("chest-pain", 1))
    assert call_for(both, KNOWN).call == "emergency"
