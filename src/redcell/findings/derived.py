"""S1 Surveillance: values computed from other values of the same sample, when not reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from redcell.knowledge.load import Knowledge
from redcell.quantity import half_up
from redcell.record.measured import Measured
from redcell.record.record import Record

Formula = Callable[[float, float], float | None]


class Derived(Measured, frozen=True):
    """A computed value; `basis` names every result that it was computed from."""

    basis: tuple[str, ...] = ()

    @property
    def references(self) -> tuple[str, ...]:
        """FHIR references of the results behind it."""
        return self.basis


def complete(record: Record, knowledge: Knowledge) -> Record:
    """The record with transferrin saturation, indirect bilirubin, the urea ratio and the corrected
    calcium added where the laboratory did not report them itself.
    """
    number = knowledge.value
    hundred, transferrin = 100.0, number("pattern.tsat_from_transferrin")
    slope, normal = number("pattern.calcium_per_albumin"), number("pattern.albumin_normal")

    def saturation(iron: float, capacity: float) -> float | None:
        return hundred * iron / capacity if capacity else None

    def by_transferrin(iron: float, protein: float) -> float | None:
        return transferrin * iron / protein if protein else None

    def corrected(calcium: float, albumin: float) -> float | None:
        return calcium + slope * (normal - albumin) if albumin < normal else None

    plans: tuple[tuple[str, str, str, Formula], ...] = (
        ("tsat", "iron", "tibc", saturation),
        ("tsat", "iron", "transferrin", by_transferrin),
        ("bilirubin-indirect", "bilirubin-total", "bilirubin-direct", lambda t, d: max(t - d, 0.0)),
        ("bun-creatinine-ratio", "bun", "creatinine", lambda n, c: n / c if c else None),
    )
    results = dict(record.results)
    for target, first, second, formula in plans:
        added = list(_computed(results, target, first, second, formula, knowledge))
        if added:
            rows = (*results.get(target, ()), *added)
            results[target] = tuple(sorted(rows, key=lambda m: m.time))
    calcium = list(_corrected(results, corrected, knowledge))
    if calcium:
        results["calcium-corrected"] = tuple(calcium)
    return replace(record, results=results) if results != record.results else record


def _computed(
    results: dict[str, tuple[Measured, ...]],
    target: str,
    first: str,
    second: str,
    formula: Formula,
    knowledge: Knowledge,
) -> Iterator[Measured]:
    reported = {m.time.day for m in results.get(target, ())}
    others = {m.time.day: m for m in results.get(second, ())}
    for one in results.get(first, ()):
        other = others.get(one.time.day)
        if other is None or one.time.day in reported:
            continue
        value = formula(one.value, other.value)
        if value is not None:
            unit = knowledge.analytes[target].unit
            yield Derived(
                target,
                half_up(value, 2),
                unit,
                max(one.time, other.time),
                one.reference,
                basis=(other.reference,),
            )


def _corrected(
    results: dict[str, tuple[Measured, ...]], formula: Formula, knowledge: Knowledge
) -> Iterator[Measured]:
    """Calcium corrected for the newest albumin inside the freshness window, never downward."""
    window = knowledge.value("freshness.chemistry")
    albumins = results.get("albumin", ())
    for calcium in results.get("calcium", ()):
        near = [
            a
            for a in albumins
            if abs((a.time.time - calcium.time.time).total_seconds()) <= window * SECONDS
        ]
        if not near:
            continue
        value = formula(calcium.value, near[-1].value)
        if value is not None:
            yield Derived(
                "calcium-corrected",
                half_up(value, 2),
                calcium.ucum,
                calcium.time,
                calcium.reference,
                low=calcium.low,
                high=calcium.high,
                basis=(near[-1].reference,),
            )


SECONDS = 86400.0
