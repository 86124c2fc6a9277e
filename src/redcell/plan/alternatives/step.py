"""S5 Alternatives: weigh the eight options for one patient."""

from __future__ import annotations

from redcell.findings.case import Case
from redcell.findings.causes import (
    Causes,
)
from redcell.findings.patterns import BloodPicture
from redcell.findings.red_flags import RedFlags
from redcell.findings.stores import Stores
from redcell.findings.surveillance import Surveillance
from redcell.plan.alternatives.counsel import Alternatives, Option
from redcell.plan.alternatives.picks import (
    ANTIFOLATE_CONFLICT,
    candidates,
    dose_counsel,
    esa_counsel,
    treatable_flags,
    treatment_leads,
)
from redcell.plan.alternatives.rules import (
    diet,
    folate,
    iv_iron,
    oral_iron,
    treat_cause,
    vitamin_b12,
)
from redcell.plan.transfusion import TransfusionPlan


def weigh_options(
    case: Case,
    survey: Surveillance,
    blood: BloodPicture,
    flags: RedFlags,
    causes: Causes,
    stores: Stores,
    transfusion: TransfusionPlan,
) -> Alternatives:
    """Pick the facts and answer for each of the eight options."""
    k = case.knowledge
    drug_leads = treatment_leads(case, causes)
    infection = tuple(
        x
        for x in (case.diagnosis("active-infection", "sepsis"), case.hot, *case.has("rigors"))
        if x is not None
    )
    antifolates = tuple(t for s, t in case.cancer_drugs.items() if s in ANTIFOLATE_CONFLICT)
    iron = stores.iron
    dose, dose_names = dose_counsel(case, survey, blood, flags, causes)
    cause_counsel = treat_cause(
        k, candidates(case, causes), treatable_flags(case, flags, transfusion)
    )
    options = (
        Option("oral-iron", oral_iron(k, iron, drug_leads, case.above("crp"))),
        Option("iv-iron", iv_iron(k, iron, infection)),
        Option("diet", diet(k, iron, drug_leads)),
        Option("vitamin-b12", vitamin_b12(k, case.current("vitamin-b12"), stores.b12_low)),
        Option(
            "folate",
            folate(k, stores.folate_low, antifolates, case.current("vitamin-b12")),
            tuple(t.drug for t in antifolates),
        ),
        Option("esa", esa_counsel(case, survey, stores, transfusion)),
        Option("dose-change", dose, dose_names),
        Option("treat-cause", cause_counsel),
    )
    return Alternatives(options)
