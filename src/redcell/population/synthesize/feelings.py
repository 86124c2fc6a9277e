"""How an invented person feels: symptoms that follow the hemoglobin."""

from __future__ import annotations

import numpy as np

from redcell.population.synthesize.numbers import Numbers

MOST, STAYS, INFECTED = 3, 0.75, 1.5
"""Highest grade; how far a feeling moves before the answer changes; grades of an infection."""


class Feelings:
    """One person's answers, which change only when something has moved enough."""

    def __init__(self, rng: np.random.Generator, n: Numbers) -> None:
        self._symptoms = n.symptom
        self._own = {name: ail.own * rng.normal() for name, ail in n.symptom.items()}
        self.grades = dict.fromkeys(n.symptom, 0)

    def ask(self, hemoglobin: float, inflammation: float) -> dict[str, int]:
        """Grade of each symptom today."""
        for name, ail in self._symptoms.items():
            felt = (ail.from_ - hemoglobin) / ail.per + self._own[name]
            felt += INFECTED * inflammation * (name in ("fatigue", "weakness"))
            if abs(felt - self.grades[name]) > STAYS:
                self.grades[name] = int(min(max(round(felt), 0), MOST))
        return dict(self.grades)
