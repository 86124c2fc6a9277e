"""S3 Causes: which causes explain this anemia, with what probability, and what was not tested."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import Any

from msgspec import Struct

from redcell.findings.case import (
    CHECKPOINT,
    CONJUGATE,
    CYTOTOXIC,
    ENDOCRINE,
    PARP,
    Case,
    drop,
)
from redcell.findings.marrow_fields import Irradiation, MarrowShare
from redcell.findings.patterns import (
    BloodPicture,
    Coagulation,
    Cytopenia,
    Hemolysis,
    baseline,
    growth_factor_unrecorded,
    macrocytosis_drugs,
    negative_antiglobulin,
    positive_antiglobulin,
    usable_ferritin,
)
from redcell.findings.red_flags import BLOOD_THINNERS, RedFlags
from redcell.findings.surveillance import Surveillance
from redcell.knowledge.load import Cited
from redcell.quantity import half_up
from redcell.record.disease import Diagnosis
from redcell.record.measured import Coded, Measured
from redcell.record.symptoms import Answer
from redcell.record.therapies import Treatment
from redcell.rule import Finding, rule

RADIOTHERAPY = "radiotherapy"
INFILTRATION = "marrow-infiltration"
IRON_ABSOLUTE = "iron-deficiency-absolute"
IRON_FUNCTIONAL = "iron-deficiency-functional"
INFLAMMATION = "inflammation"
BLEEDING = "bleeding"
IMMUNE = "hemolysis-immune"
FRAGMENTATION = "hemolysis-microangiopathic"
KIDNEY = "kidney-disease"
B12 = "vitamin-b12-deficiency"
FOLATE = "folate-deficiency"
THYROID = "hypothyroidism"
NEOPLASM = "myeloid-neoplasm"
APLASIA = "red-cell-aplasia"
INHERITED = "inherited-anemia"
DIC = "disseminated-intravascular-coagulation"
SPECIMEN = "specimen-error"
BACKGROUND = "background"

ORDER = (
    RADIOTHERAPY,
    INFILTRATION,
    IRON_ABSOLUTE,
    IRON_FUNCTIONAL,
    INFLAMMATION,
    BLEEDING,
    IMMUNE,
    FRAGMENTATION,
    KIDNEY,
    B12,
    FOLATE,
    THYROID,
    NEOPLASM,
    APLASIA,
    INHERITED,
    DIC,
    SPECIMEN,
    BACKGROUND,
)
"""The causes that are not drugs, in the order that breaks ties (drugs come first, by name)."""

ALWAYS = (
    INFILTRATION,
    IRON_ABSOLUTE,
    IRON_FUNCTIONAL,
    INFLAMMATION,
    BLEEDING,
    IMMUNE,
    FRAGMENTATION,
    KIDNEY,
    B12,
    FOLATE,
    THYROID,
    NEOPLASM,
    APLASIA,
)
IRON = (IRON_ABSOLUTE, IRON_FUNCTIONAL)
HEMOLYSIS = (IMMUNE, FRAGMENTATION)
MARROW_ONLY = (RADIOTHERAPY, INFILTRATION, NEOPLASM, APLASIA)
DRUG = "drug:"
ANY_DRUG = "drug:*"
EVERY_CAUSE = "*"


class Support(Struct, frozen=True):
    """One piece of evidence as it bears on one cause: the finding and its likelihood ratio."""

    finding: Finding[Any]
    factor: float


class Attribution(Struct, frozen=True):
    """One cause with its weight's share of the sum and everything that moved it."""

    cause: str
    probability: float
    support: tuple[Support, ...]

    @property
    def drug(self) -> str | None:
        """The drug's slug, when the cause is a drug."""
        return self.cause.removeprefix(DRUG) if self.cause.startswith(DRUG) else None

    @property
    def strongest(self) -> float:
        """The largest likelihood ratio in favor."""
        return max((s.factor for s in self.support), default=1.0)


class Causes(Struct, frozen=True):
    """Every cause, the most probable first, and what was not tested."""

    ranked: tuple[Attribution, ...]
    not_assessed: tuple[str, ...]
    started: dict[str, Finding[float]]

    @property
    def leading(self) -> Attribution | None:
        """The first cause."""
        return self.ranked[0] if self.ranked else None

    @property
    def top_two(self) -> tuple[Attribution, ...]:
        """The first two causes."""
        return self.ranked[:2]

    def among_top_two(self, *causes: str) -> bool:
        """Is one of these among the first two causes?"""
        return any(a.cause in causes for a in self.top_two)


class Weights:
    """The running product of likelihood ratios per cause, with the evidence behind each."""

    def __init__(self) -> None:
        self.weight: dict[str, float] = {}
        self.support: dict[str, list[Support]] = {}
        self.started: dict[str, Finding[float]] = {}

    def start(self, cause: str, prior: Finding[float]) -> None:
        """Begin a cause at its starting weight."""
        self.weight[cause] = prior.value
        self.support[cause] = []
        self.started[cause] = prior

    def apply(self, finding: Finding[Any], factor: float, *causes: str) -> None:
        """Multiply these causes by a likelihood ratio because of a finding."""
        for cause in self._expand(causes):
            self.weight[cause] *= factor
            self.support[cause].append(Support(finding, factor))

    def _expand(self, causes: Iterable[str]) -> list[str]:
        named: list[str] = []
        for cause in causes:
            if cause == ANY_DRUG:
                named += [c for c in self.weight if c.startswith(DRUG)]
            elif cause == EVERY_CAUSE:
                named += [c for c in self.weight if c != SPECIMEN]
            elif cause in self.weight:
                named.append(cause)
        return named

    def ranked(self) -> tuple[Attribution, ...]:
        """Causes by probability; ties by the order of the list, drugs first and by name."""
        total = sum(self.weight.values())
        found = [
            Attribution(cause, half_up(weight / total, 4), tuple(self.support[cause]))
            for cause, weight in self.weight.items()
        ]
        return tuple(sorted(found, key=lambda a: (-self.weight[a.cause], _place(a.cause), a.cause)))


def _place(cause: str) -> int:
    return -1 if cause.startswith(DRUG) else ORDER.index(cause)


# -- starting weights ------------------------------------------------------------------------


@rule("D2", background="attribution.background", other="attribution.other")
def starting_weight(cause: str, *, background: Cited, other: Cited) -> float:
    """With which weight does a cause that is not a drug start?"""
    return background.value if cause == BACKGROUND else other.value


@rule(
    "D1",
    base="attribution.base_rate",
    cap="attribution.drug_cap",
    floor="attribution.drug_floor",
    endocrine="attribution.other",
    brisk="pattern.rpi_weak",
    neutral="attribution.background",
)
def drug_weight(
    treatment: Treatment,
    is_endocrine: bool,
    rate_percent: float | None,
    index: Finding[float | None],
    *,
    base: Cited,
    cap: Cited,
    floor: Cited,
    endocrine: Cited,
    brisk: Cited,
    neutral: Cited,
) -> float:
    """With which weight does a drug inside its exposure window start?

    Its own rate of anemia of grade 3 or worse over the base rate. With enough young red cells the
    marrow is not suppressed, and the drug starts no higher than the background.
    """
    if is_endocrine:
        return endocrine.value
    ratio = neutral.value if rate_percent is None else rate_percent / base.value
    ratio = min(max(ratio, floor.value), cap.value)
    if index.value is not None and index.value >= brisk.value:
        return min(ratio, neutral.value)
    return ratio


# -- evidence ----------------------------------------------------------------------------------


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
def tested_normal(*facts: Any, normal: Cited) -> bool:
    """Was this cause tested for, and is its test current and normal?"""
    return all(fact is not None and fact is not False for fact in facts)


@rule("G-h", floor="attribution.specimen_lead")
def specimen_error(suspect: Finding[bool], *, floor: Cited) -> bool:
    """Is the sample more likely wrong than the patient?"""
    return suspect.value


# -- the step ----------------------------------------------------------------------------------


class _Facts:
    """What the evidence rows of one case share."""

    def __init__(
        self,
        case: Case,
        survey: Surveillance,
        blood: BloodPicture,
        fields: Irradiation,
        flags: RedFlags,
    ) -> None:
        self.case = case
        self.k = case.knowledge
        self.survey = survey
        self.blood = blood
        self.fields = fields
        self.flags = flags
        self.index = survey.production_index
        self.mcv = case.with_count("mcv")
        self.ferritin = usable_ferritin(case)
        self.tsat = case.current("tsat")
        self.bone = case.diagnosis("bone-metastasis")
        self.macro = macrocytosis_drugs(case)
        self.nadir = self._dosed(CYTOTOXIC, CONJUGATE)
        self.recent_cytotoxic = self._dosed(CYTOTOXIC)
        self.smear = tuple(
            s for s in (case.seen("macroovalocytes"), case.seen("hypersegmented")) if s is not None
        )

    def _dosed(self, *classes: str) -> bool:
        now = self.case.hemoglobin.time if self.case.hemoglobin else self.case.at
        since = now.plus(-self.k.value("attribution.nadir_days"))
        return any(t.exposed_between(since, now) for t in self.case.of_class(*classes))

    def softened(self, factor: float, *samples: Measured | None) -> float:
        """The factor, or its square root when a sample was taken soon after red cells (W-b)."""
        window = self.k.value("attribution.donor_cells_days")
        distorted = any(s is not None and self.case.after_red_cells(s, window) for s in samples)
        return sqrt(factor) if distorted else factor

    def lr(self, name: str) -> float:
        """A likelihood ratio of section 3.2."""
        return self.k.value(f"attribution.{name}")


def attribute(
    case: Case, survey: Surveillance, blood: BloodPicture, fields: Irradiation, flags: RedFlags
) -> Causes:
    """Weigh every cause with every piece of evidence in the record."""
    facts = _Facts(case, survey, blood, fields, flags)
    weights = Weights()
    if not (survey.below_limit or survey.delta.value.failed):
        return Causes((), (), {})
    _start(facts, weights)
    for evidence in (
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
    ):
        evidence(facts, weights)
    return Causes(weights.ranked(), (), weights.started)


def _start(f: _Facts, w: Weights) -> None:
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
    if _inherited(case) or f.blood.lifelong.value:
        others.append(INHERITED)
    if case.diagnosis(DIC) or f.blood.coagulation.value.score >= f.lr("dic_suspected"):
        others.append(DIC)
    for cause in (*others, BACKGROUND):
        w.start(cause, starting_weight(k, cause))


def _inherited(case: Case) -> Diagnosis | None:
    return case.diagnosis("thalassemia", "sickle-cell-disease", "inherited-hemolytic-anemia")


def _drug_evidence(f: _Facts, w: Weights) -> None:
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


def _iron_evidence(f: _Facts, w: Weights) -> None:
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


def _marrow_evidence(f: _Facts, w: Weights) -> None:
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
    blasts = blasts_circulate(k, case.with_count("blasts"))
    if blasts.value:
        w.apply(blasts, f.lr("blasts_neoplasm"), NEOPLASM)
        w.apply(blasts, f.lr("blasts_drug"), ANY_DRUG)
    aplasia = f.blood.aplasia
    if aplasia.value:
        young = case.with_count("reticulocytes")
        w.apply(aplasia, f.softened(f.lr("aplasia"), young), APLASIA)
        w.apply(aplasia, f.softened(f.lr("aplasia_against"), young), *HEMOLYSIS, *IRON)


def _hemolysis_evidence(f: _Facts, w: Weights) -> None:
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


def _vitamin_proven(f: _Facts) -> bool:
    return (
        b12_deficient(f.k, f.case.current("vitamin-b12")).value
        or folate_deficient(f.k, f.case.current("folate")).value
    )


def _dic_evidence(f: _Facts, w: Weights) -> None:
    coded = f.case.diagnosis(DIC)
    proven = proven_dic(f.k, f.blood.coagulation, coded)
    possible = possible_dic(f.k, f.blood.coagulation, coded)
    if proven.value:
        w.apply(proven, f.lr("dic"), DIC)
        w.apply(proven, f.lr("dic_fragmentation"), FRAGMENTATION)
    elif possible.value:
        w.apply(possible, f.lr("dic_possible"), DIC)


def _inherited_evidence(f: _Facts, w: Weights) -> None:
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


@rule("T37")
def inherited_hemolysis(coded: Diagnosis) -> bool:
    """Sickle cell disease or another inherited hemolytic anemia on record?"""
    return not coded.absent


def _fall_evidence(f: _Facts, w: Weights) -> None:
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


def _kidney_evidence(f: _Facts, w: Weights) -> None:
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


def _recent_normal_filtration(f: _Facts) -> Measured | None:
    days = f.lr("egfr_normal_days")
    normal = f.lr("egfr_normal")
    for row in f.case.series("egfr"):
        if row.value >= normal and f.case.at.plus(-days) <= row.time:
            return row
    return None


def _radiation_evidence(f: _Facts, w: Weights) -> None:
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


def _vitamin_evidence(f: _Facts, w: Weights) -> None:
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


def _other_evidence(f: _Facts, w: Weights) -> None:
    thyroid = thyroid_failure(f.k, f.case.current("tsh"), f.case.below("free-t4"))
    if thyroid.value:
        w.apply(thyroid, f.lr("thyroid"), THYROID)
        w.apply(thyroid, f.lr("thyroid_drug"), ANY_DRUG)


def _normal_tests(f: _Facts, w: Weights) -> None:
    case, number = f.case, f.k.value
    factor = f.lr("normal_factor")
    stored = (
        f.ferritin
        if f.ferritin and f.ferritin.value >= number("alternatives.ferritin_low")
        else None
    )
    saturated = f.tsat if f.tsat and f.tsat.value >= number("alternatives.tsat_low") else None
    b12 = case.current("vitamin-b12")
    enough_b12 = b12 if b12 and b12.value > number("alternatives.b12_borderline") else None
    folate = case.current("folate")
    enough_folate = (
        folate if folate and folate.value >= number("alternatives.folate_deficient") else None
    )
    filtering = f.survey.egfr if (f.survey.egfr.value or 0.0) >= f.lr("egfr_normal") else None
    thyroid = case.current("tsh")
    calm = thyroid if thyroid and not (case.above("tsh") or case.below("tsh")) else None
    haptoglobin = case.current("haptoglobin")
    kept = (
        haptoglobin
        if haptoglobin and not (case.above("haptoglobin") or case.below("haptoglobin"))
        else None
    )
    no_sign = not f.blood.hemolysis.value.findings
    for facts, soft, causes in (
        ((stored, saturated), (stored, saturated), IRON),
        ((enough_b12,), (), (B12,)),
        ((enough_folate,), (), (FOLATE,)),
        ((filtering,), (), (KIDNEY,)),
        ((calm,), (), (THYROID,)),
        ((kept, no_sign), (kept,), HEMOLYSIS),
    ):
        normal = tested_normal(f.k, *facts)
        if normal.value:
            w.apply(normal, f.softened(factor, *soft), *causes)


def _specimen_evidence(f: _Facts, w: Weights) -> None:
    error = specimen_error(f.k, f.flags.specimen_suspect)
    if not error.value:
        return
    w.apply(error, f.lr("specimen"), SPECIMEN)
    w.apply(error, f.lr("specimen_against"), EVERY_CAUSE)
    most = max(value for cause, value in w.weight.items() if cause != SPECIMEN)
    w.weight[SPECIMEN] = max(w.weight[SPECIMEN], f.lr("specimen_lead") * most)


__all__ = ["Attribution", "Causes", "Cytopenia", "attribute"]
