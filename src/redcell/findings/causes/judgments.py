"""S3 Causes: apply each group of evidence to the weights."""

from __future__ import annotations

from collections.abc import Callable

from redcell.findings.case import (
    CHECKPOINT,
    CONJUGATE,
    CYTOTOXIC,
    PARP,
    Case,
)
from redcell.findings.causes.evidence import (
    b12_deficient,
    below_baseline,
    blasts_circulate,
    bleeds,
    coded_thalassemia,
    expected_lag,
    folate_deficient,
    fragments_and_few_platelets,
    ineffective_erythropoiesis,
    inherited_hemolysis,
    iron_locked,
    iron_low_both,
    kidney_failure,
    kidney_reduced,
    large_cells_on_drug,
    marrow_hardly_irradiated,
    marrow_irradiated,
    marrow_mostly_irradiated,
    megaloblastic_picture,
    phosphatase_with_bone_disease,
    platelets_with_bone_disease,
    possible_dic,
    proven_dic,
    small_cells_without_iron,
    specimen_error,
    tested_normal,
    thyroid_failure,
    untested_megaloblasts,
    without_iron,
)
from redcell.findings.causes.facts import Facts
from redcell.findings.causes.names import (
    ANY_DRUG,
    APLASIA,
    B12,
    BLEEDING,
    DIC,
    DRUG,
    EVERY_CAUSE,
    FOLATE,
    FRAGMENTATION,
    HEMOLYSIS,
    IMMUNE,
    INFILTRATION,
    INFLAMMATION,
    INHERITED,
    IRON,
    IRON_ABSOLUTE,
    IRON_FUNCTIONAL,
    KIDNEY,
    MARROW_ONLY,
    NEOPLASM,
    RADIOTHERAPY,
    SPECIMEN,
    THYROID,
)
from redcell.findings.causes.weights import Weights
from redcell.findings.patterns import (
    baseline,
    growth_factor_unrecorded,
    negative_antiglobulin,
    positive_antiglobulin,
)
from redcell.findings.red_flags import BLOOD_THINNERS
from redcell.record.measured import Measured
from redcell.record.moment import within


def _drug_evidence(f: Facts, w: Weights) -> None:
    suppressing = f.case.of_class(CYTOTOXIC, CONJUGATE, PARP)
    known = tuple(t for t in suppressing if t.drug not in f.k.ambiguous)
    lag = expected_lag(f.k, known, f.case.hemoglobin, f.index, f.blood.hemolysis)
    young = f.case.with_count("reticulocytes-percent")
    if lag.value:
        w.apply(lag, f.softened(f.lr("expected_lag_hemolysis"), young), *HEMOLYSIS)
    large = large_cells_on_drug(f.k, f.mcv, f.macro)
    if large.value:
        own = [f"{DRUG}{t.drug}" for t in f.macro]
        w.apply(large, f.softened(f.lr("macrocytosis_drug"), f.mcv), *own)
        w.apply(large, f.softened(f.lr("macrocytosis_iron"), f.mcv), *IRON)


def _iron_evidence(f: Facts, w: Weights) -> None:
    k = f.k
    small = small_cells_without_iron(k, f.mcv, f.ferritin)
    if small.value:
        w.apply(small, f.softened(f.lr("microcytosis_iron"), f.mcv, f.ferritin), IRON_ABSOLUTE)
        own = [f"{DRUG}{t.drug}" for t in f.macro]
        w.apply(small, f.softened(f.lr("microcytosis_drug"), f.mcv, f.ferritin), *own)
    low = iron_low_both(k, f.ferritin, f.tsat)
    if low.value:
        w.apply(low, f.softened(f.lr("iron_low"), f.ferritin, f.tsat), IRON_ABSOLUTE)
    locked = iron_locked(k, f.ferritin, f.tsat, f.case.current("crp"))
    if locked.value and f.ferritin is not None:
        stored = f.ferritin.value > k.value("alternatives.ferritin_high")
        target = INFLAMMATION if stored else IRON_FUNCTIONAL
        w.apply(locked, f.softened(f.lr("iron_locked"), f.ferritin, f.tsat), target)
        w.apply(locked, f.softened(f.lr("iron_locked_against"), f.ferritin, f.tsat), IRON_ABSOLUTE)


def _marrow_evidence(f: Facts, w: Weights) -> None:
    k, case = f.k, f.case
    leuko = f.blood.leukoerythroblastic
    if leuko.value:
        unknown = f.recent_cytotoxic and growth_factor_unrecorded(case)
        w.apply(
            leuko,
            f.lr("leukoerythroblastic_unsure" if unknown else "leukoerythroblastic"),
            INFILTRATION,
        )
    plates = platelets_with_bone_disease(k, case.with_count("platelets"), f.bone, f.nadir)
    if plates.value:
        w.apply(plates, f.lr("platelets_bone"), INFILTRATION)
    alp = case.current("alkaline-phosphatase")
    limit = case.limits(alp)[1] if alp else None
    bone_enzyme = phosphatase_with_bone_disease(k, alp, limit, f.bone, f.nadir)
    if bone_enzyme.value:
        w.apply(bone_enzyme, f.lr("alp_bone"), INFILTRATION)
    persisting = f.blood.persisting_cytopenia
    if persisting.value:
        w.apply(persisting, f.lr("persisting_neoplasm"), NEOPLASM)
        held = [f"{DRUG}{t.drug}" for t in persisting.inputs["held"]]
        w.apply(persisting, f.lr("persisting_drug"), *held)
    blasts = blasts_circulate(k, case.current("blasts"))
    if blasts.value:
        w.apply(blasts, f.lr("blasts_neoplasm"), NEOPLASM)
        w.apply(blasts, f.lr("blasts_drug"), ANY_DRUG)
    aplasia = f.blood.aplasia
    if aplasia.value:
        young = case.with_count("reticulocytes")
        w.apply(aplasia, f.softened(f.lr("aplasia"), young), APLASIA)
        w.apply(aplasia, f.softened(f.lr("aplasia_against"), young), *HEMOLYSIS, *IRON)


def _hemolysis_evidence(f: Facts, w: Weights) -> None:
    k, case = f.k, f.case
    hemolytic = f.blood.hemolysis
    if hemolytic.value.met:
        factor = f.lr("hemolysis")
        if case.of_class(CHECKPOINT):
            factor *= f.lr("hemolysis_checkpoint")
        if negative_antiglobulin(case) is not None:
            factor *= f.lr("hemolysis_dat_negative")
        w.apply(hemolytic, factor, IMMUNE)
        w.apply(hemolytic, f.lr("hemolysis_drug"), ANY_DRUG)
    fragments = fragments_and_few_platelets(
        k, case.seen("schistocytes"), case.with_count("platelets")
    )
    if fragments.value:
        w.apply(fragments, f.lr("fragments"), FRAGMENTATION)
    ineffective = ineffective_erythropoiesis(
        k, f.index, f.smear, _vitamin_proven(f), negative_antiglobulin(case)
    )
    if ineffective.value:
        young = case.with_count("reticulocytes-percent")
        w.apply(ineffective, f.softened(f.lr("ineffective_immune"), young), IMMUNE)


def _vitamin_proven(f: Facts) -> bool:
    return (
        b12_deficient(f.k, f.case.current("vitamin-b12")).value
        or folate_deficient(f.k, f.case.current("folate")).value
    )


def _dic_evidence(f: Facts, w: Weights) -> None:
    coded = f.case.diagnosis(DIC)
    proven = proven_dic(f.k, f.blood.coagulation, coded)
    possible = possible_dic(f.k, f.blood.coagulation, coded)
    if proven.value:
        w.apply(proven, f.lr("dic"), DIC)
        w.apply(proven, f.lr("dic_fragmentation"), FRAGMENTATION)
    elif possible.value:
        w.apply(possible, f.lr("dic_possible"), DIC)


def _inherited_evidence(f: Facts, w: Weights) -> None:
    if INHERITED not in w.weight:
        return
    k, case = f.k, f.case
    fell = below_baseline(k, case.hemoglobin, baseline(case, "hemoglobin"))
    coded = coded_thalassemia(k, f.mcv, case.diagnosis("thalassemia"))
    lifelong = f.blood.lifelong
    sample = (f.mcv, f.ferritin, f.tsat)
    thalassemia = True
    if coded.value:
        w.apply(coded, f.softened(f.lr("thalassemia_coded"), f.mcv), INHERITED)
    elif lifelong.value and case.diagnosis("thalassemia") is None:
        w.apply(lifelong, f.softened(f.lr("thalassemia_possible"), *sample), INHERITED)
    else:
        thalassemia = False
    hemolytic = case.diagnosis("sickle-cell-disease", "inherited-hemolytic-anemia")
    if hemolytic is not None:
        known = inherited_hemolysis(k, hemolytic)
        w.apply(known, f.lr("inherited_hemolytic"), INHERITED)
        acute = f.blood.acute_hemolysis.value or positive_antiglobulin(case) is not None
        if not acute:
            w.apply(known, f.lr("inherited_against_hemolysis"), *HEMOLYSIS)
    if fell.value and (thalassemia or hemolytic is not None):
        w.apply(fell, f.lr("inherited_below_baseline"), INHERITED)
    empty = without_iron(k, f.ferritin)
    if empty.value and thalassemia:
        w.apply(empty, f.softened(f.lr("inherited_without_iron"), f.ferritin), INHERITED)


def _fall_evidence(f: Facts, w: Weights) -> None:
    if f.survey.fall.value:
        w.apply(f.survey.fall, f.lr("fall"), BLEEDING, *HEMOLYSIS)
        w.apply(f.survey.fall, f.lr("fall_marrow"), ANY_DRUG, *MARROW_ONLY)
    case = f.case
    risky = case.contributors(*BLOOD_THINNERS, "nsaid")
    found = bleeds(
        f.k, case.has(*case.named("bleeding_site")), risky, case.current("bun-creatinine-ratio")
    )
    if found.value:
        w.apply(found, f.lr("bleeding"), BLEEDING)
        w.apply(found, f.lr("bleeding_marrow"), ANY_DRUG, *MARROW_ONLY)


def _kidney_evidence(f: Facts, w: Weights) -> None:
    case = f.case
    failing = kidney_failure(f.k, f.survey.egfr, _recent_normal_filtration(f))
    reduced = kidney_reduced(f.k, f.survey.egfr, _recent_normal_filtration(f))
    if failing.value:
        w.apply(failing, f.lr("kidney_failure"), KIDNEY)
    elif reduced.value:
        w.apply(reduced, f.lr("kidney_reduced"), KIDNEY)
    tubular = case.current("egfr") is None and "abemaciclib" in case.cancer_drugs
    if tubular and KIDNEY in w.weight:
        most = max(value for cause, value in w.weight.items() if cause != KIDNEY)
        w.weight[KIDNEY] = min(w.weight[KIDNEY], most * f.lr("tubular_cap"))


def _recent_normal_filtration(f: Facts) -> Measured | None:
    days = f.lr("egfr_normal_days")
    normal = f.lr("egfr_normal")
    for row in f.case.series("egfr"):
        if row.value >= normal and within(row.time, f.case.at, days):
            return row
    return None


def _radiation_evidence(f: Facts, w: Weights) -> None:
    share = f.fields.share
    if not f.fields.courses:
        return
    some, most = marrow_irradiated(f.k, share), marrow_mostly_irradiated(f.k, share)
    little = marrow_hardly_irradiated(f.k, share)
    if most.value:
        w.apply(most, f.lr("marrow_most"), RADIOTHERAPY)
    elif some.value:
        w.apply(some, f.lr("marrow_some"), RADIOTHERAPY)
    elif little.value:
        w.apply(little, f.lr("marrow_little"), RADIOTHERAPY)


def _vitamin_evidence(f: Facts, w: Weights) -> None:
    k, case = f.k, f.case
    b12, folate = case.current("vitamin-b12"), case.current("folate")
    oval, lobed = case.seen("macroovalocytes"), case.seen("hypersegmented")
    picture = megaloblastic_picture(k, f.mcv, oval, lobed)
    proven = f.lr("vitamin")
    if picture.value:
        more = f.lr("vitamin_megaloblastic") / proven
        proven *= more if oval or lobed else f.softened(more, f.mcv)
    for low, cause in (
        (b12_deficient(k, b12), B12),
        (folate_deficient(k, folate), FOLATE),
    ):
        if low.value:
            w.apply(low, proven, cause)
    untested = untested_megaloblasts(k, f.mcv, lobed, b12, folate)
    if untested.value:
        w.apply(untested, f.softened(f.lr("vitamin_untested"), f.mcv), B12, FOLATE)


def _other_evidence(f: Facts, w: Weights) -> None:
    thyroid = thyroid_failure(f.k, f.case.current("tsh"), f.case.below("free-t4"))
    if thyroid.value:
        w.apply(thyroid, f.lr("thyroid"), THYROID)
        w.apply(thyroid, f.lr("thyroid_drug"), ANY_DRUG)


def _at_least(value: Measured | None, limit: float) -> Measured | None:
    return value if value is not None and value.value >= limit else None


def _in_range(case: Case, analyte: str) -> Measured | None:
    value = case.current(analyte)
    outside = case.above(analyte) or case.below(analyte)
    return value if outside is None else None


def _normal_tests(f: Facts, w: Weights) -> None:
    case, number = f.case, f.k.value
    factor = f.lr("normal_factor")
    stored = _at_least(f.ferritin, number("alternatives.ferritin_low"))
    saturated = _at_least(f.tsat, number("alternatives.tsat_low"))
    b12 = case.current("vitamin-b12")
    enough_b12 = b12 if b12 and b12.value > number("alternatives.b12_borderline") else None
    folate = _at_least(case.current("folate"), number("alternatives.folate_deficient"))
    filtering = f.survey.egfr if (f.survey.egfr.value or 0.0) >= f.lr("egfr_normal") else None
    haptoglobin = _in_range(case, "haptoglobin")
    no_sign = not f.blood.hemolysis.value.findings
    for facts, soft, causes in (
        ((stored, saturated), (stored, saturated), IRON),
        ((enough_b12, True), (), (B12,)),
        ((folate, True), (), (FOLATE,)),
        ((filtering, True), (), (KIDNEY,)),
        ((_in_range(case, "tsh"), True), (), (THYROID,)),
        ((haptoglobin, no_sign), (haptoglobin,), HEMOLYSIS),
    ):
        normal = tested_normal(f.k, *facts)
        if normal.value:
            w.apply(normal, f.softened(factor, *soft), *causes)


def _specimen_evidence(f: Facts, w: Weights) -> None:
    error = specimen_error(f.k, f.flags.specimen_suspect)
    if not error.value:
        return
    w.apply(error, f.lr("specimen"), SPECIMEN)
    w.apply(error, f.lr("specimen_against"), EVERY_CAUSE)
    most = max(value for cause, value in w.weight.items() if cause != SPECIMEN)
    w.weight[SPECIMEN] = max(w.weight[SPECIMEN], f.lr("specimen_lead") * most)


EVIDENCE: tuple[Callable[[Facts, Weights], None], ...] = (
    _drug_evidence,
    _iron_evidence,
    _marrow_evidence,
    _hemolysis_evidence,
    _dic_evidence,
    _inherited_evidence,
    _fall_evidence,
    _kidney_evidence,
    _radiation_evidence,
    _vitamin_evidence,
    _other_evidence,
    _normal_tests,
    _specimen_evidence,
)
"""Every group of evidence, in the order of the clinical reference."""
