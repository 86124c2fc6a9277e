"""S1 Surveillance: what the pattern rules pick from the record."""

from __future__ import annotations

from redcell.findings.case import Case
from redcell.record.measured import Coded, Measured
from redcell.record.moment import Moment, days_between, within
from redcell.record.therapies import Treatment

LEFT_SHIFT = ("myelocytes", "metamyelocytes", "promyelocytes")


G_CSF = ("g-csf", "g-csf-pegylated")


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
    """Drugs inside their window that make red cells large, hydroxyurea among them."""
    own = tuple(t for s, t in case.cancer_drugs.items() if case.knowledge.drugs[s].macrocytosis)
    others = case.contributors("marrow-suppressant")
    return own + tuple(t for t in others if t.drug.partition("/")[2] in HYDROXYUREA)


HYDROXYUREA = ("hydroxyurea", "hydroxycarbamide", "hydrea", "droxia", "siklos", "l01xx05")


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


def mcv_before_treatment(case: Case) -> tuple[Measured, ...]:
    """Every MCV older than the first dose of the current treatment."""
    start = treatment_start(case)
    if start is None:
        return ()
    return tuple(m for m in case.series("mcv") if m.time < start)


def previous(case: Case, analyte: str) -> Measured | None:
    """The value before the one that goes with the count."""
    now = case.with_count(analyte)
    earlier = [m for m in case.series(analyte) if now is not None and m.time < now.time]
    return earlier[-1] if earlier else None


def comparable(case: Case) -> tuple[Measured, ...]:
    """Earlier hemoglobins with no red cells between them and the newest."""
    now = case.hemoglobin
    if now is None:
        return ()
    return tuple(e for e in case.trusted_hemoglobin if case.transfused_between(e, now) is None)


def triples(case: Case) -> tuple[tuple[Measured, Measured], ...]:
    """Hemoglobin, leukocytes and platelets, each now and before."""
    pairs = []
    for analyte in ("hemoglobin", "leukocytes", "platelets"):
        now, before = case.with_count(analyte), previous(case, analyte)
        if now is not None and before is not None:
            pairs.append((before, now))
    return tuple(pairs)


def proven_deficiency(case: Case) -> bool:
    """Is vitamin B12 or folate proven deficient?"""
    number = case.knowledge.value
    b12, folate = case.current("vitamin-b12"), case.current("folate")
    return (b12 is not None and b12.value < number("alternatives.b12_deficient")) or (
        folate is not None and folate.value < number("alternatives.folate_deficient")
    )


def count_at_hold(case: Case, since: Moment) -> Measured | None:
    """The hemoglobin at a hold: the newest up to that day, else the first after it."""
    counts = case.series("hemoglobin")
    before = [m for m in counts if m.time.day <= since.day]
    after = [m for m in counts if m.time.day > since.day]
    return before[-1] if before else (after[0] if after else None)
