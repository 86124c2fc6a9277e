"""Observations: what redcell computed, each with the results that it was computed from.

Every code is redcell's own, so that no system, this one included, takes a computed value for a
result that a laboratory reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from redcell.codes import REDCELL
from redcell.outputs.fhir.parts import (
    TERMINOLOGY,
    Context,
    Json,
    concept,
    own,
    quantity,
    sentence,
    software,
    sources,
    time_of,
)
from redcell.record.measured import Measured
from redcell.rule import Finding, references

DERIVABLE = ("Observation", "QuestionnaireResponse", "DocumentReference", "ImagingStudy", "Media")
PROVISIONAL = "provisional"
MEANING = {"L": "Low", "N": "Normal", "A": "Abnormal"}
COMPUTED = "Computed by redcell"


class Computed(Struct, frozen=True):
    """One computed value before it is written as an Observation."""

    key: str
    name: str
    finding: Finding[Any]
    basis: tuple[Measured, ...]
    said: str
    value: Json
    interpretation: str = ""
    extra: tuple[str, ...] = ()
    """References beyond `basis`, for example a smoking status."""


def computed(c: Context) -> list[Json]:
    """An Observation for every value that this assessment computed."""
    made = (build(c) for build in BUILDERS)
    return [_observation(c, value) for value in made if value is not None]


def _observation(c: Context, v: Computed) -> Json:
    body = {
        "status": _status(c, v.basis),
        "category": _category("laboratory", "Laboratory"),
        "code": own(v.key, v.name),
        "subject": c.subject,
        **_effective(v.basis),
        "issued": c.at,
        **v.value,
        "interpretation": _interpretation(v.interpretation),
        "note": c.notes(c.speech.statement(v.finding), c.sources_of(v.finding)),
        "method": own(v.finding.rule, f"redcell rule {v.finding.rule}"),
        "device": software(),
        "derivedFrom": sources((*references(v.basis), *v.extra), *DERIVABLE),
    }
    return c.resource("Observation", v.key, f"{v.name}: {v.said}", _lines(c, v), body)


def _lines(c: Context, v: Computed) -> Iterable[str]:
    yield sentence(c.speech.statement(v.finding))
    for result in v.basis:
        yield f"From {c.speech.show(result)}."
    yield f"{COMPUTED} by rule {v.finding.rule}. {c.sources_of(v.finding)}"


def _status(c: Context, basis: Iterable[Measured]) -> str:
    """Preliminary where what it rests on is, and where the newest count is not confirmed."""
    doubted = c.case.hemoglobin if c.steps.survey.status.value == PROVISIONAL else None
    doubtful = any(m.status == "preliminary" or m == doubted for m in basis)
    return "preliminary" if doubtful else "final"


def _category(code: str, display: str) -> list[Json]:
    coding = {"system": f"{TERMINOLOGY}observation-category", "code": code, "display": display}
    return [{"coding": [coding], "text": COMPUTED}]


def _interpretation(code: str) -> list[Json]:
    if not code:
        return []
    return [concept(f"{TERMINOLOGY}v3-ObservationInterpretation", code, MEANING[code])]


def _effective(basis: tuple[Measured, ...]) -> Json:
    """The time of the newest sample; a period when the value spans several."""
    times = sorted(m.time for m in basis)
    if len(times) > 1 and times[0].day != times[-1].day:
        return {"effectivePeriod": {"start": time_of(times[0]), "end": time_of(times[-1])}}
    return {"effectiveDateTime": time_of(times[-1])}


# -- the values ----------------------------------------------------------------------------------


def _grade(c: Context) -> Computed | None:
    grade, hemoglobin = c.steps.survey.grade, c.case.hemoglobin
    if grade.value is None or hemoglobin is None:
        return None
    return Computed(
        "ctcae-anemia-grade",
        "CTCAE v5.0 grade of anemia",
        grade,
        (hemoglobin,),
        str(grade.value),
        {"valueInteger": grade.value},
        "A" if grade.value else "N",
    )


def _who(c: Context) -> Computed | None:
    survey, hemoglobin = c.steps.survey, c.case.hemoglobin
    severity = survey.who.value
    if severity is None or hemoglobin is None:
        return None
    return Computed(
        "who-anemia-severity",
        "WHO 2011 severity of anemia",
        survey.who,
        (hemoglobin,),
        severity,
        {"valueCodeableConcept": own(severity, severity)},
        "N" if severity == "none" else "A",
        survey.who_adjusted.evidence,
    )


def _adjusted(c: Context) -> Computed | None:
    survey, hemoglobin = c.steps.survey, c.case.hemoglobin
    value = survey.who_adjusted.value
    if value is None or hemoglobin is None:
        return None
    meaning = {None: "", "none": "N"}.get(survey.who.value, "L")
    return Computed(
        "who-adjusted-hemoglobin",
        "Hemoglobin less the WHO adjustments for altitude and smoking",
        survey.who_adjusted,
        (hemoglobin,),
        f"{value:g} g/dL",
        {"valueQuantity": quantity(value, "g/dL")},
        meaning,
        survey.who_adjusted.evidence,
    )


def _production(c: Context) -> Computed | None:
    index = c.steps.survey.production_index
    if index.value is None:
        return None
    weak = c.steps.survey.anemic and index.value < c.case.knowledge.value("pattern.rpi_weak")
    return Computed(
        "reticulocyte-production-index",
        "Reticulocyte production index",
        index,
        _measured(index),
        f"{index.value:g}",
        {"valueQuantity": quantity(index.value, "1")},
        "L" if weak else "",
    )


def _filtration(c: Context) -> Computed | None:
    egfr = c.steps.survey.egfr
    if egfr.value is None or egfr.inputs["reported"] is not None:
        return None
    low = c.case.knowledge.analytes["egfr"].limits(c.case.record.patient.sex)[0]
    few = low is not None and egfr.value < low
    basis = tuple(m for m in _measured(egfr) if m.analyte == "creatinine")
    return Computed(
        "computed-filtration-rate",
        "Glomerular filtration rate computed by CKD-EPI 2021",
        egfr,
        basis,
        f"{egfr.value:g} mL/min/1.73 m2",
        {"valueQuantity": quantity(egfr.value, "mL/min/{1.73_m2}", "mL/min/1.73 m2")},
        "L" if few else "",
    )


def _trend(c: Context) -> Computed | None:
    trend = c.steps.survey.trend
    if trend.value is None or trend.value.g_dl_per_week is None:
        return None
    slope = trend.value.g_dl_per_week
    counts = tuple(trend.inputs["counts"])[-trend.value.points :]
    return Computed(
        "hemoglobin-trend",
        "Trend of hemoglobin",
        trend,
        counts,
        f"{slope:+.2f} g/dL per week",
        {"valueQuantity": quantity(slope, "g/dL/wk", "g/dL per week")},
    )


def _measured(finding: Finding[Any]) -> tuple[Measured, ...]:
    return tuple(item for item in finding.given if isinstance(item, Measured))


BUILDERS: tuple[Callable[[Context], Computed | None], ...] = (
    _grade,
    _who,
    _adjusted,
    _production,
    _filtration,
    _trend,
)


# -- causes --------------------------------------------------------------------------------------


def attribution(c: Context) -> list[Json]:
    """One Observation with the probability of every cause; none without causes to weigh."""
    causes = c.out["causes"]
    if not causes:
        return []
    waiting = c.steps.survey.status.value == PROVISIONAL
    found = [s.finding for a in c.steps.causes.ranked for s in a.support]
    said = c.steps.causes.started.values()
    body = {
        "status": "preliminary" if waiting else "final",
        "category": [{"text": COMPUTED}],
        "code": own("cause-attribution", "Probable causes of anemia"),
        "subject": c.subject,
        "effectiveDateTime": c.at,
        "issued": c.at,
        "note": c.notes(_unknown(c), c.sources_of(*found)),
        "method": {"text": "Starting weight of each cause times the weight of its evidence"},
        "device": software(),
        "derivedFrom": sources((r for f in (*found, *said) for r in f.evidence), *DERIVABLE),
        "component": [_component(cause) for cause in causes],
    }
    lines = [f"{cause['label']}: {_share(cause['probability'])}" for cause in causes]
    title = "Probable causes of anemia, with their probability"
    return [c.resource("Observation", "cause-attribution", title, [*lines, _unknown(c)], body)]


def _share(probability: float) -> str:
    shown = f"{probability:.2f}"
    return shown if float(shown) else "under 0.01"


def _component(cause: Json) -> Json:
    name = {"coding": [{"system": REDCELL, "code": cause["cause"]}], "text": cause["label"]}
    return {"code": name, "valueQuantity": quantity(cause["probability"], "1")}


def _unknown(c: Context) -> str:
    """What was not assessed and would bear on the answer."""
    names = [c.speech.label("not_assessed", name) for name in c.steps.gaps]
    return f"Not assessed: {', '.join(names)}." if names else ""
