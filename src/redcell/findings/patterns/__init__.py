"""S1 Surveillance: what the blood picture as a whole points at (M and W rules)."""

from redcell.findings.patterns.picks import (
    baseline,
    growth_factor_unrecorded,
    macrocytosis_drugs,
    negative_antiglobulin,
    positive_antiglobulin,
    recent_growth_factor,
    usable_ferritin,
)
from redcell.findings.patterns.picture import BloodPicture, Coagulation, Hemolysis
from redcell.findings.patterns.step import read_blood

__all__ = [
    "BloodPicture",
    "Coagulation",
    "Hemolysis",
    "baseline",
    "growth_factor_unrecorded",
    "macrocytosis_drugs",
    "negative_antiglobulin",
    "positive_antiglobulin",
    "read_blood",
    "recent_growth_factor",
    "usable_ferritin",
]
