"""The Python interface: read a record, assess it, look at the answer.

>>> import redcell
>>> record = redcell.read("demo::okafor")
>>> review = redcell.assess(record, at="2026-11-22T09:00:00Z")
>>> review.urgency
'same-day'
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from redcell.errors import RedcellError, UnknownRuleError
from redcell.knowledge.load import Knowledge, knowledge
from redcell.loop import Situation, Steps, run
from redcell.prediction import Prediction, WhatIf
from redcell.record.moment import Moment, on_day, utc
from redcell.record.record import Record
from redcell.sources.read import read as _read

if TYPE_CHECKING:
    import polars as pl

    from redcell.forecasting import Calibration, Forecaster


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
    return _read(source, patient=patient, base=_knowledge(policy))


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
    return Review(run(record, moment_of(at), _knowledge(policy), forecaster))


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

    steps = run(record, moment_of(at), _knowledge(policy), listening)
    return Forecast(steps, asked[0], forecaster)


def _forecaster(
    calibration: str | Path | None, *, days: int = 28, seed: int | None = None
) -> Forecaster:
    from redcell.forecasting import Forecaster

    return Forecaster(days=days, seed=seed, calibration=_calibration(calibration))


def cohort(
    source: str | Path,
    *,
    at: str | date | datetime,
    policy: str | Path | None = None,
    calibration: str | Path | None = None,
    forecasts: bool = True,
    workers: int = 1,
    form: Literal["fhir", "omop"] = "fhir",
    memory: int | None = None,
    resume: str | Path | None = None,
) -> pl.DataFrame:
    """One row for every patient of a source, ordered by patient; needs the extra `frames`.

    With several workers a script guards its entry (`if __name__ == "__main__":`).

    Args:
        source: a folder of FHIR Bulk Data NDJSON, or an OMOP CDM.
        at: the moment of the assessments.
        policy: a site's policy file.
        calibration: a site's calibration file of the model.
        forecasts: fill the forecast columns.
        workers: processes.
        form: what the source is.
        memory: bytes that grouping by patient may use; 1 GiB when not given.
        resume: a folder for what is done so far; the same run goes on with it after it was killed.

    Raises:
        RedcellError: no patient was found, or an extra is missing.
    """
    from redcell.population.cohort import MEMORY
    from redcell.population.cohort import cohort as run_cohort

    return run_cohort(
        Path(source),
        moment_of(at),
        _knowledge(policy),
        workers=workers,
        calibration=_calibration(calibration),
        forecasts=forecasts,
        form=form,
        memory=memory or MEMORY,
        resume=Path(resume) if resume is not None else None,
    )[0]


def hemoglobin(
    source: str | Path,
    *,
    at: str | date | datetime,
    policy: str | Path | None = None,
    workers: int = 1,
) -> pl.DataFrame:
    """Newest hemoglobin, grade and slope of every patient of a folder of FHIR NDJSON, by a scan."""
    from redcell.population.hemoglobin import hemoglobin as scan

    return scan(Path(source), moment_of(at), _knowledge(policy), workers=workers)


def demand(
    source: str | Path,
    *,
    at: str | date | datetime,
    policy: str | Path | None = None,
    calibration: str | Path | None = None,
    closed: Iterable[date] = (),
    seed: int = 1,
    workers: int = 1,
) -> pl.DataFrame:
    """Red-cell units and chair hours that a folder's people will need, moved to open days."""
    from redcell.population.demand.outlook import look
    from redcell.population.demand.table import table

    given = Path(source), moment_of(at), _knowledge(policy)
    found, _ = look(*given, workers=workers, calibration=_calibration(calibration), seed=seed)
    return table(found, frozenset(closed))


def quality(
    source: str | Path,
    *,
    at: str | date | datetime,
    policy: str | Path | None = None,
    days: float | None = None,
    events: bool = False,
    workers: int = 1,
) -> pl.DataFrame:
    """How the practice of a folder compares with its rules, one row for each measure; see `cohort`.

    With `events` one row for each event of a person instead, with its evidence: patients' data.
    """
    from redcell.population.quality import table
    from redcell.population.quality.look import look

    known = _knowledge(policy)
    practice, _ = look(Path(source), moment_of(at), known, days=days, workers=workers)
    return table.events(practice) if events else table.measures(practice, known)


def _calibration(path: str | Path | None) -> Calibration | None:
    from redcell.forecasting import read_calibration

    return read_calibration(Path(path)) if path is not None else None


def moment_of(at: str | date | datetime) -> Moment:
    """The moment that a user's `at` means.

    Raises:
        RedcellError: when the text is not a date or time.
    """
    if isinstance(at, datetime):
        return utc(at)
    if isinstance(at, date):
        return utc(on_day(at).time)
    from redcell.sources.fhir.times import BadTimeError, moment

    try:
        return utc(moment(at)[0].time)
    except BadTimeError as error:
        raise RedcellError(
            f"--at {at}: {error}. Expected for example 2026-11-20T09:00:00Z or 2026-11-20."
        ) from error


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


def _knowledge(policy: str | Path | None) -> Knowledge:
    return knowledge(Path(policy)) if policy is not None else knowledge()


def _unknown(steps: Steps, name: str) -> str:
    from difflib import get_close_matches

    from redcell.outputs.explain import all_findings

    known: Iterator[str] = (n for f in all_findings(steps) for n in (f.rule, f.name))
    near = get_close_matches(name, sorted(set(known)), n=3, cutoff=0.4)
    hint = f" Near: {', '.join(near)}." if near else ""
    return f"No rule or finding {name!r} ran for this patient.{hint}"
