"""S5 Alternatives: what else could raise the count, for whom, and when it cannot."""

from redcell.plan.alternatives.counsel import OPTIONS, Alternatives, Counsel, Option
from redcell.plan.alternatives.picks import treatment_leads
from redcell.plan.alternatives.step import weigh_options

__all__ = ["OPTIONS", "Alternatives", "Counsel", "Option", "treatment_leads", "weigh_options"]
