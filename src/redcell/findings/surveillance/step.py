"""S1 Surveillance: survey the counts of one patient."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from redcell.findings.case import Case
from redcell.findings.surveillance.count import Surveillance
from redcell.findings.surveillance.identity import identity
from redcell.findings.surveillance.rules import (
    delta_check,
    fall,
    filtration,
    grade,
    lower_limit,
    production_index,
    red_cell_size,
    stale,
    status,
    trend,
    who_adjusted,
    who_severity,
)
from redcell.record.measured import Measured
from redcell.record.moment import days_between, within
from redcell.rule import Finding


def survey(case: Case) -> Surveillance:
    """Pick the counts from the record and answer the questions of step S1."""
    k = case.knowledge
    patient = case.record.patient
    hemoglobin = case.hemoglobin
    pregnancy, mid = _pregnancy(case)
    limit = lower_limit(k, hemoglobin, patient.sex, pregnancy, mid)
    delta = delta_check(k, hemoglobin, *_before(case), case.hematocrit_of_count)
    standing = status(k, hemoglobin, limit, delta)
    adjusted = _adjusted(case)
    age = days_since(case, hemoglobin)
    lately = _lately(case, _untransfused(case, case.trusted_hemoglobin), "urgency.fortnight")
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
        identity=identity(case),
        fall=fall(k, hemoglobin, lately, limit, delta),
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
    return days_between(result.time, case.at)


def _pregnancy(case: Case) -> tuple[Any, bool]:
    coded = case.coded("pregnancy-status")
    found: Any = coded if coded is not None and coded.positive else case.diagnosis("pregnancy")
    weeks = case.current("gestational-age")
    low, high = case.knowledge.number("anemia.pregnant_mid_weeks").rows[0]
    return found, found is not None and weeks is not None and low <= weeks.value < high + 1


def _adjusted(case: Case) -> Finding[float | None]:
    """Pick residence and smoking, and the tables that the site chose."""
    k, patient = case.knowledge, case.record.patient
    altitude = patient.altitude_m if patient.altitude_m is not None else k.setting("altitude_m")
    steps = ALTITUDE_TABLES.get(k.choice("altitude_table"))
    smoker = case.record.coded.get("smoking-status", (None,))[-1]
    amount = case.newest("packs-per-day")
    by_cigarettes = k.choice("smoking_table") == "cigarettes-2024"
    if by_cigarettes and amount is not None:
        amount = replace(amount, value=amount.value * k.value("anemia.cigarettes_per_pack"))
    smoking = "anemia.smoking_by_cigarettes_2024" if by_cigarettes else "anemia.smoking_by_packs"
    return who_adjusted(
        k,
        case.hemoglobin,
        altitude,
        k.number(steps) if steps else None,
        smoker,
        amount,
        k.number(smoking),
    )


ALTITUDE_TABLES = {
    "steps-2011": "anemia.altitude_steps_2011",
    "bands-2024": "anemia.altitude_bands_2024",
}


def _untransfused(case: Case, counts: tuple[Measured, ...]) -> tuple[Measured, ...]:
    """The counts with no red cells between them and the newest one."""
    now = case.hemoglobin
    if now is None:
        return ()
    return tuple(e for e in counts if case.transfused_between(e, now) is None)


def _since_transfusion(case: Case) -> tuple[Measured, ...]:
    now = case.hemoglobin
    return (*_untransfused(case, case.earlier_hemoglobin), now) if now is not None else ()


def _before(case: Case) -> tuple[Any, Any, Any]:
    """Earlier counts that nothing explains away, recorded bleeds, and the companion cell counts."""
    now = case.hemoglobin
    if now is None:
        return (), (), ()
    bare = tuple(e for e in case.trusted_hemoglobin if not case.explained_between(e, now))
    pairs: list[tuple[Measured, Measured]] = []
    before = bare[-1] if bare else None
    for analyte in ("leukocytes", "platelets"):
        rows = case.series(analyte)
        then = [m for m in rows if before is not None and m.time.day == before.time.day]
        today = [m for m in rows if m.time.day == now.time.day]
        if then and today and then[-1] is not today[-1]:
            pairs.append((then[-1], today[-1]))
    return _lately(case, bare, "anemia.large_fall_days"), case.bleeds, tuple(pairs)


def _lately(case: Case, counts: tuple[Measured, ...], window: str) -> tuple[Measured, ...]:
    """The counts that lie in a window before the newest one."""
    now, days = case.hemoglobin, case.knowledge.value(window)
    return tuple(m for m in counts if now is not None and within(m.time, now.time, days))
