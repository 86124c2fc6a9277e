"""S4 Transfusion: whether, which component, how many units, how long, what to watch."""

from redcell.plan.transfusion.decision import TransfusionPlan, Verdict
from redcell.plan.transfusion.picks import unclear_refusal
from redcell.plan.transfusion.step import plan_transfusion

__all__ = ["TransfusionPlan", "Verdict", "plan_transfusion", "unclear_refusal"]
