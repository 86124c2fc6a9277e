"""FHIR Observations: laboratory results, vital signs, smear, symptoms, ECOG, smoking."""

from redcell.sources.fhir.observations.laboratory import read_result
from redcell.sources.fhir.observations.read import read_observation
from redcell.sources.fhir.observations.symptoms import read_symptom, symptom_grade
from redcell.sources.fhir.observations.values import (
    COURSES,
    FLUIDS,
    ONSET,
    SILENT,
    USED,
    Stamp,
    Value,
)

__all__ = [
    "COURSES",
    "FLUIDS",
    "ONSET",
    "SILENT",
    "USED",
    "Stamp",
    "Value",
    "read_observation",
    "read_result",
    "read_symptom",
    "symptom_grade",
]
