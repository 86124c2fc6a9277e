"""S1 Surveillance: patterns of cell size, cell lines and the marrow (M and W rules)."""

from __future__ import annotations

from redcell.findings.case import drop
from redcell.findings.patterns.picture import Cytopenia
from redcell.knowledge.load import Cited
from redcell.quantity import half_up
from redcell.record.disease import Diagnosis
from redcell.record.measured import Coded, Measured
from redcell.record.moment import Moment, days_between
from redcell.record.therapies import Treatment
from redcell.rule import Finding, rule


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
    """Very large cells, or oval large cells with hypersegmented neutrophils: B12 or folate?"""
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
    """Are at least two of red cells, leukocytes and platelets low?"""
    low = [anemic, bool(others.value.leukocytes), bool(others.value.platelets)]
    return sum(low) > 1


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
    change = [half_up(now.value / was.value - 1, 6) if was.value else 0.0 for was, now in pairs]
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
    coded: Diagnosis | None,
    *,
    low: Cited,
    mentzer: Cited,
    iron: Cited,
    saturation: Cited,
) -> bool:
    """Small cells before treatment and now, many of them, with iron in store: thalassemia trait?

    With thalassemia on record, small cells now are enough.
    """
    if coded is not None and mcv is not None:
        return mcv.value < low.value
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
