"""What a blood bank knows about an invented person: ABO and Rh group, and antibody screens."""

from __future__ import annotations

import numpy as np

from redcell.knowledge.load import Knowledge
from redcell.population.synthesize.chart import Chart
from redcell.population.synthesize.fhir import CATEGORY, Pen, loinc
from redcell.population.synthesize.life import Life
from redcell.population.synthesize.numbers import chosen, numbers

GROUP = loinc("882-1", "ABO and Rh group [Type] in Blood")
SCREEN = loinc("890-4", "Blood group antibody screen [Presence] in Serum or Plasma")
BEFORE, NOON, ISSUED = 150, 12 * 60, 45
"""Minutes from the sample to the red cells; when others are typed; until the result."""
VALID = 3
"""Days for which a sample serves (rule T26)."""
RHESUS = {"+": "positive", "-": "negative"}


class BloodBank:
    """Writes one person's group and antibody screens."""

    def __init__(
        self, k: Knowledge, pen: Pen, life: Life, chart: Chart, rng: np.random.Generator
    ) -> None:
        self.n, self.pen, self.life, self.chart, self.rng = numbers(k), pen, life, chart, rng

    def write(self) -> None:
        """A group for everybody who had red cells and some others; a screen before red cells."""
        bank, rng = self.n.blood_bank, self.rng
        group, typed = chosen(rng, bank.group), rng.random() < bank.typed
        immune = rng.random() < bank.antibodies
        given = sorted({(x.day, x.minute) for x in self.chart.red_cells if not x.elsewhere})
        samples: list[tuple[int, int]] = []
        for day, minute in given:
            if not samples or day - samples[-1][0] > VALID:
                samples.append((day, max(minute - BEFORE, 0)))
        if not samples and typed:
            samples = [(self.life.span.joins, NOON)]
        for number, (day, minute) in enumerate(samples):
            if not self.pen.past(day, minute + ISSUED):
                continue
            if number == 0:
                self._write(GROUP, f"{group[:-1]} {RHESUS[group[-1]]}", day, minute)
            if given:
                self._write(SCREEN, "positive" if immune else "negative", day, minute)

    def _write(self, code: dict[str, object], said: str, day: int, minute: int) -> None:
        issued = self.pen.time(day, minute + ISSUED)
        self.pen.write(
            "Observation", "o", issued,
            status="final",
            category=CATEGORY["laboratory"],
            code=code,
            subject=self.pen.subject,
            effectiveDateTime=self.pen.time(day, minute),
            issued=issued,
            valueCodeableConcept={"text": said},
        )  # fmt: skip
