"""S1 Surveillance: what the blood picture as a whole points at (M and W rules)."""

from __future__ import annotations

from msgspec import Struct

from redcell.findings.case import CDK, PARP, Case, days, drop
from redcell.findings.surveillance import Surveillance
from redcell.knowledge.load import Cited
from redcell.record.disease import Diagnosis
from redcell.record.measured import Coded, Measured
from redcell.record.moment import Moment, days_between, within
from redcell.record.symptoms import Answer
from redcell.record.therapies import Treatment
from redcell.rule import Finding, rule

LEFT_SHIFT = ("myelocytes", "metamyelocytes", "promyelocytes")
G_CSF = ("g-csf", "g-csf-pegylated")


class Hemolysis(Struct, frozen=True):
    """Which of the five laboratory findings of hemolysis are there, and whether they suffice."""

    findings: tuple[str, ...]
    met: bool

    def __str__(self) -> str:
        return f"{'met' if self.met else 'not met'} ({', '.join(self.findings) or 'no finding'})"


class Coagulation(Struct, frozen=True):
    """The ISTH score for overt DIC, with what could not be scored."""

    score: int
    coagulation_points: int
    not_done: tuple[str, ...]
    positive: bool

    def __str__(self) -> str:
        missing = f"; not done: {', '.join(self.not_done)}" if self.not_done else ""
        return f"score {self.score}{missing}"


class Cytopenia(Struct, frozen=True):
    """Which of leukocytes and platelets are low; `None` where one is not known."""

    leukocytes: bool | None
    platelets: bool | None

    def __str__(self) -> str:
        low = [name for name in self.__struct_fields__ if getattr(self, name)]
        return ", ".join(low) or "none"


class BloodPicture(Struct, frozen=True):
    """Every pattern of the blood picture, and the findings that later steps build on."""

    patterns: tuple[Finding[bool], ...]
    cytopenia: Finding[Cytopenia]
    hemolysis: Finding[Hemolysis]
    acute_hemolysis: Finding[bool]
    microangiopathy: Finding[bool]
    incomplete_microangiopathy: Finding[bool]
    coagulation: Finding[Coagulation]
    leukoerythroblastic: Finding[bool]
    aplasia: Finding[bool]
    megaloblasts: Finding[bool]
    lifelong: Finding[bool]
    persisting_cytopenia: Finding[bool]
    drug_macrocytosis: Finding[bool]

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of the M rules whose pattern is there."""
        return tuple(f.rule for f in self.patterns if f.value)


@rule("M7", white="pattern.leukocytes_low", plates="pattern.platelets_low")
def cytopenia(
    leukocytes: Measured | None, platelets: Measured | None, *, white: Cited, plates: Cited
) -> Cytopenia:
    """Are leukocytes or platelets low? The report's own lower limit decides where there is one."""
    return Cytopenia(_low(leukocytes, white.value), _low(platelets, plates.value))


def _low(value: Measured | None, limit: float) -> bool | None:
    if value is None:
        return None
    return value.value < limit or (value.low is not None and value.value < value.low)


@rule("M1", low="pattern.mcv_low")
def microcytosis(mcv: Measured | None, *, low: Cited) -> bool:
    """Are the red cells small?"""
    return mcv is not None and mcv.value < low.value


@rule("M2", low="pattern.mcv_low", high="pattern.mcv_high", weak="pattern.rpi_weak")
def underproduction(
    mcv: Measured | None,
    index: Finding[float | None],
    others: Finding[Cytopenia],
    *,
    low: Cited,
    high: Cited,
    weak: Cited,
) -> bool:
    """Normal-sized cells, too few young ones, no other cell line low?"""
    if mcv is None or index.value is None:
        return False
    normal = low.value <= mcv.value <= high.value
    alone = others.value.leukocytes is False and others.value.platelets is False
    return normal and index.value < weak.value and alone


@rule("M3", high="pattern.mcv_high")
def drug_macrocytosis(mcv: Measured | None, drugs: tuple[Treatment, ...], *, high: Cited) -> bool:
    """Large cells on a drug that makes them large: not by itself a cause of anemia."""
    return mcv is not None and mcv.value > high.value and bool(drugs)


@rule("M4", very_high="pattern.mcv_very_high")
def megaloblastic(
    mcv: Measured | None, oval: Coded | None, lobed: Coded | None, *, very_high: Cited
) -> bool:
    """Do very large cells, or oval large cells with hypersegmented neutrophils, suggest B12/folate?"""
    return (mcv is not None and mcv.value > very_high.value) or (
        oval is not None and lobed is not None
    )


@rule("M5", wide="pattern.rdw_high", low="pattern.mcv_low", high="pattern.mcv_high")
def mixed_sizes(
    rdw: Measured | None,
    previous: Measured | None,
    mcv: Measured | None,
    *,
    wide: Cited,
    low: Cited,
    high: Cited,
) -> bool:
    """Is the spread of cell sizes high and rising while the mean is normal?"""
    if rdw is None or mcv is None or rdw.value <= wide.value:
        return False
    rising = previous is None or rdw.value > previous.value
    return rising and low.value <= mcv.value <= high.value


@rule(
    "M6", erythroblasts="pattern.nucleated_red_cells", granulocytes="pattern.immature_granulocytes"
)
def leukoerythroblastic(
    nucleated: Measured | None,
    nucleated_absolute_high: Measured | None,
    left_shift: tuple[Measured, ...],
    immature: Measured | None,
    teardrops: Coded | None,
    growth_factor: tuple[Treatment, ...],
    *,
    erythroblasts: Cited,
    granulocytes: Cited,
) -> bool:
    """Nucleated red cells with a left shift or teardrops, and no growth factor to explain them?"""
    nuclei = (nucleated is not None and nucleated.value >= erythroblasts.value) or (
        nucleated_absolute_high is not None
    )
    shifted = any(cell.value > 0 for cell in left_shift) or (
        immature is not None and immature.value > granulocytes.value
    )
    return nuclei and (shifted or teardrops is not None) and not growth_factor


@rule("M7")
def several_lines(anemic: bool, others: Finding[Cytopenia]) -> bool:
    """Is at least one other cell line low beside the red cells?"""
    return anemic and bool(others.value.leukocytes or others.value.platelets)


@rule("M8", low="pattern.platelets_low")
def microangiopathy(
    fragments: Coded | None,
    platelets: Measured | None,
    ldh: Measured | None,
    ldh_high: Measured | None,
    haptoglobin: Measured | None,
    haptoglobin_low: Measured | None,
    *,
    low: Cited,
) -> bool:
    """Red-cell fragments, low platelets, LDH above and haptoglobin below range: microangiopathy?

    When one of LDH and haptoglobin is not current, the other alone completes the pattern.
    """
    if fragments is None or platelets is None or platelets.value >= low.value:
        return False
    if ldh is None or haptoglobin is None:
        return ldh_high is not None or haptoglobin_low is not None
    return ldh_high is not None and haptoglobin_low is not None


@rule("S-R19", low="pattern.platelets_low")
def incomplete_microangiopathy(
    fragments: Coded | None,
    platelets: Measured | None,
    complete: Finding[bool],
    both_in_range: bool,
    *,
    low: Cited,
) -> bool:
    """Fragments with low platelets whose hemolysis tests are missing or disagree?"""
    few = platelets is not None and platelets.value < low.value
    return fragments is not None and few and not complete.value and not both_in_range


@rule(
    "M9",
    brisk="pattern.rpi_brisk",
    many="pattern.reticulocytes_many",
    low="pattern.haptoglobin_low",
)
def hemolytic_pattern(
    smear: tuple[Coded, ...],
    index: Finding[float | None],
    reticulocytes: Measured | None,
    ldh_high: Measured | None,
    haptoglobin: Measured | None,
    bilirubin_high: Measured | None,
    *,
    brisk: Cited,
    many: Cited,
    low: Cited,
) -> bool:
    """Is the whole pattern of hemolysis there, each value known?"""
    young = (index.value is not None and index.value > brisk.value) or (
        reticulocytes is not None and reticulocytes.value > many.value
    )
    gone = haptoglobin is not None and haptoglobin.value < low.value
    return bool(smear) and young and ldh_high is not None and gone and bilirubin_high is not None


@rule(
    "W-a",
    brisk="pattern.rpi_weak",
    many="pattern.reticulocytes_many",
    low="pattern.haptoglobin_low",
    ldh_factor="pattern.ldh_factor",
)
def hemolysis(
    index: Finding[float | None],
    reticulocytes: Measured | None,
    haptoglobin: Measured | None,
    ldh: Measured | None,
    ldh_limit: float | None,
    bilirubin_high: Measured | None,
    smear: tuple[Coded, ...],
    antiglobulin: Coded | None,
    *,
    brisk: Cited,
    many: Cited,
    low: Cited,
    ldh_factor: Cited,
) -> Hemolysis:
    """Is this hemolysis?

    Many young cells with one specific finding, or, whatever the young cells, two findings of
    which one is neither LDH nor bilirubin (liver metastases raise both). Young cells alone are
    not hemolysis.
    """
    found = []
    if haptoglobin is not None and haptoglobin.value < low.value:
        found.append("haptoglobin")
    if ldh is not None and ldh_limit is not None and ldh.value > ldh_factor.value * ldh_limit:
        found.append("ldh")
    if bilirubin_high is not None:
        found.append("bilirubin")
    if smear:
        found.append("smear")
    if antiglobulin is not None:
        found.append("dat")
    young = (index.value is not None and index.value >= brisk.value) or (
        reticulocytes is not None and reticulocytes.value > many.value
    )
    specific = [name for name in found if name != "ldh"]
    two = len(found) > 1 and any(name not in ("ldh", "bilirubin") for name in found)
    return Hemolysis(tuple(found), (young and bool(specific)) or two)


@rule(
    "W-a",
    week_fall="urgency.fall_week",
    week="urgency.week",
    fortnight_fall="urgency.fall_fortnight",
    fortnight="urgency.fortnight",
    before="pattern.acute_without_count_days",
)
def acute_hemolysis(
    hemolytic: Finding[Hemolysis],
    hemoglobin: Measured | None,
    earlier: tuple[Measured, ...],
    pigment: tuple[Answer, ...],
    deficiency: bool,
    inherited: Diagnosis | None,
    *,
    week_fall: Cited,
    week: Cited,
    fortnight_fall: Cited,
    fortnight: Cited,
    before: Cited,
) -> bool:
    """Is the hemolysis acute?

    Hemoglobin falling, dark urine or jaundice, or no earlier count to compare with; a proven B12
    or folate deficiency explains it otherwise. In an inherited hemolytic anemia only a fall, or
    new or worse dark urine or jaundice, makes it acute.
    """
    if not hemolytic.value.met or deficiency:
        return False
    falling = hemoglobin is not None and any(
        (drop(e, hemoglobin) > week_fall.value and days(e, hemoglobin) <= week.value)
        or (drop(e, hemoglobin) > fortnight_fall.value and days(e, hemoglobin) <= fortnight.value)
        for e in earlier
    )
    if inherited is not None:
        return falling or any(reply.new_or_worse for reply in pigment)
    first = hemoglobin is None or not any(days(e, hemoglobin) <= before.value for e in earlier)
    return falling or bool(pigment) or first


@rule(
    "M10",
    few="pattern.reticulocytes_few",
    white="pattern.leukocytes_low",
    plates="pattern.platelets_low",
)
def red_cell_aplasia(
    reticulocytes: Measured | None,
    leukocytes: Measured | None,
    platelets: Measured | None,
    *,
    few: Cited,
    white: Cited,
    plates: Cited,
) -> bool:
    """Almost no young red cells while leukocytes and platelets are normal?"""
    if reticulocytes is None or leukocytes is None or platelets is None:
        return False
    normal = leukocytes.value >= white.value and platelets.value >= plates.value
    return reticulocytes.value < few.value and normal


@rule("M11", high="pattern.mchc_high")
def dense_cells(mchc: Measured | None, *, high: Cited) -> bool:
    """Is the hemoglobin concentration in the cells impossibly high (cold agglutinin, lipemia)?"""
    return mchc is not None and mchc.value > high.value


@rule("M12", tenth="pattern.parallel_change")
def parallel_change(pairs: tuple[tuple[Measured, Measured], ...], *, tenth: Cited) -> bool:
    """Did hemoglobin, leukocytes and platelets all rise, or all fall, together?"""
    if len(pairs) != len(("hemoglobin", "leukocytes", "platelets")):
        return False
    change = [now.value / before.value - 1 if before.value else 0.0 for before, now in pairs]
    return all(c >= tenth.value for c in change) or all(c <= -tenth.value for c in change)


@rule(
    "M13",
    anc="pattern.neutrophils_high",
    white="pattern.leukocytes_high",
    plates="pattern.platelets_high",
)
def reactive(
    neutrophils: Measured | None,
    leukocytes: Measured | None,
    platelets: Measured | None,
    *,
    anc: Cited,
    white: Cited,
    plates: Cited,
) -> bool:
    """Are neutrophils, leukocytes and platelets all high?"""
    if neutrophils is None or leukocytes is None or platelets is None:
        return False
    many = neutrophils.value > anc.value and leukocytes.value > white.value
    return many and platelets.value > plates.value


@rule(
    "M14",
    platelet_points="pattern.dic_platelets",
    dimer_points="pattern.dic_d_dimer",
    dimer_limit="pattern.dic_d_dimer_limit",
    time_points="pattern.dic_prothrombin",
    inr_points="pattern.dic_inr",
    low="pattern.dic_fibrinogen",
    needed="pattern.dic_score",
)
def coagulation(
    platelets: Measured | None,
    d_dimer: Measured | None,
    prothrombin: Measured | None,
    inr: Measured | None,
    fibrinogen: Measured | None,
    vitamin_k_antagonist: tuple[Treatment, ...],
    *,
    platelet_points: Cited,
    dimer_points: Cited,
    dimer_limit: Cited,
    time_points: Cited,
    inr_points: Cited,
    low: Cited,
    needed: Cited,
) -> Coagulation:
    """The ISTH score for overt DIC.

    A test not done scores nothing and is named. DIC needs a point from prothrombin time, INR or
    fibrinogen: platelets and D-dimer alone are a chemotherapy nadir with a clot or a tumor.
    """
    not_done = [
        name
        for name, value in (
            ("platelets", platelets),
            ("D-dimer", d_dimer),
            ("fibrinogen", fibrinogen),
        )
        if value is None
    ]
    score = _points_below(platelets, platelet_points)
    if d_dimer is not None:
        multiple = d_dimer.value / (d_dimer.high or dimer_limit.value)
        (least, some), (most, many) = dimer_points.rows
        score += int(many) if multiple > most else int(some) if multiple >= least else 0
    clotting = 0
    if prothrombin is None and inr is None:
        not_done.append("prothrombin time")
    elif not vitamin_k_antagonist:
        clotting += _clotting_points(prothrombin, inr, time_points, inr_points)
    if fibrinogen is not None and fibrinogen.value < low.value:
        clotting += 1
    total = score + clotting
    positive = total >= needed.value and clotting > 0
    return Coagulation(total, clotting, tuple(not_done), positive)


def _points_below(value: Measured | None, table: Cited) -> int:
    if value is None:
        return 0
    return max((int(points) for limit, points in table.rows if value.value < limit), default=0)


def _clotting_points(
    prothrombin: Measured | None, inr: Measured | None, seconds: Cited, ratio: Cited
) -> int:
    if prothrombin is not None and prothrombin.high is not None:
        over = prothrombin.value - prothrombin.high
        (least, some), (most, many) = seconds.rows
        return int(many) if over > most else int(some) if over >= least else 0
    if inr is None:
        return 0
    return max((int(points) for limit, points in ratio.rows if inr.value > limit), default=0)


@rule(
    "M15",
    low="pattern.mcv_low",
    mentzer="pattern.mentzer_below",
    iron="pattern.mentzer_ferritin",
    saturation="pattern.mentzer_tsat",
)
def lifelong_microcytosis(
    mcv: Measured | None,
    rbc: Measured | None,
    before_treatment: tuple[Measured, ...],
    ferritin: Measured | None,
    tsat: Measured | None,
    *,
    low: Cited,
    mentzer: Cited,
    iron: Cited,
    saturation: Cited,
) -> bool:
    """Small cells before treatment and now, many of them, with iron in store: thalassemia trait?"""
    if mcv is None or rbc is None or not rbc.value or ferritin is None or tsat is None:
        return False
    always = bool(before_treatment) and all(m.value < low.value for m in before_treatment)
    small = mcv.value < low.value and mcv.value / rbc.value < mentzer.value
    return always and small and ferritin.value >= iron.value and tsat.value >= saturation.value


@rule(
    "W10",
    weeks="pattern.hold_days",
    hb="pattern.persisting_hemoglobin",
    plates="pattern.persisting_platelets",
    anc="pattern.persisting_neutrophils",
    recovery="pattern.recovery_rise",
)
def persisting_cytopenia(
    held: tuple[Treatment, ...],
    as_of: Moment,
    hemoglobin: Measured | None,
    at_hold: Measured | None,
    platelets: Measured | None,
    neutrophils: Measured | None,
    *,
    weeks: Cited,
    hb: Cited,
    plates: Cited,
    anc: Cited,
    recovery: Cited,
) -> bool:
    """Counts still low more than four weeks after a PARP inhibitor was held, without recovery?"""
    long = [t for t in held if t.held_since and days_between(t.held_since, as_of) > weeks.value]
    if not long:
        return False
    low = (
        (hemoglobin is not None and hemoglobin.value < hb.value)
        or (platelets is not None and platelets.value < plates.value)
        or (neutrophils is not None and neutrophils.value < anc.value)
    )
    recovering = (
        hemoglobin is not None
        and at_hold is not None
        and -drop(at_hold, hemoglobin) >= recovery.value
    )
    return low and not recovering


def read_blood(case: Case, survey: Surveillance) -> BloodPicture:
    """Pick the counts and read the whole blood picture."""
    k = case.knowledge
    get = case.with_count
    mcv, index = get("mcv"), survey.production_index
    leukocytes, platelets = get("leukocytes"), get("platelets")
    reticulocytes = get("reticulocytes")
    few = cytopenia(k, leukocytes, platelets)
    oval, lobed = case.seen("macroovalocytes"), case.seen("hypersegmented")
    fragments = case.seen("schistocytes")
    spheres = tuple(s for s in (case.seen("spherocytes"), fragments) if s is not None)
    chips = case.current("ldh"), case.above("ldh"), case.current("haptoglobin")
    angiopathy = microangiopathy(
        k, fragments, case.current("platelets"), *chips, case.below("haptoglobin")
    )
    in_range = (
        chips[0] is not None
        and chips[1] is None
        and chips[2] is not None
        and case.below("haptoglobin") is None
    )
    hemolytic = hemolysis(
        k,
        index,
        reticulocytes,
        chips[2],
        chips[0],
        case.limits(chips[0])[1] if chips[0] else None,
        indirect_bilirubin_high(case),
        spheres,
        positive_antiglobulin(case),
    )
    megaloblasts = megaloblastic(k, mcv, oval, lobed)
    leuko = leukoerythroblastic(
        k,
        get("nucleated-rbc"),
        case.above("nucleated-rbc-absolute"),
        tuple(m for m in map(get, LEFT_SHIFT) if m is not None),
        get("immature-granulocytes"),
        case.seen("teardrops"),
        recent_growth_factor(case),
    )
    aplasia = red_cell_aplasia(k, reticulocytes, leukocytes, platelets)
    lifelong = lifelong_microcytosis(
        k, mcv, get("rbc"), _mcv_before_treatment(case), usable_ferritin(case), case.current("tsat")
    )
    large = drug_macrocytosis(k, mcv, macrocytosis_drugs(case))
    clotting = coagulation(
        k,
        case.current("platelets"),
        case.current("d-dimer"),
        case.current("prothrombin-time"),
        case.current("inr"),
        case.current("fibrinogen"),
        case.contributors("anticoagulant-vka"),
    )
    round_cells = tuple(
        s for s in (case.seen("spherocytes"), case.seen("polychromasia")) if s is not None
    )
    return BloodPicture(
        patterns=(
            microcytosis(k, mcv),
            underproduction(k, mcv, index, few),
            large,
            megaloblasts,
            mixed_sizes(k, get("rdw"), _previous(case, "rdw"), mcv),
            leuko,
            several_lines(k, survey.anemic, few),
            angiopathy,
            hemolytic_pattern(
                k,
                round_cells,
                index,
                reticulocytes,
                chips[1],
                chips[2],
                indirect_bilirubin_high(case),
            ),
            aplasia,
            dense_cells(k, get("mchc")),
            parallel_change(k, _triples(case)),
            reactive(k, get("neutrophils"), leukocytes, platelets),
            _positive(k, clotting),
            lifelong,
        ),
        cytopenia=few,
        hemolysis=hemolytic,
        acute_hemolysis=acute_hemolysis(
            k,
            hemolytic,
            case.hemoglobin,
            _comparable(case),
            case.has("dark-urine", "jaundice"),
            _proven_deficiency(case) and (oval is not None or lobed is not None),
            case.diagnosis("inherited-hemolytic-anemia", "sickle-cell-disease"),
        ),
        microangiopathy=angiopathy,
        incomplete_microangiopathy=incomplete_microangiopathy(
            k, fragments, case.current("platelets"), angiopathy, in_range
        ),
        coagulation=clotting,
        leukoerythroblastic=leuko,
        aplasia=aplasia,
        megaloblasts=megaloblasts,
        lifelong=lifelong,
        persisting_cytopenia=_persisting(case),
        drug_macrocytosis=large,
    )


@rule("M14")
def disseminated(score: Finding[Coagulation]) -> bool:
    """Does the score make disseminated intravascular coagulation?"""
    return score.value.positive


def _positive(k: object, clotting: Finding[Coagulation]) -> Finding[bool]:
    return disseminated(k, clotting)  # type: ignore[arg-type]


def indirect_bilirubin_high(case: Case) -> Measured | None:
    """Indirect bilirubin above its limit: as reported, else total minus direct of one sample."""
    return case.above("bilirubin-indirect")


def positive_antiglobulin(case: Case) -> Coded | None:
    """A positive direct antiglobulin test, of any kind."""
    return next(
        (t for t in map(case.seen, ("dat", "dat-igg", "dat-complement")) if t is not None), None
    )


def negative_antiglobulin(case: Case) -> Coded | None:
    """A current direct antiglobulin test that is negative while none is positive."""
    if positive_antiglobulin(case) is not None:
        return None
    tests = (case.coded(name) for name in ("dat", "dat-igg", "dat-complement"))
    return next((t for t in tests if t is not None and t.answer == "negative"), None)


def recent_growth_factor(case: Case) -> tuple[Treatment, ...]:
    """Growth factor close enough before the count to put young cells into the blood."""
    now = case.hemoglobin.time if case.hemoglobin else case.at
    return tuple(
        t
        for group in G_CSF
        for t in case.ever(group)
        if t.exposed_between(now.plus(-case.knowledge.value(f"pattern.window_{group}")), now)
    )


def growth_factor_unrecorded(case: Case) -> bool:
    """Does the record say nothing at all, given or not given, about a growth factor?"""
    return not any(row.drug.partition("/")[0] in G_CSF for row in case.record.drugs)


def macrocytosis_drugs(case: Case) -> tuple[Treatment, ...]:
    """Drugs inside their window that make red cells large."""
    own = tuple(t for s, t in case.cancer_drugs.items() if case.knowledge.drugs[s].macrocytosis)
    return own + tuple(
        t for t in case.contributors("marrow-suppressant") if t.drug.endswith("/hydroxyurea")
    )


def usable_ferritin(case: Case) -> Measured | None:
    """The current ferritin, unless intravenous iron given before it makes it unreadable."""
    ferritin = case.current("ferritin")
    if ferritin is None:
        return None
    window = case.knowledge.value("alternatives.ferritin_after_iron")
    given = any(
        t.exposed_between(ferritin.time.plus(-window), ferritin.time) for t in case.ever("iron-iv")
    )
    return None if given else ferritin


def treatment_start(case: Case) -> Moment | None:
    """The first dose of the current treatment: the earliest start among drugs in their window."""
    starts = [t.first for t in case.cancer_drugs.values() if t.first is not None]
    return min(starts) if starts else None


def baseline(case: Case, analyte: str) -> Measured | None:
    """The earliest value in the 24 months before the current treatment, else an old enough one."""
    start = treatment_start(case)
    number = case.knowledge.value
    rows = case.series(analyte)
    if start is not None:
        before = [
            m
            for m in rows
            if m.time < start and within(m.time, start, number("pattern.baseline_days"))
        ]
        if before:
            return before[0]
    age = number("pattern.baseline_age")
    old = [m for m in rows if days_between(m.time, case.at) >= age]
    return old[0] if old else None


def _mcv_before_treatment(case: Case) -> tuple[Measured, ...]:
    start = treatment_start(case)
    if start is None:
        return ()
    return tuple(m for m in case.series("mcv") if m.time < start)


def _previous(case: Case, analyte: str) -> Measured | None:
    now = case.with_count(analyte)
    earlier = [m for m in case.series(analyte) if now is not None and m.time < now.time]
    return earlier[-1] if earlier else None


def _comparable(case: Case) -> tuple[Measured, ...]:
    now = case.hemoglobin
    if now is None:
        return ()
    return tuple(e for e in case.earlier_hemoglobin if case.transfused_between(e, now) is None)


def _triples(case: Case) -> tuple[tuple[Measured, Measured], ...]:
    pairs = []
    for analyte in ("hemoglobin", "leukocytes", "platelets"):
        now, before = case.with_count(analyte), _previous(case, analyte)
        if now is not None and before is not None:
            pairs.append((before, now))
    return tuple(pairs)


def _proven_deficiency(case: Case) -> bool:
    number = case.knowledge.value
    b12, folate = case.current("vitamin-b12"), case.current("folate")
    return (b12 is not None and b12.value < number("alternatives.b12_deficient")) or (
        folate is not None and folate.value < number("alternatives.folate_deficient")
    )


def _persisting(case: Case) -> Finding[bool]:
    held = tuple(
        t
        for slug, t in case.treatments.items()
        if slug in case.knowledge.drugs and case.drug_class(slug) == PARP and t.held_since
    )
    since = min((t.held_since for t in held if t.held_since), default=None)
    return persisting_cytopenia(
        case.knowledge,
        held,
        case.at,
        case.hemoglobin,
        _count_at_hold(case, since) if since else None,
        case.with_count("platelets"),
        case.with_count("neutrophils"),
    )


def _count_at_hold(case: Case, since: Moment) -> Measured | None:
    counts = case.series("hemoglobin")
    before = [m for m in counts if m.time.day <= since.day]
    after = [m for m in counts if m.time.day > since.day]
    return before[-1] if before else (after[0] if after else None)


__all__ = ["CDK", "BloodPicture", "read_blood"]
