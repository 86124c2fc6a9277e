"""S3 Causes: the evidence rows of the clinical reference, section 3.2, one rule each."""

from __future__ import annotations

from typing import Any

from redcell.findings.case import (
    drop,
)
from redcell.findings.marrow_fields import MarrowShare
from redcell.findings.patterns import (
    Coagulation,
    Hemolysis,
)
from redcell.knowledge.load import Cited
from redcell.record.disease import Diagnosis
from redcell.record.measured import Coded, Measured
from redcell.record.symptoms import Answer
from redcell.record.therapies import Treatment
from redcell.rule import Finding, rule


@rule("D1", lag="attribution.expected_lag", brisk="pattern.rpi_weak")
def expected_lag(
    drugs: tuple[Treatment, ...],
    hemoglobin: Measured | None,
    index: Finding[float | None],
    hemolytic: Finding[Hemolysis],
    *,
    lag: Cited,
    brisk: Cited,
) -> bool:
    """A marrow-suppressing drug for at least a week, few young red cells, and no hemolysis?"""
    if hemoglobin is None or index.value is None or hemolytic.value.met:
        return False
    long = any(t.first is not None and days_before(t.first, hemoglobin) >= lag.value for t in drugs)
    return long and index.value < brisk.value


def days_before(moment: Any, hemoglobin: Measured) -> float:
    """Days from a moment to the hemoglobin's sample."""
    from redcell.record.moment import days_between

    return days_between(moment, hemoglobin.time)


@rule("M3", least="pattern.mcv_high", most="pattern.mcv_very_high")
def large_cells_on_drug(
    mcv: Measured | None, drugs: tuple[Treatment, ...], *, least: Cited, most: Cited
) -> bool:
    """MCV 100 to 115 on a drug that makes cells large?"""
    return mcv is not None and least.value <= mcv.value <= most.value and bool(drugs)


@rule("M1", small="pattern.mcv_low", empty="alternatives.ferritin_definite")
def small_cells_without_iron(
    mcv: Measured | None, ferritin: Measured | None, *, small: Cited, empty: Cited
) -> bool:
    """Small cells and hardly any iron in store?"""
    if mcv is None or ferritin is None:
        return False
    return mcv.value < small.value and ferritin.value < empty.value


@rule("I1", low="alternatives.ferritin_low", saturation="alternatives.tsat_low")
def iron_low_both(
    ferritin: Measured | None, tsat: Measured | None, *, low: Cited, saturation: Cited
) -> bool:
    """Ferritin and transferrin saturation both low?"""
    if ferritin is None or tsat is None:
        return False
    return ferritin.value < low.value and tsat.value < saturation.value


@rule(
    "W8",
    low="alternatives.ferritin_low",
    saturation="alternatives.tsat_low",
    inflamed="attribution.crp_high",
)
def iron_locked(
    ferritin: Measured | None,
    tsat: Measured | None,
    crp: Measured | None,
    *,
    low: Cited,
    saturation: Cited,
    inflamed: Cited,
) -> bool:
    """Iron in store, little of it in use, and inflammation?"""
    if ferritin is None or tsat is None or crp is None:
        return False
    locked = ferritin.value >= low.value and tsat.value < saturation.value
    return locked and crp.value > inflamed.value


@rule("W7", few="urgency.platelets_low")
def platelets_with_bone_disease(
    platelets: Measured | None, bone: Diagnosis | None, nadir: bool, *, few: Cited
) -> bool:
    """Platelets below 50 with bone metastases, and no recent dose to explain it?"""
    return platelets is not None and platelets.value < few.value and bone is not None and not nadir


@rule("W7", factor="attribution.alp_factor")
def phosphatase_with_bone_disease(
    phosphatase: Measured | None,
    limit: float | None,
    bone: Diagnosis | None,
    nadir: bool,
    *,
    factor: Cited,
) -> bool:
    """Alkaline phosphatase above twice its limit with bone metastases, and no recent dose?"""
    if phosphatase is None or limit is None or bone is None or nadir:
        return False
    return phosphatase.value > factor.value * limit


@rule("M8", few="pattern.platelets_low")
def fragments_and_few_platelets(
    fragments: Coded | None, platelets: Measured | None, *, few: Cited
) -> bool:
    """Red-cell fragments and platelets below 150?"""
    return fragments is not None and platelets is not None and platelets.value < few.value


@rule("M14", least="attribution.dic_suspected")
def possible_dic(score: Finding[Coagulation], coded: Diagnosis | None, *, least: Cited) -> bool:
    """A DIC score that raises the question without answering it?"""
    return not score.value.positive and coded is None and score.value.score >= least.value


@rule("M14")
def proven_dic(score: Finding[Coagulation], coded: Diagnosis | None) -> bool:
    """DIC by its score, or coded?"""
    return score.value.positive or coded is not None


@rule("M15", low="pattern.mcv_low")
def coded_thalassemia(mcv: Measured | None, coded: Diagnosis | None, *, low: Cited) -> bool:
    """Thalassemia on record, and small cells?"""
    return coded is not None and mcv is not None and mcv.value < low.value


@rule("M15", below="attribution.below_baseline")
def below_baseline(hemoglobin: Measured | None, earlier: Measured | None, *, below: Cited) -> bool:
    """Is hemoglobin clearly below its baseline? A lifelong anemia never explains a new fall."""
    if hemoglobin is None or earlier is None:
        return False
    return drop(earlier, hemoglobin) > below.value


@rule("M15", empty="alternatives.ferritin_definite")
def without_iron(ferritin: Measured | None, *, empty: Cited) -> bool:
    """Is hardly any iron in store?"""
    return ferritin is not None and ferritin.value < empty.value


@rule("W5", severe="attribution.egfr_severe")
def kidney_failure(
    egfr: Finding[float | None], recent_normal: Measured | None, *, severe: Cited
) -> bool:
    """Filtration below 30 that is not a new injury?"""
    return egfr.value is not None and egfr.value < severe.value and recent_normal is None


@rule("W5", severe="attribution.egfr_severe", normal="attribution.egfr_normal")
def kidney_reduced(
    egfr: Finding[float | None], recent_normal: Measured | None, *, severe: Cited, normal: Cited
) -> bool:
    """Filtration 30 to 59 that is not a new injury?"""
    if egfr.value is None or recent_normal is not None:
        return False
    return severe.value <= egfr.value < normal.value


@rule("R7", some="radiation.support_fraction", much="radiation.strong_support_fraction")
def marrow_irradiated(share: Finding[MarrowShare], *, some: Cited, much: Cited) -> bool:
    """Was a fifth of the active marrow or more irradiated with a suppressing dose?"""
    return some.value <= share.value.heavy < much.value


@rule("R7", much="radiation.strong_support_fraction")
def marrow_mostly_irradiated(share: Finding[MarrowShare], *, much: Cited) -> bool:
    """Were two fifths of the active marrow or more irradiated with a suppressing dose?"""
    return share.value.heavy >= much.value


@rule("R7", little="radiation.against_fraction")
def marrow_hardly_irradiated(share: Finding[MarrowShare], *, little: Cited) -> bool:
    """Was less than a twentieth of the active marrow irradiated, nothing left unknown?"""
    return share.value.complete and share.value.any_dose < little.value


@rule("W4", deficient="alternatives.b12_deficient")
def b12_deficient(b12: Measured | None, *, deficient: Cited) -> bool:
    """Is vitamin B12 deficient?"""
    return b12 is not None and b12.value < deficient.value


@rule("W4", deficient="alternatives.folate_deficient")
def folate_deficient(folate: Measured | None, *, deficient: Cited) -> bool:
    """Is folate deficient?"""
    return folate is not None and folate.value < deficient.value


@rule("M4", very_large="pattern.mcv_very_high")
def megaloblastic_picture(
    mcv: Measured | None, oval: Coded | None, lobed: Coded | None, *, very_large: Cited
) -> bool:
    """Very large cells, oval large cells or hypersegmented neutrophils?"""
    large = mcv is not None and mcv.value > very_large.value
    return large or oval is not None or lobed is not None


@rule("M4", very_large="pattern.mcv_very_high")
def untested_megaloblasts(
    mcv: Measured | None,
    lobed: Coded | None,
    b12: Measured | None,
    folate: Measured | None,
    *,
    very_large: Cited,
) -> bool:
    """Very large cells with hypersegmented neutrophils while B12 and folate are not known?"""
    large = mcv is not None and mcv.value > very_large.value
    return large and lobed is not None and b12 is None and folate is None


@rule("S-R19", least="pattern.blasts")
def blasts_circulate(blasts: Measured | None, *, least: Cited) -> bool:
    """Are blasts in the blood?"""
    return blasts is not None and blasts.value >= least.value


@rule("W6", high="alternatives.tsh_high")
def thyroid_failure(tsh: Measured | None, thyroxine_low: Measured | None, *, high: Cited) -> bool:
    """TSH above 10 with a low free T4?"""
    return tsh is not None and tsh.value > high.value and thyroxine_low is not None


@rule("W2", high="attribution.bun_ratio")
def bleeds(
    visible: tuple[Answer, ...],
    risky: tuple[Treatment, ...],
    ratio: Measured | None,
    *,
    high: Cited,
) -> bool:
    """Visible bleeding, or a drug that makes people bleed with a high urea/creatinine ratio?"""
    hidden = bool(risky) and ratio is not None and ratio.value > high.value
    return bool(visible) or hidden


@rule("W4", weak="pattern.rpi_weak")
def ineffective_erythropoiesis(
    index: Finding[float | None],
    smear: tuple[Coded, ...],
    deficient: bool,
    antiglobulin_negative: Coded | None,
    *,
    weak: Cited,
) -> bool:
    """Few young cells, a megaloblastic smear, a proven deficiency and a negative antiglobulin test?

    Then a high LDH and a low haptoglobin are the deficiency's, not immune hemolysis.
    """
    few = index.value is not None and index.value < weak.value
    return few and bool(smear) and deficient and antiglobulin_negative is not None


@rule("W9", normal="attribution.normal_factor")
def tested_normal(test: Any, companion: Any, *, normal: Cited) -> bool:
    """Was this cause tested for, and is its test current and normal?"""
    return all(fact is not None and fact is not False for fact in (test, companion))


@rule("G-h", floor="attribution.specimen_lead")
def specimen_error(suspect: Finding[bool], *, floor: Cited) -> bool:
    """Is the sample more likely wrong than the patient?"""
    return suspect.value


@rule("T37")
def inherited_hemolysis(coded: Diagnosis) -> bool:
    """Sickle cell disease or another inherited hemolytic anemia on record?"""
    return not coded.absent
