"""What is asked of a source: whose red cells, as known when, by which numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from redcell.forecasting import Calibration
from redcell.knowledge.load import Knowledge
from redcell.population.each import Each, Plan
from redcell.population.progress import Progress, silent
from redcell.population.reading.source import Form
from redcell.record.moment import Moment

T = TypeVar("T")
SEED = 1


class Question(Struct, frozen=True):
    """A source, a moment, and how the work is done."""

    source: Path
    """a folder of FHIR NDJSON, or an OMOP CDM"""
    at: Moment
    """nothing dated later is used, except treatment that is planned"""
    knowledge: Knowledge
    """the knowledge base, with the site's policy"""
    calibration: Calibration | None = None
    """the site's noise and priors"""
    seed: int = SEED
    """of the joint draws"""
    workers: int | None = None
    """processes; by default one for each core"""
    rejected: Path | None = None
    """where rejected input is kept, one JSON object a line"""
    form: Form = "fhir"
    """what the source is"""
    progress: Progress = silent
    """what is told how far the run is"""

    def each(self, plan: Plan[T], title: str) -> Each[T]:
        """Everybody in the source, with what is to be done."""
        return Each(
            self.source, plan, self.knowledge, title=title, workers=self.workers, form=self.form
        )
