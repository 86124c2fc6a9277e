"""MIMIC-III demo: what one unit of red cells did to the hemoglobin of people in intensive care.

They bleed, are operated on and are given fluids, so most before/after pairs say little about the
transfusion. The choices:

- A unit is a bag: the charted mL over `UNIT_ML`, rounded, at least one. Rows without an amount
  and replaced rows ("Rewritten") are no bags.
- The older bedside system charts one time, when the bag is in: it is taken to have begun at the
  row of the same order that charts no amount yet, if one lies in the `HANG_HOURS` before, else
  `CV_HOURS` earlier. The newer system gives start and end.
- Only the laboratory's hemoglobin (51222) counts; blood-gas hemoglobin is another device.
- A count taken while a bag runs or less than `SETTLE_HOURS` after it belongs to neither side.
- Units without a settled count between them are one episode. Before = the newest settled count
  in the `BEFORE_HOURS` before its first bag, after = the first one in the `AFTER_HOURS` after
  its last, before the next bag.
- An episode is *steady* when nothing speaks for another cause of the change: no blood of the
  operating room within a day, no plasma, platelets or cryoprecipitate between the two counts
  (volume, and a sign of bleeding), at most `FEW_UNITS` units, and no fall of more than
  `FALL_G_DL` in the day before the first count. It is *quiet* when the admission also carries no
  code of hemorrhage. Codes are given at discharge and say nothing about the day, so the steady
  episodes are the ones that are judged and the quiet ones a check on them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from statistics import median

from msgspec import Struct

from model.series.tasks import grouped, table
from redcell.record.measured import Measured
from redcell.record.moment import Moment, days_between, utc
from redcell.record.patient import Patient, Sex
from redcell.record.record import Fact, Record, assemble
from redcell.record.transfusions import Transfusion

FOLDER = "mimic-iii-demo"
SEX: dict[str, Sex] = {"F": "female", "M": "male"}
LABS = {"51222": ("hemoglobin", "g/dL"), "51250": ("mcv", "fL"), "51265": ("platelets", "10*3/uL")}
BAGS = {"30001", "30104", "225168", "226368"}
OPERATING_ROOM = {"30104", "226368"}
HEMORRHAGE = ("2851", "4560", "45620", "530", "531", "532", "533", "56985", "578", "9981")
"""ICD-9: after hemorrhage, varices that bleed, ulcers, intestinal and procedural bleeding."""
NOT_HEMORRHAGE = ("53081", "53019", "53011", "53010")
"""Reflux and esophagitis share the first digits of 530.x with what bleeds."""
UNIT_ML = 350.0
HANG_HOURS = 5.0
CV_HOURS = 2.0
SETTLE_HOURS = 0.25
BEFORE_HOURS = 24.0
AFTER_HOURS = 24.0
FEW_UNITS = 3.0
FALL_G_DL = 1.0
YEARS_TOP = 120
"""Birth dates of people over 89 are moved 300 years back in the source: such an age is unknown."""

EFFICACY, EFFICACY_SD = 0.75, 0.35
GRAMS = 50.0
BLOOD_VOLUME_DL, DL_PER_KG = 45.0, 0.65
RISE_SD = 0.7
"""Spread, g/dL, of an after-minus-before difference for reasons other than the red cells: two
counts, plasma volume and a day of intensive care."""


class Bag(Struct, frozen=True):
    """One charted red-cell row: when it ran and how many units it was."""

    start: Moment
    end: Moment
    units: float
    operating_room: bool
    reference: str


class Stay(Struct, frozen=True):
    """One person: record, bags in time order, other products' times, admissions with hemorrhage."""

    person: str
    record: Record
    weight: float | None
    bags: tuple[Bag, ...]
    products: tuple[Moment, ...]
    bleeding: tuple[tuple[Moment, Moment], ...]

    @property
    def blood_volume(self) -> float:
        """Blood volume, dL: from weight alone, since no height is in the data."""
        return BLOOD_VOLUME_DL if self.weight is None else DL_PER_KG * self.weight


class Episode(Struct, frozen=True):
    """Bags with no settled count between them, the counts on both sides, what disturbs them."""

    person: str
    bags: tuple[Bag, ...]
    before: Measured | None
    after: Measured | None
    disturbed: tuple[str, ...]

    @property
    def units(self) -> float:
        """Units given between the two counts."""
        return sum(bag.units for bag in self.bags)

    @property
    def usable(self) -> bool:
        """Is there a count on both sides?"""
        return self.before is not None and self.after is not None

    @property
    def steady(self) -> bool:
        """Usable, and nothing on the chart speaks for another cause of the change."""
        return self.usable and not set(self.disturbed) - {"hemorrhage-coded"}

    @property
    def quiet(self) -> bool:
        """Steady, in an admission without a code of hemorrhage."""
        return self.usable and not self.disturbed

    @property
    def sides(self) -> tuple[Measured, Measured]:
        """Both counts of a usable episode."""
        assert self.before is not None, "an episode without a first count has no sides"
        assert self.after is not None, "an episode without a second count has no sides"
        return self.before, self.after

    @property
    def rise(self) -> float:
        """After minus before, g/dL."""
        before, after = self.sides
        return after.value - before.value


def stays() -> list[Stay]:
    """Everybody who has red cells charted with an amount."""
    labs = grouped(table(FOLDER, "labevents.csv"), "subject_id")
    cv = grouped(table(FOLDER, "inputevents_cv.csv"), "subject_id")
    mv = grouped(table(FOLDER, "inputevents_mv.csv"), "subject_id")
    bleeding = _bleeding()
    found = []
    for who in sorted(table(FOLDER, "patients.csv"), key=lambda row: row["subject_id"]):
        name = who["subject_id"]
        older, newer = cv.get(name, []), mv.get(name, [])
        bags = sorted([*_older_bags(older), *_newer_bags(newer)], key=lambda bag: bag.start)
        if bags:
            weight = _weight(newer)
            record = _record(who, labs.get(name, []), bags, weight)
            kept = tuple(bags), _products(older, newer), tuple(bleeding.get(name, []))
            found.append(Stay(name, record, weight[1] if weight else None, *kept))
    return found


def episodes(stay: Stay) -> list[Episode]:
    """The transfusion episodes of one person, in time order."""
    counts = [m for m in stay.record.results.get("hemoglobin", ()) if settled(m, stay.bags)]
    runs: list[list[Bag]] = []
    for bag in stay.bags:
        between = runs and any(runs[-1][-1].end <= m.time <= bag.start for m in counts)
        if runs and not between:
            runs[-1].append(bag)
        else:
            runs.append([bag])
    nexts = [run[0].start for run in runs[1:]] + [None]
    return [_episode(stay, counts, tuple(r), n) for r, n in zip(runs, nexts, strict=True)]


def per_unit(found: Sequence[Episode]) -> float:
    """The median rise per unit, g/dL, of episodes; NaN without any."""
    rises = [episode.rise / episode.units for episode in found]
    return median(rises) if rises else math.nan


def shrunken(stay: Stay, found: Sequence[Episode]) -> float:
    """Rise per unit, g/dL: the prior efficacy moved by this person's episodes, without a model.

    The mode of log-normal prior times normal likelihood over a grid of efficacies; the same
    quantity, kappa x G_u / BV, that the fitted model says, for comparison.
    """
    grid = [EFFICACY * math.exp(EFFICACY_SD * z / 50) for z in range(-200, 201)]
    each = GRAMS / stay.blood_volume

    def cost(efficacy: float) -> float:
        away = sum((e.rise - e.units * efficacy * each) ** 2 for e in found) / RISE_SD**2
        return away + (math.log(efficacy / EFFICACY) / EFFICACY_SD) ** 2

    return min(grid, key=cost) * each


def around(stay: Stay, episode: Episode) -> tuple[Record, Moment]:
    """The record from the day before an episode's first count to its second count; that moment.

    This is the span in which an episode was found steady. Whole intensive-care records are full
    of losses and fluids that nobody charted and that a fit would charge to the red cells: with
    three or seven days before the first count the median falls from 0.76 to 0.65 or 0.62 g/dL.
    """
    before, after = episode.sides
    start, at = before.time.plus(-1), after.time
    facts: list[Fact] = [
        m
        for name, rows in stay.record.results.items()
        for m in rows
        if start <= m.time <= at or name == "weight"
    ]
    facts += [t for t in stay.record.transfusions if start <= t.start <= at]
    return assemble(stay.record.patient, facts), at


def _episode(
    stay: Stay, counts: list[Measured], bags: tuple[Bag, ...], following: Moment | None
) -> Episode:
    first, last = bags[0].start, max(bag.end for bag in bags)
    before = [m for m in counts if m.time <= first and _hours(m.time, first) <= BEFORE_HOURS]
    after = [
        m
        for m in counts
        if m.time >= last
        and _hours(last, m.time) <= AFTER_HOURS
        and (following is None or m.time <= following)
    ]
    sides = (before[-1] if before else None), (after[0] if after else None)
    return Episode(stay.person, bags, *sides, _disturbed(stay, counts, bags, sides))


def _disturbed(
    stay: Stay,
    counts: list[Measured],
    bags: tuple[Bag, ...],
    sides: tuple[Measured | None, Measured | None],
) -> tuple[str, ...]:
    before, after = sides
    first, last = bags[0].start, max(bag.end for bag in bags)
    start, end = before.time if before else first, after.time if after else last
    rooms = [bag for bag in stay.bags if bag.operating_room]
    said = {
        "operating-room": any(
            _hours(bag.end, first) <= 24 and _hours(last, bag.start) <= 24 for bag in rooms
        ),
        "other-products": any(start <= moment <= end for moment in stay.products),
        "many-units": sum(bag.units for bag in bags) > FEW_UNITS,
        "falling": before is not None and _fell(counts, before),
        "hemorrhage-coded": any(a <= first <= b for a, b in stay.bleeding),
    }
    return tuple(name for name, so in said.items() if so)


def _fell(counts: list[Measured], before: Measured) -> bool:
    day = [m for m in counts if m.time < before.time and _hours(m.time, before.time) <= 24]
    return any(m.value - before.value > FALL_G_DL for m in day)


def settled(count: Measured, bags: Sequence[Bag]) -> bool:
    """Was a count taken neither while a bag ran nor too soon after it?"""
    return not any(
        bag.start < count.time and _hours(bag.end, count.time) < SETTLE_HOURS for bag in bags
    )


def _older_bags(rows: list[dict[str, str]]) -> list[Bag]:
    red = [row for row in rows if row["itemid"] in BAGS]
    return [_older_bag(row, red) for row in red if _amount(row) > 0]


def _older_bag(row: dict[str, str], rows: list[dict[str, str]]) -> Bag:
    end = _time(row["charttime"])
    hung = [
        _time(r["charttime"])
        for r in rows
        if r["linkorderid"] == row["linkorderid"]
        and _amount(r) == 0
        and 0 < _hours(_time(r["charttime"]), end) <= HANG_HOURS
    ]
    start = max(hung) if hung else end.plus(-CV_HOURS / 24)
    return _bag(row, start, end)


def _newer_bags(rows: list[dict[str, str]]) -> list[Bag]:
    return [
        _bag(row, _time(row["starttime"]), _time(row["endtime"]))
        for row in rows
        if row["itemid"] in BAGS and row["statusdescription"] != "Rewritten" and _amount(row) > 0
    ]


def _bag(row: dict[str, str], start: Moment, end: Moment) -> Bag:
    units = max(1.0, float(round(_amount(row) / UNIT_ML)))
    room = row["itemid"] in OPERATING_ROOM
    return Bag(start, end, units, room, f"Procedure/{row['row_id']}")


def _products(older: list[dict[str, str]], newer: list[dict[str, str]]) -> tuple[Moment, ...]:
    """When plasma, platelets or cryoprecipitate began."""
    found = [
        _time(row.get("charttime") or row["starttime"])
        for row in (*older, *newer)
        if row["itemid"] not in BAGS
        and row.get("statusdescription") != "Rewritten"
        and _amount(row) > 0
    ]
    return tuple(sorted(found))


def _bleeding() -> dict[str, list[tuple[Moment, Moment]]]:
    coded = {
        row["hadm_id"]
        for row in table(FOLDER, "diagnoses_icd.csv")
        if row["icd9_code"].startswith(HEMORRHAGE)
        and not row["icd9_code"].startswith(NOT_HEMORRHAGE)
    }
    found: dict[str, list[tuple[Moment, Moment]]] = {}
    for row in table(FOLDER, "admissions.csv"):
        if row["hadm_id"] in coded:
            stay = _time(row["admittime"]).plus(-1), _time(row["dischtime"])
            found.setdefault(row["subject_id"], []).append(stay)
    return found


def _record(
    who: dict[str, str],
    labs: list[dict[str, str]],
    bags: list[Bag],
    weight: tuple[Moment, float] | None,
) -> Record:
    facts: list[Fact] = [
        Measured(*_named(row), _time(row["charttime"]), f"Observation/{row['row_id']}")
        for row in labs
        if row["itemid"] in LABS and row["valuenum"]
    ]
    if weight is not None:
        facts.append(Measured("weight", weight[1], "kg", weight[0], "Observation/weight"))
    facts += [Transfusion(bag.start, bag.end, bag.units, bag.reference) for bag in bags]
    first = min(bag.start for bag in bags)
    return assemble(Patient(who["subject_id"], SEX[who["gender"]], _born(who, first)), facts)


def _named(row: dict[str, str]) -> tuple[str, float, str]:
    analyte, unit = LABS[row["itemid"]]
    return analyte, float(row["valuenum"]), unit


def _born(who: dict[str, str], first: Moment) -> date | None:
    born = datetime.fromisoformat(who["dob"]).date()
    return born if first.day - born < timedelta(days=365 * YEARS_TOP) else None


def _weight(rows: list[dict[str, str]]) -> tuple[Moment, float] | None:
    """The first weight charted with an infusion."""
    found = [(_time(r["starttime"]), float(r["patientweight"])) for r in rows if r["patientweight"]]
    return min(found, default=None)


def _amount(row: dict[str, str]) -> float:
    return float(row["amount"] or 0)


def _hours(earlier: Moment, later: Moment) -> float:
    return 24 * days_between(earlier, later)


def _time(text: str) -> Moment:
    return utc(datetime.fromisoformat(text))
