"""S4 Transfusion: whether, which component, how many units, how long, what to watch."""

from redcell.plan.transfusion.decision import TransfusionPlan, Verdict
from redcell.plan.transfusion.picks import unclear_refusal
from redcell.plan.transfusion.step import overload_factors, plan_transfusion, refusal_stands

__all__ = [
    "TransfusionPlan",
    "Verdict",
    "overload_factors",
    "plan_transfusion",
    "refusal_stands",
    "unclear_refusal",
]
