"""Published facts as data: every number, code, drug, site, symptom and sentence with its source."""

from redcell.knowledge.load import Cited, Knowledge, knowledge

__all__ = ["Cited", "Knowledge", "knowledge"]
