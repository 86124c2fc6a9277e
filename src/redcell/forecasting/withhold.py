"""When there is no forecast, and why."""

from __future__ import annotations

from redcell.findings.case import Case
from redcell.findings.patterns import BloodPicture
from redcell.findings.red_flags import RedFlags
from redcell.findings.surveillance import Surveillance
from redcell.prediction import Withheld
from redcell.record.measured import Measured
from redcell.record.moment import days_between

HEMOLYSIS = ("M8", "M9", "W-a")
BLEEDING = ("S-R4", "S-R24")


def reason(
    case: Case,
    survey: Surveillance,
    blood: BloodPicture,
    flags: RedFlags,
    counts: tuple[Measured, ...],
) -> Withheld | None:
    """Why no forecast can be made of this record; none when one can.

    The model knows neither hemolysis nor a bleed of unknown size, and a count that is not to be
    trusted would move everything after it.
    """
    number = case.knowledge.value
    if survey.status.value == "provisional":
        return "provisional-count"
    if flags.specimen_suspect.value:
        return "specimen-suspected"
    if len(counts) < number("erythropoiesis.fewest_counts"):
        return "no-counts"
    if days_between(counts[-1].time, case.at) > number("erythropoiesis.stale_days"):
        return "counts-too-old"
    if _destroyed(blood, flags):
        return "hemolysis-suspected"
    if flags.fired(*BLEEDING):
        return "bleeding-suspected"
    return None


def _destroyed(blood: BloodPicture, flags: RedFlags) -> bool:
    laboratory = blood.hemolysis.value.met or blood.microangiopathy.value
    return laboratory or bool(set(HEMOLYSIS) & set(blood.rules)) or bool(flags.fired("W-a"))
