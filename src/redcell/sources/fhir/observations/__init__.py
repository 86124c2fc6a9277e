"""FHIR Observations: laboratory results, vital signs, smear, symptoms, ECOG, smoking."""

from redcell.sources.fhir.observations.laboratory import original, value_again
from redcell.sources.fhir.observations.read import read_observation
from redcell.sources.fhir.observations.symptoms import symptom_grade
from redcell.sources.fhir.observations.values import FLUIDS, Value

__all__ = ["FLUIDS", "Value", "original", "read_observation", "symptom_grade", "value_again"]
