"""S1 Surveillance: anemic? how badly? can the value be trusted? which way is it going?"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from redcell.findings.case import Case, days, drop
from redcell.knowledge.load import Cited
from redcell.quantity import half_up
from redcell.record.measured import Coded, Measured
from redcell.record.symptoms import SymptomReport
from redcell.record.transfusions import Transfusion
from redcell.rule import Finding, rule

Status = Literal["anemic", "not-anemic", "provisional", "unknown"]
Severity = Literal["none", "mild", "moderate", "severe"]


class LowerLimit(Struct, frozen=True):
    """The hemoglobin below which this patient is anemic, in g/dL, and where it comes from."""

    value: float
    origin: Literal["report", "who"]

    def __str__(self) -> str:
        where = "the laboratory's own" if self.origin == "report" else "WHO"
        return f"{self.value:g} g/dL ({where} limit)"


class Trend(Struct, frozen=True):
    """Least-squares slope in g/dL per week over `points` counts that span `days` days."""

    g_dl_per_week: float | None
    days: float
    points: int

    def __str__(self) -> str:
        if self.g_dl_per_week is None:
            return "one count only"
        return f"{self.g_dl_per_week:+.2f} g/dL per week over {self.points} counts"


class Suspicion(Struct, frozen=True):
    """How a value differs from the one before it by more than blood does."""

    failed: bool = False
    parallel: bool = False
    hematocrit_mismatch: bool = False
    large_fall: bool = False

    def __str__(self) -> str:
        signs = [name.replace("_", " ") for name in self.__struct_fields__ if getattr(self, name)]
        return ", ".join(signs) or "none"


class Surveillance(Struct, frozen=True):
    """Everything that step S1 says about the newest count."""

    status: Finding[Status]
    lower_limit: Finding[LowerLimit]
    grade: Finding[int | None]
    who: Finding[Severity | None]
    who_adjusted: Finding[float | None]
    size: Finding[str]
    production_index: Finding[float | None]
    trend: Finding[Trend | None]
    delta: Finding[Suspicion]
    fall: Finding[bool]
    stale: Finding[bool]
    egfr: Finding[float | None]

    @property
    def anemic(self) -> bool:
        """Is the newest value below its limit, provisional or not?"""
        return self.status.value == "anemic" or (
            self.status.value == "provisional" and self.below_limit
        )

    @property
    def below_limit(self) -> bool:
        """Does the newest value, whatever its standing, lie below the limit?"""
        hemoglobin = self.status.inputs["hemoglobin"]
        return hemoglobin is not None and hemoglobin.value < self.lower_limit.value.value


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
    packs="anemia.smoking_by_packs",
    unknown_amount="anemia.smoking_unknown_amount",
)
def who_adjusted(
    hemoglobin: Measured | None,
    altitude_m: float | None,
    smoker: Coded | None,
    packs_per_day: Measured | None,
    *,
    lowest: Cited,
    linear: Cited,
    square: Cited,
    feet: Cited,
    packs: Cited,
    unknown_amount: Cited,
) -> float | None:
    """Hemoglobin minus the WHO adjustments for altitude of residence and smoking, in g/dL."""
    if hemoglobin is None:
        return None
    less = 0.0
    if altitude_m is not None and altitude_m >= lowest.value:
        x = altitude_m * feet.value
        less += linear.value * x + square.value * x * x
    if smoker is not None and smoker.positive:
        less += unknown_amount.value
        if packs_per_day is not None:
            less -= unknown_amount.value
            less += next(cut for least, cut in reversed(packs.rows) if packs_per_day.value >= least)
    return half_up(hemoglobin.value - less, 2)


@rule(
    "A1",
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
    maturation = next(time for least, time in bands.rows if hematocrit.value >= least)
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
    if jumps:
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


def survey(case: Case) -> Surveillance:
    """Pick the counts from the record and answer the questions of step S1."""
    k = case.knowledge
    patient = case.record.patient
    hemoglobin = case.hemoglobin
    pregnancy, mid = _pregnancy(case)
    limit = lower_limit(k, hemoglobin, patient.sex, pregnancy, mid)
    delta = delta_check(k, hemoglobin, *_before(case), case.with_count("hematocrit"))
    standing = status(k, hemoglobin, limit, delta)
    smoker = case.record.coded.get("smoking-status", (None,))[-1]
    altitude = patient.altitude_m if patient.altitude_m is not None else k.setting("altitude_m")
    adjusted = who_adjusted(k, hemoglobin, altitude, smoker, _packs(case))
    age = days_since(case, hemoglobin)
    return Surveillance(
        status=standing,
        lower_limit=limit,
        grade=grade(k, hemoglobin, limit, standing),
        who=who_severity(k, adjusted, patient.sex, pregnancy, mid, standing),
        who_adjusted=adjusted,
        size=red_cell_size(k, case.with_count("mcv")),
        production_index=production_index(
            k, case.with_count("reticulocytes-percent"), case.with_count("hematocrit")
        ),
        trend=trend(k, hemoglobin, _since_transfusion(case)),
        delta=delta,
        fall=fall(k, hemoglobin, _untransfused(case), limit, delta),
        stale=stale(k, hemoglobin, age),
        egfr=filtration(
            k,
            case.current("egfr"),
            case.current("creatinine"),
            patient.age_years(case.at),
            patient.sex,
        ),
    )


def days_since(case: Case, result: Measured | None) -> float | None:
    """Age of a result at the moment of the assessment, in days."""
    if result is None:
        return None
    from redcell.record.moment import days_between

    return days_between(result.time, case.at)


def _pregnancy(case: Case) -> tuple[Any, bool]:
    coded = case.coded("pregnancy-status")
    found: Any = coded if coded is not None and coded.positive else case.diagnosis("pregnancy")
    weeks = case.current("gestational-age")
    low, high = case.knowledge.number("anemia.pregnant_mid_weeks").rows[0]
    return found, found is not None and weeks is not None and low <= weeks.value < high + 1


def _packs(case: Case) -> Measured | None:
    return case.newest("packs-per-day")


def _untransfused(case: Case) -> tuple[Measured, ...]:
    now = case.hemoglobin
    if now is None:
        return ()
    return tuple(e for e in case.earlier_hemoglobin if case.transfused_between(e, now) is None)


def _since_transfusion(case: Case) -> tuple[Measured, ...]:
    now = case.hemoglobin
    return (*_untransfused(case), now) if now is not None else ()


def _before(case: Case) -> tuple[Any, Any, Any]:
    """Earlier counts that nothing explains away, what would, and the companion cell counts."""
    now = case.hemoglobin
    if now is None:
        return (), (), ()
    bleeds = tuple(
        report
        for name in case.named("bleeding_site")
        for report in case.record.symptoms.get(name, ())
        if report.present
    )
    bare = tuple(
        e
        for e in _untransfused(case)
        if not any(e.time < b.time <= now.time or _began(b, e, now) for b in bleeds)
    )
    pairs: list[tuple[Measured, Measured]] = []
    before = bare[-1] if bare else None
    for analyte in ("leukocytes", "platelets"):
        rows = case.series(analyte)
        then = [m for m in rows if before is not None and m.time.day == before.time.day]
        today = [m for m in rows if m.time.day == now.time.day]
        if then and today and then[-1] is not today[-1]:
            pairs.append((then[-1], today[-1]))
    return bare, bleeds, tuple(pairs)


def _began(report: SymptomReport, earlier: Measured, now: Measured) -> bool:
    onset = report.onset
    return onset is not None and earlier.time < onset <= now.time and report.time > now.time
