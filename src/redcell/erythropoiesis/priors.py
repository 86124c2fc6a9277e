"""Priors and constants of the model, read from the knowledge base; from z scores to traits."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct

from redcell.erythropoiesis.dynamics import SLOTS, Array, Constants, Traits
from redcell.erythropoiesis.history import History
from redcell.knowledge.load import Knowledge

SET, LIFE, FEEDBACK, MOST, KILL, IMBALANCE, DRIFT, FIRST, EFFICACY = 0, 1, 2, 3, 4, 7, 8, 9, 10
SIZE = 11
"""Standardized parameters: set point, lifespan, feedback, most production, kill of three slots,
imbalance, drift, first hemoglobin, efficacy of transfusion."""

LOG = np.array([0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1], dtype=bool)
"""Which parameters are log-normal."""

LOWEST_SET_POINT, LOWEST_FIRST, ABOVE_SET_POINT, LEAST_MOST = 6.0, 2.5, 2.0, 1.1
"""Clamps that keep absurd parameters finite, g/dL and ratio; far outside of what is plausible."""


class Noise(Struct, frozen=True):
    """Spread of counts: assay (g/dL), plasma volume (relative, d), weekly production (log, d)."""

    assay: float
    plasma: float
    plasma_days: float
    production: float
    production_days: float


class Prior(Struct, frozen=True):
    """One person's priors: per parameter the center (log where log-normal) and spread, `[11]`."""

    center: np.ndarray
    spread: np.ndarray
    decay: np.ndarray
    reach: np.ndarray
    blood_volume: float


class Model(Struct, frozen=True):
    """Everything that the model takes from the knowledge base, with a site's calibration."""

    constants: Constants
    noise: Noise
    quiet: Noise | None
    """noise of people whose counts are steady; between the two each person has their own"""
    noise_shares: tuple[tuple[float, ...], ...]
    """(share of the usual noise, its prior weight with and without a recorded cause)"""
    scale_strength: float
    least_sample_share: float
    centers: dict[str, tuple[float, float]]
    kinetics: dict[str, tuple[float, float, float, float]]
    """class -> (k, eps, s, w)"""
    unit_hemoglobin: float
    kidney_feedback: float
    site_unknown_spread: float
    radiation: tuple[float, float, float, float]
    """Gy that spares 1/e, days of recovery, Gy at which half stays, spread of that"""

    @property
    def unit_rise(self) -> float:
        """Hemoglobin in g that is found of one unit, for the median patient."""
        return self.unit_hemoglobin * self.centers["efficacy"][0]


def model(k: Knowledge) -> Model:
    """The model's numbers from the knowledge base; a site's policy may have changed them."""
    rows = k.number("erythropoiesis.noise").rows
    half, spread = k.number("erythropoiesis.radiation_permanent").rows[0]
    return Model(
        constants=_constants(k),
        noise=Noise(*rows[0]),
        quiet=Noise(*rows[1]),
        noise_shares=k.number("erythropoiesis.noise_shares").rows,
        scale_strength=k.value("erythropoiesis.scale_strength"),
        least_sample_share=k.value("erythropoiesis.least_sample_share"),
        centers=_centers(k),
        kinetics={n: (e.k, e.eps, e.s, e.w) for n, e in k.kinetics.items()},
        unit_hemoglobin=k.value("transfusion.unit_hemoglobin_low"),
        kidney_feedback=k.value("erythropoiesis.kidney_feedback"),
        site_unknown_spread=k.value("erythropoiesis.prior_drift_site_unknown"),
        radiation=(
            k.value("erythropoiesis.radiation_full"),
            k.value("erythropoiesis.radiation_recovery_days"),
            half,
            spread,
        ),
    )


def _constants(k: Knowledge) -> Constants:
    slope, reference, per_hb, least, most = k.number("erythropoiesis.reticulocyte_maturation").rows[
        0
    ]
    response, production, life = k.number("erythropoiesis.inflammation_effect").rows[0]
    return Constants(
        progenitor_days=k.value("erythropoiesis.progenitor_days"),
        marrow_days=k.value("erythropoiesis.marrow_days"),
        stem_days=k.value("erythropoiesis.stem_days"),
        residence=k.value("erythropoiesis.reticulocyte_residence"),
        marrow_kill=k.value("erythropoiesis.marrow_share_of_kill"),
        maturation_slope=slope,
        maturation_hematocrit=reference,
        hematocrit_per_hb=per_hb,
        maturation_least=least,
        maturation_most=most,
        less_response=response,
        less_production=production,
        less_life=life,
    )


def _centers(k: Knowledge) -> dict[str, tuple[float, float]]:
    keys = {
        "women": "erythropoiesis.prior_set_point_women",
        "men": "erythropoiesis.prior_set_point_men",
        "lifespan": "erythropoiesis.prior_lifespan",
        "feedback": "erythropoiesis.prior_feedback",
        "most": "erythropoiesis.prior_most_production",
        "imbalance": "erythropoiesis.prior_start_imbalance",
        "drift": "erythropoiesis.prior_drift",
        "infiltrated": "erythropoiesis.prior_drift_infiltration",
        "first": "erythropoiesis.prior_first_hemoglobin",
        "efficacy": "erythropoiesis.prior_transfusion_efficacy",
    }
    rows = {name: k.number(key).rows[0] for name, key in keys.items()}
    return {name: (row[0], row[1]) for name, row in rows.items()}


def prior(m: Model, history: History) -> Prior:
    """One person's priors from sex, disease, drugs and kidney function."""
    c = m.centers
    drift = c["infiltrated" if history.infiltration else "drift"]
    if history.site_unknown:
        drift = (drift[0], max(drift[1], m.site_unknown_spread))
    feedback = c["feedback"]
    if history.kidney:
        feedback = (feedback[0] * m.kidney_feedback, feedback[1])
    slots = [m.kinetics[name] for name in history.slots]
    slots += [(1.0, 0.0, 1.0, 0.0)] * (SLOTS - len(slots))
    rows = [
        c["men" if history.sex == "male" else "women"],
        c["lifespan"],
        feedback,
        c["most"],
        *((s, w) for _, _, s, w in slots),
        c["imbalance"],
        drift,
        c["first"],
        c["efficacy"],
    ]
    center = np.array([row[0] for row in rows])
    center[LOG] = np.log(center[LOG])
    return Prior(
        center=center,
        spread=np.array([row[1] for row in rows]),
        decay=np.array([slot[0] for slot in slots]),
        reach=np.array([slot[1] for slot in slots]),
        blood_volume=history.blood_volume,
    )


def traits(
    xp: Any, z: Array, center: Array, spread: Array, fixed: tuple[Array, Array, Array]
) -> Traits:
    """Physical traits of lanes from their z scores.

    Args:
        xp: `numpy` or `jax.numpy`.
        z: `[11, ...lanes]`, standard normal a priori.
        center: prior centers, broadcast against `z`.
        spread: prior spreads, likewise.
        fixed: decay `[3, ...]`, reach `[3, ...]`, blood volume `[...]` of the lanes.
    """
    decay, reach, blood_volume = fixed
    raw = center + spread * z
    bounded = xp.clip(raw, -30.0, 30.0)
    set_point = xp.maximum(raw[SET], LOWEST_SET_POINT)
    return Traits(
        blood_volume=blood_volume,
        set_point=set_point,
        lifespan=xp.exp(bounded[LIFE]),
        feedback=xp.exp(bounded[FEEDBACK]),
        most=xp.maximum(xp.exp(bounded[MOST]), LEAST_MOST),
        kill=xp.exp(bounded[KILL : KILL + SLOTS]),
        decay=decay,
        reach=reach,
        imbalance=raw[IMBALANCE],
        drift=raw[DRIFT],
        first=xp.clip(raw[FIRST], LOWEST_FIRST, set_point + ABOVE_SET_POINT),
        efficacy=xp.exp(bounded[EFFICACY]),
    )
