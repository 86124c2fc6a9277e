"""The RiskAssessment: the forecast's probabilities, each with its period and its limits."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from redcell.outputs.fhir.parts import Context, Json, own, software, sources, time_of
from redcell.outputs.forecast.words import Words, share
from redcell.prediction import Prediction
from redcell.quantity import half_up, plain

BELOW_DAYS = 28
PERCENT = 100


class Outcome(Struct, frozen=True):
    """One thing that may happen, how likely, and within how many days."""

    code: str
    text: str
    probability: float
    days: int


def risk(c: Context) -> list[Json]:
    """One RiskAssessment for a forecast; none when it is withheld or was not asked for."""
    prediction: Prediction | None = c.steps.forecast
    if prediction is None or prediction.status != "ok":
        return []
    words = Words(c.case.knowledge)
    found = list(outcomes(prediction))
    said = [f"{o.text} within {o.days} days: {share(o.probability)}." for o in found]
    notes = [words.note, words.course(prediction), *words.flags(prediction)]
    body = {
        "status": "final",
        "method": own("red-cell-model", words.made(prediction)),
        "code": own("hemoglobin-forecast", "Forecast of hemoglobin and red-cell transfusion"),
        "subject": c.subject,
        "occurrenceDateTime": c.at,
        "performer": software(),
        "basis": sources(basis(c)),
        "prediction": [_prediction(c, o) for o in found],
        "note": c.notes(*notes),
    }
    title = "Forecast, advisory: it never changes a decision"
    return [c.resource("RiskAssessment", "forecast", title, [*said, *notes], body)]


def outcomes(p: Prediction) -> Iterator[Outcome]:
    """What the forecast gives a probability for."""
    for limit in ("7", "8"):
        if limit in p.p_below:
            text = f"Hemoglobin below {limit} g/dL without red cells"
            yield Outcome(f"hemoglobin-below-{limit}", text, p.p_below[limit], BELOW_DAYS)
    cells = p.transfusions
    if cells is not None:
        text = f"Red-cell transfusion at a threshold of {plain(cells.threshold_g_dl)} g/dL"
        yield Outcome("red-cell-transfusion", text, cells.probability, cells.within_days)


def _prediction(c: Context, o: Outcome) -> Json:
    """FHIR R4 writes a probability as a percentage; the rationale says it again in words."""
    said = f"Probability {share(o.probability)} on a scale from 0 to 1, within {o.days} days."
    return {
        "outcome": own(o.code, o.text),
        "probabilityDecimal": half_up(o.probability * PERCENT, 1),
        "whenPeriod": {"start": c.at, "end": time_of(c.case.at.plus(o.days))},
        "rationale": said,
    }


def basis(c: Context) -> Iterator[str]:
    """Counts, treatments and red cells on record, on which the model rests."""
    yield from (m.reference for m in c.case.series("hemoglobin"))
    for name in c.case.cancer_drugs:
        yield from (i.reference for i in c.case.treatments[name].intervals)
    yield from (course.reference for course in c.case.record.radiation)
    yield from (given.reference for given in c.case.record.transfusions)
