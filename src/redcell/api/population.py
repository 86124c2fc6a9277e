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

    A Polars table with one row for each adult who is alive at the moment, and always the same 43
    columns (docs/reference/cohort.md): hemoglobin in g/dL, trend in g/dL a week, probabilities 0
    to 1, times in UTC. A cell is empty where nothing is known. `.to_arrow()` gives an Arrow table.

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
        UnreadableSourceError: no patient was found in the source.
        PolicyError: the policy file is not valid.
        RedcellError: the moment or the calibration cannot be read, an extra is missing, `memory`
            is below 64 MiB, or `resume` holds something else.
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
    """Newest hemoglobin, grade and slope of every patient of a folder of FHIR NDJSON, by a scan.

    A Polars table, one row for each patient, ordered by patient: `patient_id`,
    `hemoglobin_g_dl`, `hemoglobin_time` (UTC), `ctcae_grade`, `trend_g_dl_per_week`. Nothing else
    of the record is read; docs/reference/cohort.md says what that leaves out.

    Raises:
        UnreadableSourceError: no patient was found in the source.
        RedcellError: the extra `frames` is not installed.
    """
    from redcell.population.hemoglobin import hemoglobin as scan

    return scan(Path(source), moment_of(at), knowledge_of(policy), workers=workers)


def demand(
    source: str | Path,
    *,
    at: str | date | datetime,
    policy: str | Path | None = None,
    calibration: str | Path | None = None,
    closed: Iterable[date] = (),
    practiced: bool = False,
    seed: int = 1,
    workers: int = 1,
    form: Literal["fhir", "omop"] = "fhir",
) -> pl.DataFrame:
    """Red-cell units and chair hours that a folder's people will need, moved to open days.

    A Polars table with 33 rows for each total: 28 days, 4 weeks, and all 28 days together. The
    first 28 are the days of everybody; then come sites, blood groups, and groups of sites. Units
    are red-cell units, with mean and 5, 25, 50, 75, 95 % quantiles of the total
    (docs/reference/demand.md). With several workers a script guards its entry.

    Args:
        source: a folder of FHIR Bulk Data NDJSON, or an OMOP CDM.
        at: the moment of the forecasts; the first day is the one after it.
        policy: a site's policy file.
        calibration: a site's calibration file of the model.
        closed: days without transfusions; what falls on one moves to the next open day.
        practiced: what the site gives, learned from its last months, and not what the policy
            would give; the policy's where fewer than 20 sessions are on record.
        seed: of the joint draws.
        workers: processes.
        form: what the source is.

    Raises:
        UnreadableSourceError: no patient was found in the source.
        PolicyError: the policy file is not valid.
        RedcellError: the moment or the calibration cannot be read, or an extra is missing.
    """
    from redcell.population.demand.outlook import look
    from redcell.population.demand.practiced import look_practiced
    from redcell.population.demand.question import Question
    from redcell.population.demand.table import schema, table

    schema()  # fails before the work rather than after it
    asked = Question(
        Path(source),
        moment_of(at),
        knowledge_of(policy),
        calibration=calibration_of(calibration),
        seed=seed,
        workers=workers,
        form=form,
    )
    found, _ = look_practiced(asked) if practiced else look(asked)
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
    """How the practice of a folder compares with its rules, one row for each measure.

    A Polars table of 7 rows: counts of events and of people, shares 0 to 1 with a 95 % interval;
    a count of fewer than 11 people is empty (docs/reference/quality.md). With several workers a
    script guards its entry.

    Args:
        source: a folder of FHIR Bulk Data NDJSON, or an OMOP CDM.
        at: the end of the period; nothing later is used.
        policy: a site's policy file.
        days: the length of the period; 365, or the site's own, when not given.
        events: one row for each event of a person instead, with its evidence: patients' data,
            nothing left out.
        workers: processes.
        form: what the source is.

    Raises:
        UnreadableSourceError: no patient was found in the source.
        PolicyError: the policy file is not valid.
        RedcellError: the moment cannot be read, or an extra is missing.
    """
    from redcell.population.quality import table
    from redcell.population.quality.look import look

    known = knowledge_of(policy)
    practice, _ = look(Path(source), moment_of(at), known, days=days, workers=workers, form=form)
    return table.events(practice) if events else table.measures(practice, known)
