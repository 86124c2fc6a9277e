"""Which analyte, symptom, drug, diagnosis or site a code or a word means."""

from redcell.sources.terms.concept import Code, Concept
from redcell.sources.terms.index import Terms, remembered, terms
from redcell.sources.terms.words import normal

__all__ = ["Code", "Concept", "Terms", "normal", "remembered", "terms"]
