"""The Python interface: read a record, assess it, look at the answer.

>>> import redcell
>>> record = redcell.read("demo::okafor")
>>> review = redcell.assess(record, at="2026-11-22T09:00:00Z")
>>> review.urgency
'same-day'
"""

from __future__ import annotations

from redcell.api.given import moment_of
from redcell.api.patient import Forecast, Review, assess, forecast, measurements, read
from redcell.api.population import cohort, demand, hemoglobin, quality

__all__ = [
    "Forecast",
    "Review",
    "assess",
    "cohort",
    "demand",
    "forecast",
    "hemoglobin",
    "measurements",
    "moment_of",
    "quality",
    "read",
]
