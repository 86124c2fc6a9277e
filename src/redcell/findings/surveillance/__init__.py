"""S1 Surveillance: anemic? how badly? can the value be trusted? which way is it going?"""

from redcell.findings.surveillance.count import Status, Surveillance, Suspicion, Trend
from redcell.findings.surveillance.identity import Mismatch
from redcell.findings.surveillance.step import survey

__all__ = ["Mismatch", "Status", "Surveillance", "Suspicion", "Trend", "survey"]
