"""HL7 v2 over MLLP: frames, answers, and the listener."""

from redcell.feeds.mllp.connection import Limits
from redcell.feeds.mllp.counts import Counts
from redcell.feeds.mllp.listener import Listener

__all__ = ["Counts", "Limits", "Listener"]
