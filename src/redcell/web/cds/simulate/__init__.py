"""A CDS client for trials: it withholds prefetch in every way that clients do."""

from redcell.web.cds.simulate.client import Answered, Asking, Target, discover, run
from redcell.web.cds.simulate.ways import WAYS, Try, tries

__all__ = ["WAYS", "Answered", "Asking", "Target", "Try", "discover", "run", "tries"]
