"""One patient: read a record, assess it, look at the answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redcell.api.given import calibration_of, knowledge_of, moment_of
from redcell.errors import RedcellError, UnknownRuleError
from redcell.loop import Situation, Steps, run
from redcell.prediction import Prediction, WhatIf
from redcell.record.record import Record
from redcell.sources.read import read as _read

if TYPE_CHECKING:
    import polars as pl

    from redcell.forecasting import Forecaster


class Review:
    """One assessment: frozen, with its evidence. Print it, query it, or turn it into data."""

    __slots__ = ("steps",)

    def __init__(self, steps: Steps) -> None:
        self.steps = steps

    @property
    def urgency(self) -> str:
        """How soon somebody should see the patient, in the contract's words."""
        return self.steps.flags.urgency.value.level

    @property
    def hemoglobin_g_dl(self) -> float | None:
        """The newest usable hemoglobin in g/dL."""
        measured = self.steps.case.hemoglobin
        return measured.value if measured is not None else None

    @property
    def ctcae_grade(self) -> int | None:
        """CTCAE v5.0 grade 0 to 3, `None` when provisional or unknown."""
        return self.steps.survey.grade.value

    @property
    def decision(self) -> str:
        """The transfusion decision, in the contract's words."""
        return self.steps.transfusion.verdict.value.decision

    @property
    def causes(self) -> dict[str, float]:
        """Probability by cause, the most probable first."""
        return {a.cause: a.probability for a in self.steps.causes.ranked}

    def to_dict(self) -> dict[str, Any]:
        """The assessment as the output contract has it."""
        from redcell.outputs.assessment import to_dict

        return to_dict(self.steps)

    def to_json(self) -> bytes:
        """The assessment as the output contract has it, as UTF-8 JSON."""
        from redcell.outputs.assessment import to_json

        return to_json(self.steps)

    def to_text(self) -> str:
        """A page that a nurse reads in half a minute, without color."""
        from redcell.outputs.text import page

        return page(self.steps, color=False)

    def to_html(self, *, for_patient: bool = False) -> str:
        """One self-contained page to print; `for_patient` is the letter in plain language."""
        from redcell.outputs.html import letter, report

        return letter(self.steps) if for_patient else report(self.steps)

    def to_fhir(self) -> dict[str, Any]:
        """A FHIR R4 Bundle of proposals and findings."""
        from redcell.outputs.fhir import to_bundle

        return to_bundle(self.steps)

    def to_frame(self) -> pl.DataFrame:
        """The causes as a Polars frame; needs the extra `frames`."""
        rows = [{"cause": c, "probability": p} for c, p in self.causes.items()]
        return _frame(rows)

    def why(self, name: str) -> str:
        """The tree of reasons under a rule (`S-R9`), a finding (`f3`) or a rule's own name.

        Raises:
            UnknownRuleError: nothing of that name ran for this patient.
        """
        from redcell.outputs.explain import explain

        found = explain(self.steps, name)
        if not found:
            raise UnknownRuleError(_unknown(self.steps, name))
        return "\n\n".join(found)

    def _repr_html_(self) -> str:
        from redcell.outputs.html import fragment

        return fragment(self.steps)

    def __repr__(self) -> str:
        value = self.hemoglobin_g_dl
        shown = "no usable hemoglobin" if value is None else f"{value:g} g/dL"
        patient = self.steps.case.record.patient.reference
        return (
            f"Review({patient} at {self.steps.case.at}: {shown}, {self.urgency}, {self.decision})"
        )


class Forecast:
    """One patient's forecast. Print it, ask it what would happen if, or turn it into data."""

    __slots__ = ("_forecaster", "_situation", "prediction", "steps")

    def __init__(self, steps: Steps, situation: Situation, forecaster: Forecaster) -> None:
        assert steps.forecast is not None  # noqa: S101  (a forecaster was given)
        self.steps, self.prediction = steps, steps.forecast
        self._situation, self._forecaster = situation, forecaster

    @property
    def status(self) -> str:
        """`ok`, or `withheld: REASON`."""
        reason = self.prediction.reason
        return "ok" if reason is None else f"withheld: {reason}"

    def what_if(self, *questions: str) -> WhatIf | Prediction:
        """Both courses under a change of plan; the withheld prediction where there is none.

        Args:
            questions: for example `"delay carboplatin 7d"`; all together make the other plan.

        Raises:
            WhatIfError: a question is not understood, or names a drug that is not planned.
        """
        from redcell.forecasting.what_if import what_if

        return what_if(self._forecaster, self._situation, questions)

    def to_dict(self) -> dict[str, Any]:
        """The forecast as the output contract has it."""
        from redcell.outputs.forecast import forecast_dict

        return forecast_dict(self.prediction, self.steps)

    def to_text(self) -> str:
        """A page for a person, without color."""
        from redcell.outputs.forecast import forecast_page

        return forecast_page(self.prediction, self.steps)

    def to_frame(self) -> pl.DataFrame:
        """One row per day ahead as a Polars frame; needs the extra `frames`."""
        from msgspec.structs import asdict

        return _frame([asdict(day) for day in self.prediction.days])

    def _repr_html_(self) -> str:
        from redcell.outputs.html import fragment

        return fragment(self.steps)

    def __repr__(self) -> str:
        patient = self.steps.case.record.patient.reference
        days = len(self.prediction.days)
        return f"Forecast({patient} at {self.prediction.at}: {self.status}, {days} days)"


def read(
    source: str | Path, *, patient: str | None = None, policy: str | Path | None = None
) -> Record:
    """One patient's record from a file, folder, `-`, or `demo::name`.

    Args:
        source: FHIR R4 (Bundle, resource, NDJSON), HL7 v2, or CSV of laboratory results.
        patient: which patient, when the source holds several.
        policy: a site's policy file, when its code tables matter for reading.

    Raises:
        UnreadableSourceError: nothing in the source could be read.
        SeveralPatientsError: the source holds several patients and none was chosen.
    """
    return _read(source, patient=patient, base=knowledge_of(policy))


def assess(
    record: Record,
    *,
    at: str | date | datetime,
    policy: str | Path | None = None,
    forecast: bool = True,
    calibration: str | Path | None = None,
    seed: int | None = None,
) -> Review:
    """Run the care loop over a record as known at `at`.

    Args:
        record: from `read`.
        at: the moment of the assessment; text as in FHIR, a time without an offset is UTC.
        policy: a site's policy file.
        forecast: whether the red-cell model looks ahead; it never changes a decision.
        calibration: a site's calibration file of the model.
        seed: of the forecast's draws; without one it follows from the data.

    Raises:
        DeceasedPatientError: the patient died on or before `at`.
        UnderageError: the patient is under 18 at `at`.
        PolicyError: the policy file is not valid.
        CalibrationError: the calibration file is not valid.
    """
    forecaster = _forecaster(calibration, seed=seed) if forecast else None
    return Review(run(record, moment_of(at), knowledge_of(policy), forecaster))


def forecast(
    record: Record,
    *,
    at: str | date | datetime,
    days: int = 28,
    seed: int | None = None,
    policy: str | Path | None = None,
    calibration: str | Path | None = None,
) -> Forecast:
    """Where hemoglobin is going, whether blood will be needed, and where it went.

    Args:
        record: from `read`.
        at: the moment of the forecast.
        days: how far ahead, 28 to 84.
        seed: of the draws; without one it follows from the data.
        policy: a site's policy file, for example with its transfusion threshold.
        calibration: a site's calibration file of the model.

    Raises:
        RedcellError: as `assess`.
    """
    forecaster = _forecaster(calibration, days=days, seed=seed)
    asked: list[Situation] = []

    def listening(situation: Situation) -> Prediction:
        asked.append(situation)
        return forecaster(situation)

    steps = run(record, moment_of(at), knowledge_of(policy), listening)
    return Forecast(steps, asked[0], forecaster)


def _forecaster(
    calibration: str | Path | None, *, days: int = 28, seed: int | None = None
) -> Forecaster:
    from redcell.forecasting import Forecaster

    return Forecaster(days=days, seed=seed, calibration=calibration_of(calibration))


def measurements(record: Record) -> pl.DataFrame:
    """Every measured value of a record as a Polars frame, oldest first; needs `frames`."""
    rows = [
        {
            "analyte": m.analyte,
            "value": m.value,
            "unit": m.ucum,
            "time": m.time.time,
            "status": m.status,
            "low": m.low,
            "high": m.high,
            "reference": m.reference,
        }
        for rows in record.results.values()
        for m in rows
    ]
    return _frame(sorted(rows, key=lambda r: (str(r["time"]), str(r["analyte"]))))


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    try:
        import polars
    except ImportError as error:
        raise RedcellError(
            "Tables need the extra `frames`: pip install 'redcell[frames]'."
        ) from error
    return polars.DataFrame(rows)


def _unknown(steps: Steps, name: str) -> str:
    from difflib import get_close_matches

    from redcell.outputs.explain import all_findings

    known: Iterator[str] = (n for f in all_findings(steps) for n in (f.rule, f.name))
    near = get_close_matches(name, sorted(set(known)), n=3, cutoff=0.4)
    hint = f" Near: {', '.join(near)}." if near else ""
    return f"No rule or finding {name!r} ran for this patient.{hint}"
