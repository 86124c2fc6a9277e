"""Judges CDS Hooks requests, responses and service lists as HL7's reference validator does."""

from redcell.web.cds.judge.judge import Form, form_of, judge, judge_drafts
from redcell.web.cds.judge.outcome import Issue, outcome, refuses

__all__ = ["Form", "Issue", "form_of", "judge", "judge_drafts", "outcome", "refuses"]
