"""S2 Symptoms: what needs a person now, and how soon (S-R rules, W0, M8, W-a)."""

from redcell.findings.red_flags.alarm import EMERGENCY, LEVELS, MODERATE, SEVERE, Alarm
from redcell.findings.red_flags.later import Urgency
from redcell.findings.red_flags.picks import (
    BLOOD_THINNERS,
    acute_coronary,
    heart_disease,
    high_calcium,
    weak_heart,
)
from redcell.findings.red_flags.step import RedFlags, raise_flags

__all__ = [
    "BLOOD_THINNERS",
    "EMERGENCY",
    "LEVELS",
    "MODERATE",
    "SEVERE",
    "Alarm",
    "RedFlags",
    "Urgency",
    "acute_coronary",
    "heart_disease",
    "high_calcium",
    "raise_flags",
    "weak_heart",
]
