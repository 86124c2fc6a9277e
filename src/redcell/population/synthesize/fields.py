"""Radiotherapy of invented people as the red-cell model sees it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from redcell.codes import SNOMED
from redcell.erythropoiesis.history import Course, History
from redcell.erythropoiesis.priors import Model
from redcell.erythropoiesis.schedule import schedule
from redcell.findings.marrow_fields import course_parts
from redcell.knowledge.load import Knowledge
from redcell.population.synthesize.life import Beam, Life
from redcell.population.synthesize.numbers import numbers
from redcell.record.radiation import RadiationCourse, RadiationField
from redcell.sources.terms import Code, Concept, terms


def radiation_left(k: Knowledge, m: Model, life: Life, days: int) -> np.ndarray:
    """Share of the marrow's capacity that the courses of a person leave, by day."""
    courses = tuple(Course(b.start, b.end, _parts(k, b)) for b in life.beams)
    return schedule(m, History(counts=(), now=days, courses=courses), days).radiation


def _parts(k: Knowledge, beam: Beam) -> tuple[tuple[float, float], ...]:
    return _shares(k, beam.site, beam.part, beam.gray)


@lru_cache(maxsize=256)
def _shares(k: Knowledge, site: str, part: str, gray: int) -> tuple[tuple[float, float], ...]:
    """Per irradiated part its share of the active marrow and its dose, as the reader finds them."""
    field = numbers(k).field[site]
    concept = Concept((Code(SNOMED, field.snomed, field.name),), field.name)
    fields = tuple(
        RadiationField(place.site, place.segments, float(gray), None, field.name)
        for place in terms(k).places(concept, part)
    )
    course = RadiationCourse(fields, None, None, "")
    return course_parts(course, dict(k.sites), k.value("radiation.table_total"))[0]
