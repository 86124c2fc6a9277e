"""Men with G6PD deficiency given primaquine: hemolysis over days to weeks, then recovery.

Choices:

- Six men, ten study episodes; a man's two episodes are years apart and are two series with one
  person's name, so that nothing is ever learned from a man who is judged.
- The analyzer and the point-of-care device (which reads 0.4 g/dL higher) are two series with a
  record each; their counts never stand in one record.
- Hemolysis tests go into both records: LDH, haptoglobin, total bilirubin, reticulocytes
  (analyzer, else counted by hand), and the facts that the deficiency is known and primaquine was
  taken. Bilirubin is total only: nothing is derived about the indirect part. Urine color is left
  out, its scale is not described.
- A panel is a time with LDH, haptoglobin or bilirubin. It is *abnormal* with haptoglobin below
  `HAPTOGLOBIN_LOW`, total bilirubin above `BILIRUBIN_HIGH` or LDH above `LDH_FACTOR` times the
  man's own value before the first dose: the laboratory's own limits are not in the file and its
  LDH reads 218 to 336 U/L in the same men before any drug. Reticulocytes do not count: they stay
  high because the marrow recovers.
- Recovery starts at the last abnormal panel (literally), or at the first normal panel after it,
  when a forecast is no longer withheld. The count asked for is the one nearest to `AHEAD` days
  later, between `FROM` and `TO`; daily point-of-care counts end on day 28, so that few are at
  exactly 14 days.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from msgspec import Struct

from model.series.tasks import Count, Series, Task, grouped, table
from redcell.record.disease import Diagnosis
from redcell.record.measured import Measured
from redcell.record.moment import Moment, days_between, utc
from redcell.record.patient import Patient
from redcell.record.record import Fact, assemble
from redcell.record.therapies import DrugRecord

FOLDER = "g6pd-primaquine"
MISSING = "NA"
Device = Literal["analyzer", "point-of-care"]
DEVICES: dict[Device, str] = {"analyzer": "CBC_hb", "point-of-care": "Haemocue_hb"}
TESTS = {
    "lbbildh": ("ldh", "U/L", 1.0),
    "lbbihagb": ("haptoglobin", "mg/dL", 100.0),
    "lbbittol": ("bilirubin-total", "mg/dL", 1.0),
    "lbbicrea": ("creatinine", "mg/dL", 1.0),
    "lbhmhct": ("hematocrit", "%", 1.0),
    "lbhmmcv": ("mcv", "fL", 1.0),
    "lbhmplt": ("platelets", "10*3/uL", 1.0),
}
"""Column -> analyte, unit, factor (haptoglobin is written in g/L)."""
PRIMAQUINE = "g6pd-oxidant/primaquine"
BILIRUBIN_HIGH, HAPTOGLOBIN_LOW, LDH_FACTOR = 1.2, 30.0, 1.5
AHEAD, FROM, TO = 14.0, 7.0, 21.0
NEAR_DAYS = 0.5
"""A count this long after a panel still belongs to it."""


class Panel(Struct, frozen=True):
    """Hemolysis tests of one time: LDH U/L, haptoglobin mg/dL, total bilirubin mg/dL."""

    time: Moment
    ldh: float | None
    haptoglobin: float | None
    bilirubin: float | None
    usual_ldh: float | None

    @property
    def abnormal(self) -> bool:
        """Is at least one test abnormal?"""
        limit = None if self.usual_ldh is None else LDH_FACTOR * self.usual_ldh
        return (
            (self.bilirubin is not None and self.bilirubin > BILIRUBIN_HIGH)
            or (self.haptoglobin is not None and self.haptoglobin < HAPTOGLOBIN_LOW)
            or (self.ldh is not None and limit is not None and self.ldh > limit)
        )


class Episode(Struct, frozen=True):
    """One man's study episode: a series per device, its hemolysis panels, the last dose."""

    label: str
    series: dict[str, Series]
    panels: tuple[Panel, ...]
    last_dose: Moment


Start = Literal["last-abnormal", "first-normal"]


def episodes() -> list[Episode]:
    """The ten study episodes in the order of their labels."""
    rows = grouped(table(FOLDER, "PQdat.csv"), "label")
    return [_episode(label, found) for label, found in sorted(rows.items())]


def recovery(found: list[Episode], device: Device, start: Start) -> Iterator[Task]:
    """One task per episode that hemolyzed and has a count near `AHEAD` days after the start."""
    for episode in found:
        panel = _start(episode.panels, start)
        series = episode.series.get(device)
        task = None if panel is None or series is None else _task(series, panel)
        if task is not None:
            yield task


def while_abnormal(found: list[Episode], device: Device) -> Iterator[tuple[Series, Panel]]:
    """Every abnormal panel that has a count before it: a forecast there is to be withheld."""
    for episode in found:
        series = episode.series.get(device)
        for panel in episode.panels if series is not None else ():
            if panel.abnormal and any(m.time <= panel.time for m in _counts(series)):
                yield series, panel


def _start(panels: tuple[Panel, ...], start: Start) -> Panel | None:
    last = max((i for i, p in enumerate(panels) if p.abnormal), default=None)
    if last is None:
        return None
    if start == "last-abnormal":
        return panels[last]
    return panels[last + 1] if last + 1 < len(panels) else None


def _task(series: Series, panel: Panel) -> Task | None:
    day = days_between(series.zero, panel.time)
    known = [i for i, c in enumerate(series.counts) if c.day <= day + NEAR_DAYS]
    if not known:
        return None
    origin = known[-1]
    ahead = {
        i: c.day - series.counts[origin].day
        for i, c in enumerate(series.counts)
        if FROM <= c.day - series.counts[origin].day <= TO
    }
    if not ahead:
        return None
    target = min(ahead, key=lambda i: abs(ahead[i] - AHEAD))
    return Task(series, origin, target, panel.time)


def _episode(label: str, rows: list[dict[str, str]]) -> Episode:
    rows = sorted(rows, key=lambda row: row["Clock_Time"])
    doses = [_time(row) for row in rows if _number(row, "PQdose")]
    found = {device: _series(label, rows, device) for device in DEVICES}
    panels = _panels(rows, doses[0])
    return Episode(label, {d: s for d, s in found.items() if s is not None}, panels, doses[-1])


def _series(label: str, rows: list[dict[str, str]], device: Device) -> Series | None:
    counted = [row for row in rows if _hemoglobin(row, device) is not None]
    if not counted:
        return None
    facts: list[Fact] = [_count(label, row, device) for row in counted]
    facts += _others(label, rows)
    man = rows[0]["Ascending_ID"]
    person = label if man == MISSING else man
    record = assemble(Patient(person.replace(" ", "-"), "male", None), facts)
    counts = record.results["hemoglobin"]
    zero = counts[0].time
    found = tuple(Count(days_between(zero, m.time), m.value) for m in counts)
    return Series(person, "male", record, zero, found)


def _count(label: str, row: dict[str, str], device: Device) -> Measured:
    value = _hemoglobin(row, device)
    assert value is not None, "only rows with a count"
    note = "point of care" if device == "point-of-care" else ""
    return Measured("hemoglobin", value, "g/dL", _time(row), _reference(label, row), note=note)


def _others(label: str, rows: list[dict[str, str]]) -> list[Fact]:
    """Everything that is not a count: tests, weight, the deficiency, the doses."""
    facts: list[Fact] = [Diagnosis("g6pd-deficiency", f"Condition/{label.replace(' ', '-')}")]
    for row in rows:
        at, reference = _time(row), _reference(label, row)
        for column, (analyte, unit, factor) in TESTS.items():
            value = _number(row, column)
            if value is not None:
                facts.append(Measured(analyte, value * factor, unit, at, reference))
        young = _first(row, "CBC_retic", "Manual_retic")
        if young is not None:
            facts.append(Measured("reticulocytes-percent", young, "%", at, reference))
        if _number(row, "PQdose"):
            facts.append(DrugRecord(PRIMAQUINE, "administration", reference, at, at))
    weight = _number(rows[0], "weight")
    if weight is not None:
        facts.append(Measured("weight", weight, "kg", _time(rows[0]), _reference(label, rows[0])))
    return facts


def _panels(rows: list[dict[str, str]], first_dose: Moment) -> tuple[Panel, ...]:
    tested = [
        row
        for row in rows
        if any(_number(row, c) is not None for c in ("lbbildh", "lbbihagb", "lbbittol"))
    ]
    before = [_number(row, "lbbildh") for row in tested if _time(row) <= first_dose]
    usual = [value for value in before if value is not None]
    return tuple(
        Panel(
            _time(row),
            _number(row, "lbbildh"),
            None if (h := _number(row, "lbbihagb")) is None else 100.0 * h,
            _number(row, "lbbittol"),
            usual[-1] if usual else None,
        )
        for row in tested
        if _time(row) > first_dose
    )


def _counts(series: Series) -> tuple[Measured, ...]:
    return series.record.results["hemoglobin"]


def _hemoglobin(row: dict[str, str], device: Device) -> float | None:
    """The count of a device; a pair that the source marks as an outlier is none."""
    if device == "point-of-care" and row["outlier"] == "1":
        return None
    return _number(row, DEVICES[device])


def _first(row: dict[str, str], *columns: str) -> float | None:
    return next((v for v in (_number(row, c) for c in columns) if v is not None), None)


def _number(row: dict[str, str], column: str) -> float | None:
    """A number; 32-bit noise of the source (13.949999809) is rounded away."""
    return None if row[column] == MISSING else round(float(row[column]), 4)


def _reference(label: str, row: dict[str, str]) -> str:
    return f"Observation/{label}-{float(row['Time']):.3f}".replace(" ", "-")


def _time(row: dict[str, str]) -> Moment:
    return utc(datetime.fromisoformat(row["Clock_Time"]))
