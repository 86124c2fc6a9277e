"""Marrow, blood and hormone, one day at a time, over lanes.

Red cells are kept by day of birth and die by a hazard that grows with age (Weibull). The marrow
is a pool of burst forming cells with logistic regrowth, a line of dividing precursors and a line
of maturing ones, each a fixed delay in days. Erythropoietin follows a log-linear response to
hemoglobin with a half-life of its own, and decides how many precursors survive.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from model.simulation.drugs import column
from model.simulation.people import BURN_IN, Person

AGES, DIVIDING, MATURING, CHECK = 190, 7, 5, 3
HILL = 0.9
CAUSES = ("radiotherapy", "marrow-infiltration", "bleeding", "inflammation", "start", "transfusion")


class Kept(Struct):
    """What acts in each lane: 1 yes, 0 removed. `drugs` is [drug, lane]."""

    drugs: np.ndarray
    other: dict[str, np.ndarray]

    @classmethod
    def everything(cls, drugs: int, lanes: int) -> Kept:
        """Nothing removed."""
        return cls(np.ones((drugs, lanes)), {cause: np.ones(lanes) for cause in CAUSES})


class Bodies:
    """The bodies of all lanes; `day` moves them on and returns hemoglobin in g/dL."""

    def __init__(self, people: Sequence[Person], kept: Kept | None = None) -> None:
        lanes = len(people)
        self.people = people
        self.half, self.ec50 = column("half_life"), column("ec50")
        self.emax, self.hill, self.burst = column("emax"), column("hill"), column("burst")
        self.lasting, self.plasma = column("lasting"), column("plasma")
        self.kept = kept or Kept.everything(len(self.half), lanes)
        self.body = {k: np.array([p.body[k] for p in people]) for k in people[0].body}
        self.series = {k: np.stack([p.series[k] for p in people], 1) for k in people[0].series}
        self.sensitivity = np.stack([p.sensitivity for p in people], 1)
        self._radiation()
        self._begin()

    def _radiation(self) -> None:
        """Share of the marrow at work, by day: cells in the field die, and partly come back."""
        length = len(self.series["space"])
        self.field = np.ones((length, len(self.people)))
        for lane, person in enumerate(self.people):
            for course in person.courses:
                days = np.arange(length) - BURN_IN
                given = np.clip((days - course.start + 1) / (course.end - course.start + 1), 0, 1)
                lost = 1 - np.exp(-course.gray * given / 7.0)
                back = np.clip((days - course.end) / 300.0, 0, 1) * (course.gray < 30.0) * 0.7
                self.field[:, lane] -= course.share * lost * (1 - back)

    def _begin(self) -> None:
        b, lanes = self.body, len(self.people)
        acts = self.kept.other["start"]
        self.chronic = b["chronic"] * acts
        scale = b["life"] / np.vectorize(_gamma)(1 + 1 / b["shape"])
        age = np.arange(1, AGES + 1)[:, None]
        self.hazard = b["shape"] / scale * ((age - 0.5) / scale) ** (b["shape"] - 1) + 0.0012
        alive = np.cumprod(np.exp(-self.hazard), 0)
        self.normal = b["set_point"] * b["volume"] / alive.sum(0)
        self.cells = alive * self.normal
        self.pool = np.ones(lanes)
        self.reserve = np.ones(lanes)
        self.dividing = np.ones((DIVIDING, lanes))
        self.maturing = np.ones((MATURING, lanes))
        self.epo = np.zeros(lanes)
        self.level = np.zeros((len(self.half), lanes))
        self.store = b["iron"].copy()
        self.fluid = np.zeros(lanes)
        self.hb = b["set_point"].copy()
        self.gone = np.zeros(lanes)

    def day(self, t: int, doses: np.ndarray, grams: np.ndarray) -> np.ndarray:
        """Move to day `t` (burn-in counts): doses [drug, lane] in full doses, red cells in g."""
        s, kept = {k: v[t] for k, v in self.series.items()}, self.kept.other
        ill = s["infection"] * kept["inflammation"]
        trend = 1 + (s["chronic"] - 1) * kept["inflammation"]
        chronic = np.clip(self.chronic * trend, 0, 0.95)
        kill, burst = self._drugs(doses * self.kept.drugs, s["cycle"])
        space = 1 - s["space"] * kept["marrow-infiltration"]
        field = 1 - (1 - self.field[t]) * kept["radiotherapy"]
        self._marrow(kill, burst, self.reserve * space * field, ill, chronic, s["drift"])
        self._blood(s["bleed"] * kept["bleeding"], grams, ill, chronic)
        plasma = s["plasma"] - 0.05 * s["infection"] * (1 - kept["inflammation"])
        self.hb = self.cells.sum(0) / (self.body["volume"] * (1 + plasma + self.fluid))
        return self.hb

    def _drugs(self, doses: np.ndarray, cycle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.level = self.level * 0.5 ** (1 / self.half) + doses
        powered = self.level**self.hill
        effect = self.emax * powered / (powered + self.ec50**self.hill)
        kill = effect * self.sensitivity * cycle
        self.reserve = self.reserve * np.exp(-(self.lasting * doses * self.sensitivity).sum(0))
        self.fluid = self.fluid * 0.985 + (self.plasma * doses).sum(0)
        return kill.sum(0), (kill * self.burst).sum(0)

    def _marrow(
        self,
        kill: np.ndarray,
        burst: np.ndarray,
        room: np.ndarray,
        ill: np.ndarray,
        chronic: np.ndarray,
        drift: np.ndarray,
    ) -> None:
        b = self.body
        grown = b["regrowth"] * self.pool * (1 - self.pool / np.maximum(room, 0.02))
        self.pool = np.maximum((self.pool + grown) * np.exp(-burst), 0.01)
        blunt = (1 - 0.45 * ill) * (1 - 0.4 * chronic)
        target = b["epo_slope"] * (b["set_point"] - self.hb) * blunt
        self.epo += (target - self.epo) * (1 - 0.5 ** (1 / b["epo_half"]))
        epo = 10.0 ** (HILL * self.epo)
        survive = epo * (1 + b["reach"]) / (epo + b["reach"])
        out = self.dividing[-1] * np.exp(-kill)
        self.dividing[1:] = self.dividing[:-1] * np.exp(-kill)
        self.dividing[CHECK] *= survive
        self.dividing[0] = self.pool
        iron = self.store / (self.store + 12.0)
        made = self.maturing[-1].copy()
        self.maturing[1:] = self.maturing[:-1]
        self.maturing[0] = out * iron * drift * (1 - 0.6 * ill) * (1 - 0.42 * chronic)
        self.born = made * self.normal

    def _blood(
        self, bleed: np.ndarray, grams: np.ndarray, ill: np.ndarray, chronic: np.ndarray
    ) -> None:
        faster = 1 + 0.35 * ill + 0.25 * chronic
        left = self.cells * np.exp(-self.hazard * faster)
        lost = np.clip(bleed / (100 * self.body["volume"]), 0, 0.5)
        self.store += self.cells.sum(0) - left.sum(0) + 0.45 - self.born
        self.store = np.clip(self.store - 0.02 * (self.store - self.body["iron"]), 1.0, 600.0)
        self.cells[1:] = left[:-1] * (1 - lost)
        self.cells[0] = self.born
        age = slice(0, 110)
        self.cells[age] += grams * self.kept.other["transfusion"] / 110


def _gamma(x: float) -> float:
    from math import gamma

    return gamma(x)
