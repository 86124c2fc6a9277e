"""S1 Surveillance: limit, status, grades, trend, delta check (G rules)."""

from __future__ import annotations

from redcell.findings.case import days, drop
from redcell.findings.surveillance.count import LowerLimit, Severity, Status, Suspicion, Trend
from redcell.knowledge.load import Cited
from redcell.quantity import half_up
from redcell.record.measured import Coded, Measured
from redcell.record.symptoms import SymptomReport
from redcell.record.transfusions import Transfusion
from redcell.rule import Finding, rule


@rule(
    "G-c",
    men="anemia.who_limit_men",
    women="anemia.who_limit_women",
    pregnant_limit="anemia.who_limit_pregnant",
    mid_limit="anemia.who_limit_pregnant_mid",
)
def lower_limit(
    hemoglobin: Measured | None,
    sex: str,
    pregnancy: object,
    mid_pregnancy: bool,
    *,
    men: Cited,
    women: Cited,
    pregnant_limit: Cited,
    mid_limit: Cited,
) -> LowerLimit:
    """Below which hemoglobin is this patient anemic?

    The reporting laboratory's own limit for the result; without one the WHO limit. A sex that is
    not known gets the women's limit, which is low for either sex.
    """
    if hemoglobin is not None and hemoglobin.low is not None:
        return LowerLimit(half_up(hemoglobin.low, 2), "report")
    if pregnancy is not None:
        return LowerLimit(mid_limit.value if mid_pregnancy else pregnant_limit.value, "who")
    return LowerLimit(men.value if sex == "male" else women.value, "who")


@rule("G0")
def status(
    hemoglobin: Measured | None, limit: Finding[LowerLimit], delta: Finding[Suspicion]
) -> Status:
    """Is the patient anemic?

    Provisional while the newest value is preliminary or failed the delta check; unknown without a
    hemoglobin that is still usable.
    """
    if hemoglobin is None:
        return "unknown"
    if delta.value.failed or hemoglobin.status == "preliminary":
        return "provisional"
    return "anemic" if hemoglobin.value < limit.value.value else "not-anemic"


@rule("G3", grade2="anemia.grade2_below", grade3="anemia.grade3_below")
def grade(
    hemoglobin: Measured | None,
    limit: Finding[LowerLimit],
    standing: Finding[Status],
    *,
    grade2: Cited,
    grade3: Cited,
) -> int | None:
    """CTCAE v5.0 grade 0 to 3 of the measured value; none while the value is provisional.

    Grade 4 is a clinical judgement and is never given from a number.
    """
    if hemoglobin is None or standing.value in ("provisional", "unknown"):
        return None
    if hemoglobin.value < grade3.value:
        return 3
    if hemoglobin.value < grade2.value:
        return 2
    return 1 if hemoglobin.value < limit.value.value else 0


@rule(
    "G-g",
    lowest="anemia.altitude_from",
    linear="anemia.altitude_linear",
    square="anemia.altitude_square",
    feet="anemia.altitude_kilofeet_per_m",
    unknown_amount="anemia.smoking_unknown_amount",
)
def who_adjusted(
    hemoglobin: Measured | None,
    altitude_m: float | None,
    altitude_table: Cited | None,
    smoker: Coded | None,
    amount: Measured | None,
    smoking_table: Cited,
    *,
    lowest: Cited,
    linear: Cited,
    square: Cited,
    feet: Cited,
    unknown_amount: Cited,
) -> float | None:
    """Hemoglobin minus the WHO adjustments for altitude of residence and smoking, in g/dL.

    Altitude by the formula, or by the step table that the site chose; it changes the WHO label
    only, never a grade or a threshold.
    """
    if hemoglobin is None:
        return None
    less = 0.0
    if altitude_m is not None and altitude_table is not None:
        less += _step(altitude_table, altitude_m)
    elif altitude_m is not None and altitude_m >= lowest.value:
        x = altitude_m * feet.value
        less += linear.value * x + square.value * x * x
    if smoker is not None and smoker.positive:
        less += unknown_amount.value if amount is None else _step(smoking_table, amount.value)
    return half_up(hemoglobin.value - less, 2)


def _step(table: Cited, value: float) -> float:
    """The last row of a step table that the value reaches; nothing below the first."""
    return next((less for least, less in reversed(table.rows) if value >= least), 0.0)


@rule(
    "G-g",
    women="anemia.who_classes_women",
    men="anemia.who_classes_men",
    pregnant="anemia.who_classes_pregnant",
)
def who_severity(
    adjusted: Finding[float | None],
    sex: str,
    pregnancy: object,
    mid_pregnancy: bool,
    standing: Finding[Status],
    *,
    women: Cited,
    men: Cited,
    pregnant: Cited,
) -> Severity | None:
    """The WHO 2011 severity class of the adjusted hemoglobin; never merged with the CTCAE grade."""
    if adjusted.value is None or standing.value in ("provisional", "unknown"):
        return None
    table = men if sex == "male" else women
    limits = table.rows[0]
    if pregnancy is not None:
        limits = pregnant.rows[1] if mid_pregnancy else pregnant.rows[0]
    severe, moderate, mild = limits
    if adjusted.value < severe:
        return "severe"
    if adjusted.value < moderate:
        return "moderate"
    return "mild" if adjusted.value < mild else "none"


@rule("M1", low="pattern.mcv_low", high="pattern.mcv_high")
def red_cell_size(mcv: Measured | None, *, low: Cited, high: Cited) -> str:
    """Are the red cells small, normal or large?"""
    if mcv is None:
        return "unknown"
    if mcv.value < low.value:
        return "microcytic"
    return "macrocytic" if mcv.value > high.value else "normocytic"


@rule("M2", bands="pattern.rpi_maturation", normal="pattern.rpi_normal_hematocrit")
def production_index(
    reticulocytes: Measured | None, hematocrit: Measured | None, *, bands: Cited, normal: Cited
) -> float | None:
    """Reticulocyte production index: reticulocytes corrected for hematocrit and maturation."""
    if reticulocytes is None or hematocrit is None:
        return None
    maturation = next((time for least, time in bands.rows if hematocrit.value >= least), None)
    if not maturation:
        return None
    return half_up(reticulocytes.value * hematocrit.value / normal.value / maturation, 2)


@rule(
    "G-h",
    change="anemia.delta_change",
    hours="anemia.delta_days",
    fall_days="anemia.large_fall_days",
    parallel="anemia.delta_parallel",
    mismatch="anemia.hematocrit_mismatch",
    factor="anemia.hematocrit_factor",
)
def delta_check(
    hemoglobin: Measured | None,
    earlier: tuple[Measured, ...],
    explained: tuple[Transfusion | SymptomReport, ...],
    companions: tuple[tuple[Measured, Measured], ...],
    hematocrit: Measured | None,
    *,
    change: Cited,
    hours: Cited,
    fall_days: Cited,
    parallel: Cited,
    mismatch: Cited,
    factor: Cited,
) -> Suspicion:
    """Did hemoglobin move further than blood does, without a transfusion or a recorded bleed?

    A repeat that agrees with another count of the same days confirms it.

    `earlier` holds the counts with nothing between them and the newest one that would explain a
    move; `companions` pairs the leukocytes and the platelets of the two counts.
    """
    if hemoglobin is None:
        return Suspicion()
    jumps = [
        e
        for e in earlier
        if abs(drop(e, hemoglobin)) > change.value and days(e, hemoglobin) <= hours.value
    ]
    confirmed = any(
        abs(drop(e, hemoglobin)) <= change.value and days(e, hemoglobin) <= hours.value
        for e in earlier
    )
    if jumps and not confirmed:
        ratio = hemoglobin.value / jumps[-1].value
        moved = [now.value / before.value / ratio for before, now in companions if before.value]
        off = (
            hematocrit is not None
            and abs(half_up(hematocrit.value - factor.value * hemoglobin.value, 2)) > mismatch.value
        )
        together = bool(moved) and all(abs(r - 1) <= parallel.value for r in moved)
        return Suspicion(
            failed=True,
            parallel=together and len(companions) == len(("leukocytes", "platelets")),
            hematocrit_mismatch=off,
        )
    fell = any(
        drop(e, hemoglobin) > change.value and hours.value < days(e, hemoglobin) <= fall_days.value
        for e in earlier
    )
    return Suspicion(large_fall=fell)


@rule(
    "S-R9",
    week_fall="urgency.fall_week",
    week="urgency.week",
    fortnight_fall="urgency.fall_fortnight",
    fortnight="urgency.fortnight",
)
def fall(
    hemoglobin: Measured | None,
    earlier: tuple[Measured, ...],
    limit: Finding[LowerLimit],
    delta: Finding[Suspicion],
    *,
    week_fall: Cited,
    week: Cited,
    fortnight_fall: Cited,
    fortnight: Cited,
) -> bool:
    """Did hemoglobin fall faster than a marrow that makes nothing would let it?

    A difference of two counts, with no transfusion between them; never from a value that failed
    the delta check.
    """
    if hemoglobin is None or delta.value.failed or hemoglobin.value >= limit.value.value:
        return False
    return any(
        (drop(e, hemoglobin) > week_fall.value and days(e, hemoglobin) <= week.value)
        or (drop(e, hemoglobin) > fortnight_fall.value and days(e, hemoglobin) <= fortnight.value)
        for e in earlier
    )


@rule("S-R13", span="anemia.trend_days")
def trend(
    hemoglobin: Measured | None,
    counts: tuple[Measured, ...],
    *,
    span: Cited,
) -> Trend | None:
    """Which way is hemoglobin going? Counts since the last transfusion, in the last weeks."""
    if hemoglobin is None:
        return None
    recent = [c for c in counts if days(c, hemoglobin) <= span.value]
    ages = [-days(c, hemoglobin) for c in recent]
    middle = sum(ages) / len(ages)
    spread = sum((x - middle) ** 2 for x in ages)
    if spread == 0:
        return Trend(None, 0.0, len(recent))
    mean = sum(c.value for c in recent) / len(recent)
    slope = sum((x - middle) * (c.value - mean) for x, c in zip(ages, recent, strict=True)) / spread
    per_week = half_up(slope * len(WEEKDAYS), 2)
    return Trend(per_week, half_up(max(ages) - min(ages), 2), len(recent))


WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@rule("T36", current="freshness.hemoglobin")
def stale(hemoglobin: Measured | None, age_days: float | None, *, current: Cited) -> bool:
    """Is the newest hemoglobin too old to act on without another count?"""
    return hemoglobin is not None and age_days is not None and age_days > current.value


@rule(
    "W5",
    table="pattern.ckd_epi",
    age_factor="pattern.ckd_epi_age",
    female_factor="pattern.ckd_epi_female",
    exponent="pattern.ckd_epi_exponent",
)
def filtration(
    reported: Measured | None,
    creatinine: Measured | None,
    age_years: int | None,
    sex: str,
    *,
    table: Cited,
    age_factor: Cited,
    female_factor: Cited,
    exponent: Cited,
) -> float | None:
    """Kidney filtration in mL/min/1.73 m2: as reported, else by CKD-EPI 2021 from creatinine."""
    if reported is not None:
        return reported.value
    if creatinine is None or age_years is None or sex not in ("female", "male"):
        return None
    scale, kappa, alpha = table.rows[0] if sex == "female" else table.rows[1]
    ratio = creatinine.value / kappa
    value = scale * min(ratio, 1.0) ** alpha * max(ratio, 1.0) ** exponent.value
    value *= age_factor.value**age_years
    return half_up(value * female_factor.value if sex == "female" else value, 1)
