"""S3 Causes: iron, B12 and folate, the deficiencies that change what to do."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from redcell.findings.case import Case
from redcell.findings.patterns import usable_ferritin
from redcell.knowledge.load import Cited
from redcell.record.measured import Measured
from redcell.record.transfusions import units_given
from redcell.rule import Finding, Unassessed, rule

IronClass = Literal["overload", "definite", "possible", "functional", "replete"]


class Stores(Struct, frozen=True):
    """Iron class, B12 and folate, each known, low, or not known."""

    iron: Finding[IronClass | Unassessed]
    b12_low: Finding[bool | Unassessed]
    folate_low: Finding[bool | Unassessed]
    units_on_record: float

    @property
    def iron_class(self) -> IronClass | None:
        """The class by I1, `None` when ferritin and TSAT do not settle it."""
        return None if isinstance(self.iron.value, Unassessed) else self.iron.value

    @property
    def low_or_untested(self) -> bool:
        """Is iron, B12 or folate low, or not known?"""
        iron = self.iron_class in (None, "definite", "possible", "functional")
        return iron or any(f.value is not False for f in (self.b12_low, self.folate_low))


@rule(
    "I1",
    definite="alternatives.ferritin_definite",
    low="alternatives.ferritin_low",
    saturation="alternatives.tsat_low",
    high="alternatives.ferritin_high",
    overload="alternatives.ferritin_overload",
    full="alternatives.tsat_overload",
    many="alternatives.overload_units",
)
def iron_class(
    ferritin: Measured | None,
    tsat: Measured | None,
    units_on_record: float,
    *,
    definite: Cited,
    low: Cited,
    saturation: Cited,
    high: Cited,
    overload: Cited,
    full: Cited,
    many: Cited,
) -> IronClass | Unassessed:
    """Does this person lack iron, have it locked away, have enough, or too much?

    With one of ferritin and TSAT unknown only a very low or a very high ferritin decides.
    """
    much = (ferritin is not None and ferritin.value > overload.value) or (
        tsat is not None and tsat.value > full.value
    )
    if much and units_on_record >= many.value:
        return "overload"
    if ferritin is not None and ferritin.value < definite.value:
        return "definite"
    if ferritin is not None and ferritin.value > high.value:
        return "replete"
    if ferritin is None or tsat is None:
        return Unassessed(*(n for n, v in (("ferritin", ferritin), ("tsat", tsat)) if v is None))
    if tsat.value < saturation.value:
        return "definite" if ferritin.value < low.value else "functional"
    return "possible" if ferritin.value < low.value else "replete"


@rule(
    "I6",
    deficient="alternatives.b12_deficient",
    borderline="alternatives.b12_borderline",
    raised="alternatives.mma_raised",
)
def b12_low(
    b12: Measured | None,
    methylmalonate: Measured | None,
    *,
    deficient: Cited,
    borderline: Cited,
    raised: Cited,
) -> bool | Unassessed:
    """Is vitamin B12 low? Between the two limits methylmalonate decides."""
    if b12 is None:
        return Unassessed("vitamin-b12")
    if b12.value < deficient.value:
        return True
    if b12.value > borderline.value:
        return False
    if methylmalonate is None:
        return Unassessed("methylmalonate")
    limit = raised.value if methylmalonate.high is None else methylmalonate.high
    return methylmalonate.value > limit


@rule("I6", deficient="alternatives.folate_deficient")
def folate_low(folate: Measured | None, *, deficient: Cited) -> bool | Unassessed:
    """Is folate low?"""
    return Unassessed("folate") if folate is None else folate.value < deficient.value


def take_stock(case: Case) -> Stores:
    """Pick the current stores and read them."""
    k = case.knowledge
    units = units_given(case.record.transfusions, case.record.transfusion_totals, None, case.at)
    return Stores(
        iron=iron_class(k, usable_ferritin(case), case.current("tsat"), units),
        b12_low=b12_low(k, case.current("vitamin-b12"), case.current("mma")),
        folate_low=folate_low(k, case.current("folate")),
        units_on_record=units,
    )
