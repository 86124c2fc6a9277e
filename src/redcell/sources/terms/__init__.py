"""Which analyte, symptom, drug, diagnosis or site a code or a word means."""

from redcell.sources.terms.concept import Code, Concept, Drugs, Place, SymptomMatch
from redcell.sources.terms.index import HER2, Terms, plausible_as_sent, terms
from redcell.sources.terms.words import (
    BLANKS,
    LEVEL,
    PUNCTUATION,
    SPINE,
    Keywords,
    icd_match,
    levels_in,
    normal,
    slugify,
    squeeze,
)

__all__ = [
    "BLANKS",
    "HER2",
    "LEVEL",
    "PUNCTUATION",
    "SPINE",
    "Code",
    "Concept",
    "Drugs",
    "Keywords",
    "Place",
    "SymptomMatch",
    "Terms",
    "icd_match",
    "levels_in",
    "normal",
    "plausible_as_sent",
    "slugify",
    "squeeze",
    "terms",
]
