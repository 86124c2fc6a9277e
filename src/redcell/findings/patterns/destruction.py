"""S1 Surveillance: patterns of red cells destroyed and of clotting (M8, M9, M14, W-a)."""

from __future__ import annotations

from redcell.findings.case import days, drop
from redcell.findings.patterns.picture import Coagulation, Hemolysis
from redcell.knowledge.load import Cited
from redcell.quantity import half_up
from redcell.record.disease import Diagnosis
from redcell.record.measured import Coded, Measured
from redcell.record.symptoms import Answer
from redcell.record.therapies import Treatment
from redcell.rule import Finding, rule


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
    comparable: tuple[Measured, ...],
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
        for e in comparable
    )
    if inherited is not None:
        return falling or any(reply.new_or_worse for reply in pigment)
    first = hemoglobin is None or not any(days(e, hemoglobin) <= before.value for e in earlier)
    return falling or bool(pigment) or first


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
        multiple = half_up(d_dimer.value / (d_dimer.high or dimer_limit.value), 6)
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
        over = half_up(prothrombin.value - prothrombin.high, 2)
        (least, some), (most, many) = seconds.rows
        return int(many) if over > most else int(some) if over >= least else 0
    if inr is None:
        return 0
    return max((int(points) for limit, points in ratio.rows if inr.value > limit), default=0)


@rule("M14")
def disseminated(score: Finding[Coagulation]) -> bool:
    """Does the score make disseminated intravascular coagulation?"""
    return score.value.positive
