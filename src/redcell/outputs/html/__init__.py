"""Pages: the report for the care team, the letter to the patient, the fragment for notebooks."""

from redcell.outputs.html.letter import letter
from redcell.outputs.html.report import Page, fragment, report

__all__ = ["Page", "fragment", "letter", "report"]
