"""S3 Causes: what would matter and is not known."""

from __future__ import annotations

from redcell.findings.case import CHECKPOINT, Case
from redcell.findings.marrow_fields import Irradiation
from redcell.findings.patterns import BloodPicture, usable_ferritin
from redcell.findings.red_flags import RedFlags, heart_disease
from redcell.findings.surveillance import Surveillance

LISTED = (
    "reticulocytes",
    "smear",
    "ferritin",
    "tsat",
    "vitamin-b12",
    "folate",
    "ldh",
    "haptoglobin",
    "bilirubin",
    "dat",
    "creatinine-egfr",
    "crp",
    "tsh",
    "erythropoietin",
    "bleeding-history",
    "prior-hemoglobin",
    "transfusion-history",
    "symptoms",
    "cardiovascular-history",
    "drug-product",
    "radiotherapy-site",
    "weight-height",
    "marrow",
    "platelets",
    "leukocytes",
    "coagulation",
)


def not_assessed(
    case: Case,
    survey: Surveillance,
    blood: BloodPicture,
    fields: Irradiation,
    flags: RedFlags,
) -> tuple[str, ...]:
    """Names of what is not current and would bear on the answer, in the order of the closed list.

    Empty when the patient is known not to be anemic.
    """
    if survey.status.value == "not-anemic":
        return ()
    missing = {*_always(case, survey), *_when_pointed_at(case, survey, blood, flags)}
    if any(slug in case.knowledge.ambiguous for slug in case.cancer_drugs):
        missing.add("drug-product")
    if fields.courses and not fields.share.value.complete:
        missing.add("radiotherapy-site")
    return tuple(name for name in LISTED if name in missing)


def cardiovascular_history_known(case: Case) -> bool:
    """Is cardiovascular disease on record, or explicitly denied?"""
    return heart_disease(case) is not None or case.denied("cardiovascular-disease") is not None


def transfusion_history_known(case: Case) -> bool:
    """Does the record hold any transfusion, or a count of them?"""
    return bool(case.record.transfusions or case.record.transfusion_totals)


def _always(case: Case, survey: Surveillance) -> set[str]:
    answered = [case.reply(name) for name in case.named("bleeding_site")]
    known = {
        "reticulocytes": case.current("reticulocytes-percent") or case.current("reticulocytes"),
        "ferritin": usable_ferritin(case),
        "tsat": case.current("tsat"),
        "vitamin-b12": case.current("vitamin-b12"),
        "folate": case.current("folate"),
        "creatinine-egfr": case.current("egfr") or case.current("creatinine"),
        "crp": case.current("crp"),
        "platelets": case.current("platelets"),
        "leukocytes": case.current("leukocytes"),
        "bleeding-history": any(reply is not None for reply in answered),
        "symptoms": case.answers,
        "prior-hemoglobin": case.earlier_hemoglobin,
        "transfusion-history": transfusion_history_known(case),
        "cardiovascular-history": cardiovascular_history_known(case),
        "weight-height": case.current("weight") and case.current("height"),
    }
    return {name for name, value in known.items() if not value}


def _when_pointed_at(
    case: Case, survey: Surveillance, blood: BloodPicture, flags: RedFlags
) -> set[str]:
    number = case.knowledge.value
    index = survey.production_index.value
    checkpoint = bool(case.of_class(CHECKPOINT))
    brisk = index is not None and index >= number("pattern.rpi_weak")
    pigment = bool(case.has("dark-urine", "jaundice"))
    cells = case.seen("schistocytes") or case.seen("spherocytes")
    doubt = survey.fall.value or brisk or bool(cells) or pigment or checkpoint
    missing = set()
    if doubt:
        missing |= {n for n in ("ldh", "haptoglobin") if case.current(n) is None}
        if case.current("bilirubin-indirect") is None:
            missing.add("bilirubin")
    if (blood.hemolysis.value.met or (doubt and checkpoint)) and not _antiglobulin_known(case):
        missing.add("dat")
    few = blood.cytopenia.value
    if (few.platelets or few.leukocytes or brisk) and not _smear_known(case):
        missing.add("smear")
    if checkpoint and case.current("tsh") is None:
        missing.add("tsh")
    slow = survey.egfr.value is not None and survey.egfr.value < number("attribution.egfr_normal")
    if slow and case.current("erythropoietin") is None:
        missing.add("erythropoietin")
    suspect = blood.persisting_cytopenia.value or bool(flags.fired("S-R19"))
    if blood.leukoerythroblastic.value or suspect:
        missing.add("marrow")
    if _clotting_unknown(case):
        missing.add("coagulation")
    return missing


def _antiglobulin_known(case: Case) -> bool:
    return any(case.coded(name) is not None for name in ("dat", "dat-igg", "dat-complement"))


SMEAR = (
    "schistocytes",
    "teardrops",
    "spherocytes",
    "macroovalocytes",
    "hypersegmented",
    "polychromasia",
)


def _smear_known(case: Case) -> bool:
    return any(case.coded(name) is not None for name in SMEAR)


def _clotting_unknown(case: Case) -> bool:
    platelets = case.current("platelets")
    few = platelets is not None and platelets.value < case.knowledge.value("pattern.dic_question")
    bleeding = bool(case.has(*case.named("bleeding_site")))
    known = case.current("fibrinogen") is not None and (
        case.current("prothrombin-time") is not None or case.current("inr") is not None
    )
    return (few or bleeding) and not known
