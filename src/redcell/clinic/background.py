"""All that happens without anybody asking: assessing, notices, the daily round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redcell.clinic import corrections, demo, notices
from redcell.clinic.daily import Daily
from redcell.clinic.intake import ASSESS
from redcell.clinic.worker import Worker

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic


def assessor(clinic: Clinic) -> Worker:
    """The worker that assesses; in a demonstration's folder it takes in invented people too."""
    return Worker(clinic, {ASSESS: corrections.assess, **demo.HANDLERS})


class Background:
    """The threads that do background work; one process of an installation runs them.

    Notices have a worker of their own: a destination that answers slowly delays no assessment.
    """

    def __init__(self, clinic: Clinic) -> None:
        self.assessing = assessor(clinic)
        self.telling = Worker(clinic)
        self.telling.handlers = dict(notices.HANDLERS)
        self.daily = Daily(clinic)

    def start(self) -> None:
        """Start the threads."""
        self.assessing.start()
        self.telling.start()
        self.daily.start()

    def stop(self) -> None:
        """Finish what is in hand, anchor the audit, and stop."""
        self.assessing.stop()
        self.telling.stop()
        self.daily.stop()
