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
SPECIFIC = frozenset({"haptoglobin", "smear", "dat"})
"""Findings of hemolysis that a liver metastasis does not give."""

FRAGILE = ("g6pd-deficiency", "inherited-hemolytic-anemia", "sickle-cell-disease")


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
    if _destroyed(case, blood, flags):
        return "hemolysis-suspected"
    if flags.fired(*BLEEDING):
        return "bleeding-suspected"
    return None


def _destroyed(case: Case, blood: BloodPicture, flags: RedFlags) -> bool:
    """Is hemolysis suspected? Sooner than it is diagnosed: a wrong forecast costs more than none.

    The patterns of hemolysis; one specific finding, or two of any kind; and in someone whose red
    cells are known to be fragile any finding, a raised total bilirubin among them.
    """
    found = blood.hemolysis.value
    if found.met or blood.microangiopathy.value or flags.fired("W-a"):
        return True
    if set(HEMOLYSIS) & set(blood.rules) or SPECIFIC & set(found.findings):
        return True
    fragile = case.diagnosis(*FRAGILE) is not None
    any_sign = bool(found.findings) or case.above("bilirubin-total") is not None
    return len(found.findings) > 1 or (fragile and any_sign)
