"""The care loop in one screen: one call per step, S1 to S8."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from redcell.errors import DeceasedPatientError, UnderageError
from redcell.findings.case import Case
from redcell.findings.causes import Causes, attribute
from redcell.findings.gaps import (
    cardiovascular_history_known,
    not_assessed,
)
from redcell.findings.marrow_fields import Irradiation, read_fields
from redcell.findings.patterns import BloodPicture, read_blood
from redcell.findings.red_flags import RedFlags, raise_flags
from redcell.findings.stores import Stores, take_stock
from redcell.findings.surveillance import Surveillance, survey
from redcell.findings.symptoms import SymptomReview, asymptomatic_answer, review_symptoms
from redcell.knowledge.load import Knowledge
from redcell.plan.alternatives import Alternatives, weigh_options
from redcell.plan.bloodwork import Monitoring, schedule
from redcell.plan.conversation import Topic, topics
from redcell.plan.education import Page, pages
from redcell.plan.fatigue import SelfCare, energy_plan
from redcell.plan.transfusion import TransfusionPlan, plan_transfusion
from redcell.prediction import Prediction
from redcell.record.moment import Moment
from redcell.record.record import Record


class Steps(Struct, frozen=True):
    """Every step's answer for one patient at one moment."""

    case: Case
    survey: Surveillance
    blood: BloodPicture
    stores: Stores
    fields: Irradiation
    flags: RedFlags
    symptoms: SymptomReview
    causes: Causes
    gaps: tuple[str, ...]
    transfusion: TransfusionPlan
    alternatives: Alternatives
    monitoring: Monitoring
    self_care: tuple[SelfCare, ...]
    conversation: tuple[Topic, ...]
    education: tuple[Page, ...]
    forecast: Prediction | None = None


class Situation(Struct, frozen=True):
    """What is known about a patient when a forecast is asked for."""

    case: Case
    survey: Surveillance
    blood: BloodPicture
    flags: RedFlags
    monitoring: Monitoring


def situation_of(steps: Steps) -> Situation:
    """What an assessment knew when its forecast could have been made."""
    return Situation(steps.case, steps.survey, steps.blood, steps.flags, steps.monitoring)


Forecaster = Callable[[Situation], Prediction]
"""Makes the forecast of one patient. It reaches the loop as an argument: no rule needs one."""

ADULT_YEARS = 18


def run(
    record: Record, at: Moment, knowledge: Knowledge, forecaster: Forecaster | None = None
) -> Steps:
    """Assess one patient as known at `at`.

    Raises:
        DeceasedPatientError: the patient died on or before `at`.
        UnderageError: the patient is under 18 at `at`.
    """
    refuse(record, at)
    case = Case(record, at, knowledge)
    counts = survey(case)  # S1
    blood = read_blood(case, counts)
    stores = take_stock(case)
    fields = read_fields(case)
    calm = asymptomatic_answer(case)  # S2
    flags = raise_flags(case, counts, blood, calm.value)
    symptoms = review_symptoms(case, stores, flags, calm)
    causes = attribute(case, counts, blood, fields, flags)  # S3
    monitoring = schedule(case, counts, fields)  # S1
    forecast = None
    if forecaster is not None:
        forecast = forecaster(Situation(case, counts, blood, flags, monitoring))
    transfusion = plan_transfusion(  # S4
        case,
        counts,
        blood,
        flags,
        symptoms,
        causes,
        stores,
        heart_history_known=cardiovascular_history_known(case),
        forecast=forecast,
    )
    options = weigh_options(case, counts, blood, flags, causes, stores, transfusion)  # S5
    return Steps(
        case=case,
        survey=counts,
        blood=blood,
        stores=stores,
        fields=fields,
        flags=flags,
        symptoms=symptoms,
        causes=causes,
        gaps=not_assessed(case, counts, blood, fields, flags),
        transfusion=transfusion,
        alternatives=options,
        monitoring=monitoring,
        self_care=energy_plan(case, counts, flags),  # S6
        conversation=topics(  # S7
            case, counts, flags, symptoms, causes, stores, transfusion, options, monitoring
        ),
        education=pages(case, counts, fields, causes, stores, transfusion, options),  # S8
        forecast=forecast,
    )


def refuse(record: Record, at: Moment) -> None:
    """Stop where redcell has no business: after death, and under 18."""
    patient = record.patient
    if patient.died_by(at):
        raise DeceasedPatientError(
            f"{patient.reference} is recorded as deceased by {at}; there is nothing to assess."
        )
    age = patient.age_years(at)
    if age is not None and age < ADULT_YEARS:
        raise UnderageError(
            f"{patient.reference} is {age} years old at {at}; redcell's thresholds are for adults "
            "of 18 and over, so no assessment was made."
        )
