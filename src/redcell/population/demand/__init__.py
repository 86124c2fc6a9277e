"""Red-cell units and chair hours that many people will need, and whether it came so."""

from redcell.population.demand.totals import (
    HORIZON,
    LEVELS,
    UNKNOWN,
    DayDemand,
    Demand,
    Need,
    Spread,
    by_group,
    demand,
    spread,
)

__all__ = [
    "HORIZON",
    "LEVELS",
    "UNKNOWN",
    "DayDemand",
    "Demand",
    "Need",
    "Spread",
    "by_group",
    "demand",
    "spread",
]
