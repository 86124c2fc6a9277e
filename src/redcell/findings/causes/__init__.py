"""S3 Causes: which causes explain this anemia, with what probability, and what was not tested."""

from redcell.findings.causes.names import (
    B12,
    BACKGROUND,
    BLEEDING,
    DRUG,
    FOLATE,
    FRAGMENTATION,
    IMMUNE,
    INFILTRATION,
    INFLAMMATION,
    INHERITED,
    IRON_ABSOLUTE,
    RADIOTHERAPY,
    SPECIMEN,
)
from redcell.findings.causes.step import attribute
from redcell.findings.causes.weights import Attribution, Causes

__all__ = [
    "B12",
    "BACKGROUND",
    "BLEEDING",
    "DRUG",
    "FOLATE",
    "FRAGMENTATION",
    "IMMUNE",
    "INFILTRATION",
    "INFLAMMATION",
    "INHERITED",
    "IRON_ABSOLUTE",
    "RADIOTHERAPY",
    "SPECIMEN",
    "Attribution",
    "Causes",
    "attribute",
]
