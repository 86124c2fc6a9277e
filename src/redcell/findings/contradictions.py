"""S1 Surveillance: values of one count that cannot all be right, and which of them are not used.

Red cells times their size are the hematocrit, and hemoglobin over hematocrit is what the cells
hold. Values of one sample that break this are said. Where they break it by so much that they are
no measurements of one blood, those that stand against the rest are held; where nothing tells which
is wrong, all of them. Hemoglobin is never held here: a count that may be low must not be lost to
values that are reckoned. Cells that hold little hemoglobin, as without iron, lie within the limits.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from redcell.knowledge.load import Knowledge
from redcell.quantity import half_up, plain
from redcell.record.measured import Measured
from redcell.record.record import Record, SetAside

PER_MILLE = 10
"""Red cells (million/uL) times their size (fL) are thousandths of the blood, not hundredths."""
ASK = "Ask for the count again."
AS_THEY_STAND = "One of them is wrong; they were used as they stand."
NAMES = {"rbc": "red cells", "mcv": "MCV", "mchc": "MCHC"}


class Doubt(Struct, frozen=True):
    """What is said about values of one sample, and which of them are not used for it."""

    about: Measured
    text: str
    held: tuple[Measured, ...] = ()


class Sample(Struct, frozen=True):
    """The red-cell values of one sample; those that are bounds are left out."""

    hematocrit: Measured
    hemoglobin: Measured | None
    rbc: Measured | None
    mcv: Measured | None
    mchc: Measured | None


def consistent(record: Record, knowledge: Knowledge) -> tuple[Record, tuple[Measured, ...]]:
    """The record without values that others of their sample contradict, and these values."""
    if "hematocrit" not in record.results:
        return record, ()
    limits = _Limits(knowledge)
    doubts = [doubt for sample in _samples(record) for doubt in _judged(sample, limits)]
    if not doubts:
        return record, ()
    held = tuple(value for doubt in doubts for value in doubt.held)
    gone = {id(value) for value in held}
    left = {
        name: tuple(row for row in rows if id(row) not in gone)
        for name, rows in record.results.items()
    }
    told = (SetAside("conflicting-records", "", d.text, d.about.reference) for d in doubts)
    kept = replace(
        record,
        results={name: rows for name, rows in left.items() if rows},
        set_aside=(*record.set_aside, *told),
    )
    return kept, held


def _samples(record: Record) -> Iterator[Sample]:
    hematocrits, *others = (
        {m.time: m for m in record.results.get(name, ()) if not m.comparator}
        for name in Sample.__struct_fields__
    )
    for time, hematocrit in hematocrits.items():
        yield Sample(hematocrit, *(rows.get(time) for rows in others))


class _Limits:
    """How far values may lie apart."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.said = knowledge.value("anemia.contradiction_said")
        self.held = knowledge.value("anemia.contradiction_held")
        self.least = knowledge.value("anemia.concentration_least")
        self.most = knowledge.value("anemia.concentration_most")
        self.factor = knowledge.value("anemia.hematocrit_factor")

    def fits(self, hemoglobin: Measured | None, percent: float) -> bool:
        """Can cells that fill so much of the blood hold this hemoglobin?"""
        inside = _concentration(hemoglobin, percent)
        return inside is not None and self.least <= inside <= self.most


def _judged(sample: Sample, limits: _Limits) -> Iterator[Doubt]:
    """What is doubted of one sample: by the cells, then by the hemoglobin."""
    by_cells = _against_cells(sample, limits)
    if by_cells is not None:
        yield by_cells
    whole, hemoglobin, mchc = sample.hematocrit, sample.hemoglobin, sample.mchc
    if hemoglobin is None or (by_cells is not None and whole in by_cells.held):
        return
    both = f"{_said(hemoglobin)} and {_said(whole)}"
    inside = _concentration(hemoglobin, whole.value)
    if inside is None or not limits.least <= inside <= limits.most:
        hold = "there are no cells" if inside is None else f"the cells hold {plain(inside)} g/dL"
        text = f"By {both} {hold}; expected {limits.least:g} to {limits.most:g}."
        apart = _apart(whole.value, limits.factor * hemoglobin.value)
        yield _doubt(whole, text, "hematocrit", held=apart > limits.held)
    elif mchc is not None and (apart := _apart(mchc.value, inside)) > limits.said:
        text = f"{_said(mchc)} is not what {both} make ({plain(inside)} g/dL)."
        yield _doubt(mchc, text, "MCHC", held=apart > limits.held)


def _doubt(about: Measured, text: str, name: str, *, held: bool) -> Doubt:
    if held:
        return Doubt(about, f"{text} The {name} was not used. {ASK}", (about,))
    return Doubt(about, f"{text} {AS_THEY_STAND} {ASK}")


def _against_cells(sample: Sample, limits: _Limits) -> Doubt | None:
    """Do red cells times their size make another hematocrit? Hemoglobin says which is wrong."""
    whole, rbc, mcv = sample.hematocrit, sample.rbc, sample.mcv
    if rbc is None or mcv is None:
        return None
    product = half_up(rbc.value * mcv.value / PER_MILLE, 2)
    apart = _apart(whole.value, product)
    if apart <= limits.said:
        return None
    text = f"{_said(rbc)} times {_said(mcv)} make {plain(product)} %, not {_said(whole)}."
    if apart <= limits.held:
        return Doubt(whole, f"{text} {AS_THEY_STAND} {ASK}")
    fits = limits.fits(sample.hemoglobin, whole.value), limits.fits(sample.hemoglobin, product)
    if fits == (True, False):
        why = "Hemoglobin fits the hematocrit: the other two were not used."
        return Doubt(rbc, f"{text} {why} {ASK}", (rbc, mcv))
    if fits == (False, True):
        why = "Hemoglobin fits the cells: the hematocrit was not used."
        return Doubt(whole, f"{text} {why} {ASK}", (whole,))
    why = "Nothing tells which is wrong: none of the three was used."
    return Doubt(whole, f"{text} {why} {ASK}", (whole, rbc, mcv))


def _concentration(hemoglobin: Measured | None, percent: float) -> float | None:
    """Hemoglobin in the cells, g/dL; none where it is not known or there are no cells."""
    if hemoglobin is None or not percent:
        return None
    return half_up(100 * hemoglobin.value / percent, 2)


def _apart(one: float, other: float) -> float:
    """The difference as a share of the larger one."""
    most = max(one, other)
    return half_up(abs(one - other) / most, 4) if most else 0.0


def _said(value: Measured) -> str:
    name = NAMES.get(value.analyte, value.analyte)
    return f"{name} {value} [{value.reference}]"
