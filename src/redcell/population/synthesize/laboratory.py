"""Which tests are made of an invented person's blood, and what is done about what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import proxy

from redcell.population.synthesize import blood
from redcell.population.synthesize.body import Look
from redcell.population.synthesize.chart import Remedy, Sample
from redcell.population.synthesize.life import FAR

if TYPE_CHECKING:
    from redcell.population.synthesize.clinic import Clinic

GROWTH_FACTOR_DAYS = 14
ISSUED = 50
"""Minutes from the sample to the result."""


class Laboratory:
    """The tests of one person, in their order."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic: Clinic = proxy(clinic)  # no circle: a batch goes when it is done
        self.rng, self.n = clinic.rng, clinic.n
        self.own = blood.usual(self.rng, self.n, clinic.life)
        self.counts: list[Sample] = []
        self.last = {"chemistry": -FAR, "iron": -FAR, "ejection": -FAR, "vitamins": -FAR}

    def count(self, day: int, look: Look) -> float | None:
        """A blood count and what goes with it; the hemoglobin, or none where the day is over."""
        clinic = self.clinic
        minute = clinic.hour + int(self.rng.integers(-15, 16))
        if not clinic.open(day, minute + ISSUED + 5):
            return None
        treating = clinic.treating
        since = day - treating.growth_factor
        cells = blood.white_cells(
            self.n,
            self.own,
            look,
            treating.exposures(day),
            growth_factor=0 <= since <= GROWTH_FACTOR_DAYS,
        )
        values = blood.cbc(self.rng, self.n, self.own, look, cells, treating.large(day))
        reporting, draw = self.n.reporting, self.rng.random(4)
        low = values["hemoglobin"] < reporting.low_hb
        if draw[0] >= (reporting.reticulocytes_low if low else reporting.reticulocytes):
            del values["reticulocytes-percent"]
        first = not self.counts
        sample = Sample(day, minute, "cbc", values)
        if draw[1] < reporting.corrected:
            sample.status = "corrected"
        self.counts.append(sample)
        clinic.chart.samples.append(sample)
        self._more(day, minute, look, values["hemoglobin"], first=first)
        return values["hemoglobin"]

    def _more(self, day: int, minute: int, look: Look, hb: float, *, first: bool) -> None:
        """Chemistry, iron, vitamins, hemolysis and the smear, where they are due."""
        reporting, life = self.n.reporting, self.clinic.life
        draw = self.rng.random(5)
        low = hb < reporting.iron_below
        if day - self.last["chemistry"] >= reporting.chemistry_days:
            rise = self.n.blood.creatinine_abemaciclib * self._on("abemaciclib")
            values = blood.chemistry(self.rng, self.n, life, self.own, look, rise)
            self._add(day, minute, "chemistry", values)
        due = day - self.last["iron"] >= reporting.iron_days
        if due and draw[0] < (reporting.iron_first if first else reporting.iron_low * low):
            self._iron(day, minute, look, vitamins=draw[1] < reporting.vitamins)
        fell = look.destroyed > 0.0
        if low and (fell or draw[2] < reporting.hemolysis_tests):
            self._add(day, minute, "hemolysis", blood.hemolysis_tests(self.rng, self.own, look))
        if low and (look.infiltration > SHOWS or draw[3] < reporting.smear):
            shown = look.infiltration > SHOWS
            values = {
                "teardrops": float(shown),
                "schistocytes": 0.0,
                "spherocytes": float(fell),
                "hypersegmented": float(look.vitamin_lack > SHOWS),
                "myelocytes": 2.0 * shown,
                "nucleated-rbc": 3.0 * shown,
            }
            self._add(day, minute, "smear", values)
        if self._watched() and day - self.last["ejection"] >= reporting.ejection_days:
            weak = 12 * life.has("heart-failure")
            self._add(day, minute + 90, "ejection", {"lvef": 61 - weak + 3 * self.rng.normal()})

    def _add(self, day: int, minute: int, kind: str, values: dict[str, float]) -> None:
        self.last[kind] = day
        if self.clinic.open(day, minute + ISSUED):
            self.clinic.chart.samples.append(Sample(day, minute, kind, values))

    def _on(self, slug: str) -> bool:
        return any(t.slug == slug and t.end is None for t in self.clinic.chart.tablets)

    def _watched(self) -> bool:
        regimen = self.clinic.treating.regimen
        return regimen is not None and any(slug in HEART for slug in regimen.drugs)

    def _iron(self, day: int, minute: int, look: Look, *, vitamins: bool) -> None:
        units = sum(r.units for r in self.clinic.chart.red_cells)
        found = blood.iron_studies(self.rng, self.n, self.own, look, units)
        self._add(day, minute, "iron", found)
        number, burden = self.clinic.k.value, self.n.burden
        body, lane = self.clinic.body, self.clinic.lane
        empty = found["ferritin"] < number("alternatives.ferritin_definite")
        short = found["ferritin"] < number("alternatives.ferritin_low")
        if empty or (short and found["tsat"] < number("alternatives.tsat_low")):
            if self.rng.random() < burden.by_vein:
                body.replete(lane, burden.by_vein_days)
                for later in (7, 14):
                    self._remedy("ferric carboxymaltose", day + later, day + later)
            else:
                body.replete(lane, burden.by_mouth_days)
                self._remedy("ferrous sulfate", day + 1, None)
        if not vitamins:
            return
        values = blood.vitamins(self.rng, self.clinic.life, self.own, look)
        self._add(day, minute, "vitamins", values)
        if values["vitamin-b12"] < number("alternatives.b12_deficient"):
            body.supply(lane, burden.repletion_days)
            self._remedy("cyanocobalamin", day + 2, None)
        elif values["folate"] < number("alternatives.folate_deficient"):
            body.supply(lane, burden.repletion_days)
            self._remedy("folic acid", day + 2, None)

    def _remedy(self, name: str, start: int, end: int | None) -> None:
        self.clinic.chart.remedies.append(Remedy(name, start, end))


SHOWS = 0.35
HEART = frozenset(
    {"trastuzumab", "pertuzumab", "trastuzumab-deruxtecan", "trastuzumab-emtansine", "doxorubicin",
     "epirubicin", "liposomal-doxorubicin"}
)  # fmt: skip
