"""S5 Alternatives: what else could raise the count, for whom, and when it cannot."""

from redcell.plan.alternatives.counsel import OPTIONS, Advice, Alternatives, Counsel, Option
from redcell.plan.alternatives.picks import (
    ANTIFOLATE_CONFLICT,
    NOT_TREATED,
    candidates,
    dose_counsel,
    esa_counsel,
    suppressing,
    treatable_flags,
    treatment_leads,
)
from redcell.plan.alternatives.rules import (
    diet,
    dose_change,
    esa,
    folate,
    iv_iron,
    oral_iron,
    treat_cause,
    vitamin_b12,
)
from redcell.plan.alternatives.step import weigh_options

__all__ = [
    "ANTIFOLATE_CONFLICT",
    "NOT_TREATED",
    "OPTIONS",
    "Advice",
    "Alternatives",
    "Counsel",
    "Option",
    "candidates",
    "diet",
    "dose_change",
    "dose_counsel",
    "esa",
    "esa_counsel",
    "folate",
    "iv_iron",
    "oral_iron",
    "suppressing",
    "treat_cause",
    "treatable_flags",
    "treatment_leads",
    "vitamin_b12",
    "weigh_options",
]
