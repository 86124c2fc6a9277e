"""What goes wrong with results, and what happened to a person in the last days."""

from __future__ import annotations

import numpy as np

from redcell.findings.case import CONJUGATE, CYTOTOXIC
from redcell.knowledge.load import Knowledge
from redcell.population.synthesize.chart import Chart, Sample
from redcell.population.synthesize.fhir import Pen
from redcell.population.synthesize.life import Life
from redcell.population.synthesize.numbers import Scene, numbers
from redcell.population.synthesize.results import ISSUED, Results
from redcell.population.synthesize.speech import Speech

DAY = 24 * 60
DILUTED, CHECKED_HOURS, LEAST_FALL = 0.6, 40, 3.2
CELLS = ("hemoglobin", "hematocrit", "rbc", "platelets", "leukocytes", "neutrophils")
FRESH = 2
"""Days for which a result can still be preliminary."""


class Mishaps:
    """What goes wrong, for one person; `aside` is what a reader must set aside, by resource."""

    def __init__(
        self, k: Knowledge, pen: Pen, life: Life, chart: Chart, rng: np.random.Generator
    ) -> None:
        self.k, self.n, self.pen, self.life, self.chart, self.rng = (
            k, numbers(k), pen, life, chart, rng,
        )  # fmt: skip
        self.aside: dict[str, str] = {}
        self.end = pen.period.last * DAY + pen.period.minute
        self.doubtful = ""

    def before(self) -> None:
        """Change samples: a preliminary newest count, or a diluted sample after it."""
        r, draw = self.n.reporting, self.rng.random(2)
        counts = [s for s in self.chart.samples if s.kind == "cbc"]
        if not counts or self.life.span.died:
            return
        newest = counts[-1]
        if draw[0] < r.diluted:
            self._dilute(newest)
        elif draw[1] < r.preliminary and self.pen.period.last - newest.day <= FRESH:
            newest.status, self.doubtful = "preliminary", "preliminary"

    def _dilute(self, newest: Sample) -> None:
        """A sample drawn above a running infusion, some hours after the newest count."""
        taken = newest.day * DAY + newest.minute
        latest = min(self.end - ISSUED - 1, taken + CHECKED_HOURS * 60)
        fall = newest.values["hemoglobin"] * (1 - DILUTED)
        given = any(r.day >= newest.day - 1 for r in self.chart.red_cells)
        if latest - taken < 2 * 60 or fall < LEAST_FALL or given:
            return
        values = dict(newest.values)
        for name in CELLS:
            values[name] *= DILUTED
        values["hemoglobin"] = round(values["hemoglobin"], 1)
        note = "Drawn from the arm with the running infusion."
        self.chart.samples.append(Sample(*divmod(latest, DAY), "cbc", values, note=note))
        self.doubtful = "diluted"

    def after(self, results: Results) -> None:
        """Write results that nobody should use, and note what must be set aside."""
        r = self.n.reporting
        counts = [s for s in self.chart.samples if s.kind == "cbc"]
        for s in counts:
            if self.rng.random() < r.in_error:
                self._in_error(results, s)
        if counts and self.rng.random() < r.held:
            self._held(results, counts[int(self.rng.integers(len(counts)))])
        for made in self.pen.written:
            if made["resourceType"] == "Observation" and made["status"] == "corrected":
                self.aside[f"Observation/{made['id']}"] = "corrected-result-used"

    def _in_error(self, results: Results, s: Sample) -> None:
        minute = s.minute + 20
        if not self.pen.past(s.day, minute + ISSUED):
            return
        value = round(s.values["hemoglobin"] + self.rng.normal(0, 2), 1)
        time, issued = self.pen.time(s.day, minute), self.pen.time(s.day, minute + ISSUED)
        made = results.one("hemoglobin", value, time, issued, "entered-in-error")
        self.aside[f"Observation/{made['id']}"] = "entered-in-error-ignored"

    def _held(self, results: Results, s: Sample) -> None:
        """A result in a unit that it cannot have, or with a value that nobody can have."""
        minute = s.minute + 15
        if not self.pen.past(s.day, minute + ISSUED):
            return
        time, issued = self.pen.time(s.day, minute), self.pen.time(s.day, minute + ISSUED)
        made = results.one("hemoglobin", s.values["hemoglobin"], time, issued)
        if self.rng.random() < HALF:
            made["valueQuantity"] = {**made["valueQuantity"], "unit": "10*3/uL", "code": "10*3/uL"}
            code = "unit-not-understood"
        else:
            made["valueQuantity"] = {**made["valueQuantity"], "value": 0.9}
            code = "implausible-value"
        self.aside[f"Observation/{made['id']}"] = code

    # -- the last days ---------------------------------------------------------------------------

    def scene(self, results: Results, speech: Speech) -> str:
        """What happened in the last days; its name, or nothing."""
        scene = self.n.scene.get(self.life.scene)
        if scene is None or not self._can(scene):
            return ""
        within = DAY - 4 * 60 if scene.vitals else self.n.scene_times.within_days * DAY
        ago = int(self.rng.integers(20, within))
        day, minute = divmod(max(self.end - ago, self.life.span.joins * DAY), DAY)
        time = self.pen.time(day, minute)
        begun = divmod(day * DAY + minute - int(self.rng.integers(60, 30 * 60)), DAY)
        onset = self.pen.time(*begun)
        for name, grade in scene.symptoms.items():
            speech.symptom(name, grade, time, "new", onset)
        if scene.vitals:
            results.vitals(Sample(day, minute, "vitals", dict(scene.vitals)))
        if scene.calcium and self.pen.past(day, minute + ISSUED):
            results.one("calcium", scene.calcium, time, self.pen.time(day, minute + ISSUED))
        return self.life.scene

    def _can(self, scene: Scene) -> bool:
        """Can it happen to this person?"""
        if scene.on == "bone":
            return self.life.has("bone")
        if scene.on not in ("cytotoxic", "lung-drug"):
            return True
        lines = [x for x in self.chart.lines if x.end is None and x.held_since is None]
        drugs = [self.k.drugs[s] for x in lines for s in self.n.regimen[x.regimen].drugs]
        if scene.on == "cytotoxic":
            return any(d.drug_class in (CYTOTOXIC, CONJUGATE) for d in drugs)
        return any(d.lung_injury for d in drugs)


HALF = 0.5
