"""Many patients at once, as tables."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from redcell.api.given import calibration_of, knowledge_of, moment_of

if TYPE_CHECKING:
    import polars as pl


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
        knowledge_of(policy),
        workers=workers,
        calibration=calibration_of(calibration),
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

    return scan(Path(source), moment_of(at), knowledge_of(policy), workers=workers)


def demand(
    source: str | Path,
    *,
    at: str | date | datetime,
    policy: str | Path | None = None,
    calibration: str | Path | None = None,
    closed: Iterable[date] = (),
    seed: int = 1,
    workers: int = 1,
    form: Literal["fhir", "omop"] = "fhir",
) -> pl.DataFrame:
    """Red-cell units and chair hours that a folder's people will need, moved to open days."""
    from redcell.population.demand.outlook import look
    from redcell.population.demand.table import table

    given = Path(source), moment_of(at), knowledge_of(policy)
    fit = calibration_of(calibration)
    found, _ = look(*given, workers=workers, calibration=fit, seed=seed, form=form)
    return table(found, frozenset(closed))


def quality(
    source: str | Path,
    *,
    at: str | date | datetime,
    policy: str | Path | None = None,
    days: float | None = None,
    events: bool = False,
    workers: int = 1,
    form: Literal["fhir", "omop"] = "fhir",
) -> pl.DataFrame:
    """How the practice of a folder compares with its rules, one row for each measure; see `cohort`.

    With `events` one row for each event of a person instead, with its evidence: patients' data.
    """
    from redcell.population.quality import table
    from redcell.population.quality.look import look

    known = knowledge_of(policy)
    practice, _ = look(Path(source), moment_of(at), known, days=days, workers=workers, form=form)
    return table.events(practice) if events else table.measures(practice, known)
