"""S3 Causes: weigh every cause with every piece of evidence in the record."""

from __future__ import annotations

from redcell.findings.case import (
    ENDOCRINE,
    Case,
)
from redcell.findings.causes.facts import Facts
from redcell.findings.causes.judgments import EVIDENCE
from redcell.findings.causes.names import (
    ALWAYS,
    BACKGROUND,
    DIC,
    DRUG,
    INHERITED,
    RADIOTHERAPY,
    SPECIMEN,
)
from redcell.findings.causes.weights import Causes, Weights, drug_weight, starting_weight
from redcell.findings.marrow_fields import Irradiation
from redcell.findings.patterns import (
    BloodPicture,
)
from redcell.findings.red_flags import RedFlags
from redcell.findings.surveillance import Surveillance
from redcell.record.disease import Diagnosis


def attribute(
    case: Case, survey: Surveillance, blood: BloodPicture, fields: Irradiation, flags: RedFlags
) -> Causes:
    """Weigh every cause with every piece of evidence in the record."""
    facts = Facts(case, survey, blood, fields, flags)
    weights = Weights()
    if not (survey.below_limit or survey.delta.value.failed):
        return Causes((), (), {})
    _start(facts, weights)
    for evidence in EVIDENCE:
        evidence(facts, weights)
    return Causes(weights.ranked(), (), weights.started)


def _start(f: Facts, w: Weights) -> None:
    case, k = f.case, f.k
    hemoglobin = case.hemoglobin
    for slug, treatment in sorted(case.cancer_drugs.items()):
        began = treatment.first
        if began is not None and hemoglobin is not None and began > hemoglobin.time:
            continue
        drug = k.drugs[slug]
        rate = drug.rate.value if drug.rate else None
        endocrine = drug.drug_class == ENDOCRINE
        w.start(f"{DRUG}{slug}", drug_weight(k, treatment, endocrine, rate, f.index))
    others = list(ALWAYS)
    if f.fields.courses:
        others.append(RADIOTHERAPY)
    if f.flags.specimen_suspect.value or f.survey.delta.value.failed:
        others.append(SPECIMEN)
    if inherited(case) or f.blood.lifelong.value:
        others.append(INHERITED)
    if case.diagnosis(DIC) or f.blood.coagulation.value.score >= f.lr("dic_suspected"):
        others.append(DIC)
    for cause in (*others, BACKGROUND):
        w.start(cause, starting_weight(k, cause))


def inherited(case: Case) -> Diagnosis | None:
    """Any inherited anemia on record."""
    return case.diagnosis("thalassemia", "sickle-cell-disease", "inherited-hemolytic-anemia")
