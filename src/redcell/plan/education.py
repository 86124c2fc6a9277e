"""S8 Education: the plain-language pages that fit this record."""

from __future__ import annotations

from msgspec import Struct

from redcell.findings.case import Case
from redcell.findings.causes import INFILTRATION, Causes
from redcell.findings.marrow_fields import Irradiation
from redcell.findings.stores import Stores
from redcell.findings.surveillance import Surveillance
from redcell.plan.alternatives import Alternatives, treatment_leads
from redcell.plan.bloodwork import GRADE_2
from redcell.plan.transfusion import TransfusionPlan


class Page(Struct, frozen=True):
    """One teaching page; `variant` names its text where the record decides which one is true."""

    id: str
    rules: tuple[str, ...]
    variant: str = ""


def pages(
    case: Case,
    survey: Surveillance,
    fields: Irradiation,
    causes: Causes,
    stores: Stores,
    transfusion: TransfusionPlan,
    alternatives: Alternatives,
) -> tuple[Page, ...]:
    """Choose the pages, in reading order."""
    decision = transfusion.verdict.value.decision
    grade = survey.grade.value
    wanted = (
        (Page("what-anemia-is", ("G-c",)), survey.anemic),
        (Page("treatment-and-anemia", ("D1",)), bool(case.cancer_drugs)),
        (Page("radiation-and-marrow", ("R7",)), bool(fields.courses)),
        (Page("cancer-in-marrow", ("W7",)), causes.among_top_two(INFILTRATION)),
        (Page("blood-tests", ("O1",)), True),
        (Page("symptoms-to-report", ("S-R17",)), True),
        (
            Page("transfusion-what-to-expect", ("T23",)),
            decision in ("recommend", "consider", "emergency"),
        ),
        (Page("iron-and-food", iron_rules(stores), iron_variant(stores, causes, case)), True),
        (Page("esa-medicines", ("E3",)), alternatives.advice("esa") != "not-eligible"),
        (Page("fatigue", ("F3",)), bool(case.has("fatigue", "weakness"))),
        (Page("living-and-work", ("F10",)), grade is not None and grade >= GRADE_2),
        (Page("palliative-care", ("T18",)), transfusion.last_weeks.value),
    )
    return tuple(page for page, holds in wanted if holds)


def iron_variant(stores: Stores, causes: Causes, case: Case) -> str:
    """Which of the fixed texts about iron is true for this person (S5.2).

    "Iron does not help" is said only to someone whose ferritin and saturation are known to be
    enough while a drug leads; never to someone who lacks iron or was not tested.
    """
    iron = stores.iron_class
    if iron is None:
        return "untested"
    if iron in ("definite", "possible"):
        return "lacking"
    if iron == "replete":
        ferritin, tsat = stores.iron.inputs["ferritin"], stores.iron.inputs["tsat"]
        full = tsat is not None and tsat.value >= stores.iron.cited["saturation"].value
        stored = ferritin is not None and ferritin.value >= stores.iron.cited["low"].value
        slowed = treatment_leads(case, causes)
        return "enough_treatment" if full and stored and slowed else "enough"
    return "locked" if iron == "functional" else "overload"


IRON_RULES = {
    "definite": ("I4",),
    "possible": ("I1",),
    "functional": ("I5",),
    "replete": ("I3",),
    "overload": ("I8",),
}


def iron_rules(stores: Stores) -> tuple[str, ...]:
    """The rules behind the text about iron."""
    return IRON_RULES.get(stores.iron_class or "", ("I1",))
