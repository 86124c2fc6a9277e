"""S1 Surveillance: anemic? how badly? can the value be trusted? which way is it going?"""

from redcell.findings.surveillance.count import (
    LowerLimit,
    Severity,
    Status,
    Surveillance,
    Suspicion,
    Trend,
)
from redcell.findings.surveillance.rules import (
    WEEKDAYS,
    delta_check,
    fall,
    filtration,
    grade,
    lower_limit,
    production_index,
    red_cell_size,
    stale,
    status,
    trend,
    who_adjusted,
    who_severity,
)
from redcell.findings.surveillance.step import days_since, survey

__all__ = [
    "WEEKDAYS",
    "LowerLimit",
    "Severity",
    "Status",
    "Surveillance",
    "Suspicion",
    "Trend",
    "days_since",
    "delta_check",
    "fall",
    "filtration",
    "grade",
    "lower_limit",
    "production_index",
    "red_cell_size",
    "stale",
    "status",
    "survey",
    "trend",
    "who_adjusted",
    "who_severity",
]
