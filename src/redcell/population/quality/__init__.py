"""How practice compares with its rules, over everybody: measures whose numerators can be opened."""

from redcell.population.quality.event import Event
from redcell.population.quality.look import Practice, events_of
from redcell.population.quality.measures import MEASURES, Measure
from redcell.population.quality.totals import Shown, Total, shown, totals

__all__ = [
    "MEASURES",
    "Event",
    "Measure",
    "Practice",
    "Shown",
    "Total",
    "events_of",
    "shown",
    "totals",
]
