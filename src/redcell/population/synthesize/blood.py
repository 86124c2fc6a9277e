"""What a laboratory finds in an invented person's sample, beside the hemoglobin."""

from __future__ import annotations

from collections.abc import Iterable
from math import exp

import numpy as np
from msgspec import Struct

from redcell.population.synthesize.body import Look
from redcell.population.synthesize.life import Life
from redcell.population.synthesize.numbers import Blood, Numbers, drawn

PER_G_DL = 3.0
"""Hematocrit in % for each g/dL of hemoglobin."""
MG_PER_DL_CKD = (0.7, 0.9)
"""Creatinine at which the CKD-EPI equation of 2021 bends: women, men."""


class Usual(Struct, frozen=True):
    """A person's own values when nothing is wrong."""

    neutrophils: float
    platelets: float
    lymphocytes: float
    mcv: float
    rdw: float
    creatinine: float
    ferritin: float
    tsat: float
    vitamin_b12: float
    folate: float
    tsh: float
    crp: float
    ldh: float
    alp: float
    alt: float
    albumin: float
    calcium: float
    potassium: float
    bilirubin: float
    bun: float
    haptoglobin: float
    epo: float
    reserve: float
    """How much more, or less, other cells fall than usual."""


def usual(rng: np.random.Generator, n: Numbers, life: Life) -> Usual:
    """Draw a person's own values."""
    b = n.blood
    kidney = b.creatinine_kidney if life.has("kidney") else b.creatinine
    mcv = drawn(rng, b.mcv) - b.small_by_thalassemia * life.has("thalassemia")
    spreads = {
        name: drawn(rng, getattr(b, name))
        for name in Usual.__struct_fields__
        if name not in ("creatinine", "mcv", "reserve")
    }
    logs = {name: exp(spreads[name]) for name in LOGARITHMS}
    reserve = exp(rng.normal(0.0, RESERVE))
    return Usual(**(spreads | logs), mcv=mcv, creatinine=drawn(rng, kidney), reserve=reserve)


LOGARITHMS = ("ferritin", "vitamin_b12", "folate", "tsh", "crp", "epo")
RESERVE = 0.3


class Exposure(Struct, frozen=True):
    """One drug as other cells feel it: a dose so many days ago, or tablets for so many days."""

    slug: str
    days: float
    fraction: float
    daily: bool = False


def fall(b: Blood, exposures: Iterable[Exposure], table: dict[str, float]) -> float:
    """Logarithm by which drugs have lowered a kind of cells today."""
    total = 0.0
    for one in exposures:
        strength = table.get(one.slug, 0.0) * one.fraction
        if one.daily:
            total += strength * (1.0 - exp(-one.days / b.steady_days))
        elif strength:
            part = one.days / b.nadir_day
            total += strength * (part * exp(1.0 - part)) ** b.nadir_power
    return total


def white_cells(
    n: Numbers, own: Usual, look: Look, exposures: tuple[Exposure, ...], *, growth_factor: bool
) -> tuple[float, float]:
    """Neutrophils and platelets, 10*3/uL, before the noise of a count."""
    b = n.blood
    left = b.growth_factor if growth_factor else 1.0
    down = own.reserve * fall(b, exposures, b.neutrophil_fall) * left
    platelets_down = own.reserve * fall(b, exposures, b.platelet_fall)
    crowded = 1.0 - CROWDED * look.infiltration
    neutrophils = own.neutrophils * exp(-down) * crowded * (1.0 + look.inflammation)
    platelets = own.platelets * exp(-platelets_down) * crowded * (1.0 + look.inflammation / 2)
    return neutrophils, platelets


CROWDED = 0.75
"""Share of other cells that a wholly replaced marrow takes away."""


def cbc(
    rng: np.random.Generator,
    n: Numbers,
    own: Usual,
    look: Look,
    cells: tuple[float, float],
    large: float,
) -> dict[str, float]:
    """A whole blood count; every part follows from the hemoglobin as it was measured.

    Args:
        rng: the clinic's chance.
        n: the numbers.
        own: the person's usual values.
        look: what the sample holds.
        cells: neutrophils and platelets.
        large: fL by which drugs have made the cells larger, or smaller.
    """
    b, noise, z = n.blood, n.blood.noise, rng.standard_normal(8).tolist()
    hb = max(look.hemoglobin + look.assay * z[0], LEAST_HB)
    small = b.small_by_iron * look.iron_lack**2
    mcv = own.mcv + large - small + b.large_by_vitamin * look.vitamin_lack + noise["mcv"] * z[1]
    hematocrit = PER_G_DL * hb + noise["hematocrit"] * z[2]
    rdw = (
        own.rdw
        + 4.5 * look.iron_lack
        + 4 * look.vitamin_lack
        + abs(large) / 5
        + noise["rdw"] * z[3]
    )
    neutrophils = cells[0] * exp(noise["neutrophils"] * z[4])
    lymphocytes = own.lymphocytes * exp(noise["lymphocytes"] * z[5])
    red = hematocrit * 10.0 / mcv
    young = look.reticulocytes * exp(noise["reticulocytes"] * z[6])
    return {
        "hemoglobin": round(hb, 1),
        "hematocrit": hematocrit,
        "rbc": red,
        "mcv": mcv,
        "mch": hb * 10.0 / red,
        "mchc": hb * 100.0 / hematocrit,
        "rdw": rdw,
        "platelets": max(cells[1] * exp(noise["platelets"] * z[7]), LEAST_PLATELETS),
        "leukocytes": (neutrophils + lymphocytes) * OTHER_WHITE,
        "neutrophils": neutrophils,
        "reticulocytes-percent": young,
    }


LEAST_HB, LEAST_PLATELETS, OTHER_WHITE = 3.0, 4.0, 1.12


def chemistry(
    rng: np.random.Generator, n: Numbers, life: Life, own: Usual, look: Look, rise: float
) -> dict[str, float]:
    """The usual chemistry; `rise` is what abemaciclib adds to creatinine, mg/dL."""
    z = rng.standard_normal(12).tolist()
    creatinine = (own.creatinine + rise) * (1 + 0.05 * z[0])
    liver, bone = life.has("liver"), life.has("bone")
    crp = own.crp * exp(0.3 * z[1]) + 10 * look.inflammation**0.5 + 190 * look.inflammation
    alp = own.alp * (1 + 0.4 * bone + 0.3 * liver + 1.6 * look.infiltration) * (1 + 0.06 * z[2])
    ldh = own.ldh * (1 + 0.3 * liver + 0.8 * look.infiltration) + 14_000 * look.destroyed
    return {
        "creatinine": creatinine,
        "egfr": min(filtration(life, creatinine), 120.0),
        "bun": own.bun * (1 + 0.12 * z[3]) * (creatinine / own.creatinine),
        "alt": own.alt * (1 + 0.5 * liver) * exp(0.15 * z[4]),
        "alkaline-phosphatase": alp,
        "albumin": own.albumin - 0.8 * look.inflammation + 0.1 * z[5],
        "calcium": own.calcium + 0.15 * z[6],
        "potassium": own.potassium + 0.15 * z[7],
        "bilirubin-total": max(own.bilirubin * (1 + 0.1 * z[8]) + 60 * look.destroyed, 0.2),
        "crp": max(crp, 0.3),
        "ldh": ldh * (1 + 0.05 * z[9]),
    }


def filtration(life: Life, creatinine: float) -> float:
    """CKD-EPI 2021 without race, mL/min/1.73 m2."""
    woman = life.sex != "male"
    bend, power = (0.7, -0.241) if woman else (0.9, -0.302)
    age = life.age
    ratio = creatinine / bend
    low, high = min(ratio, 1.0) ** power, max(ratio, 1.0) ** -1.2
    return float(142 * low * high * 0.9938**age * (1.012 if woman else 1.0))


def iron_studies(
    rng: np.random.Generator, n: Numbers, own: Usual, look: Look, units: float
) -> dict[str, float]:
    """Ferritin, saturation, iron and binding capacity; `units` of red cells were given."""
    b, z = n.blood, rng.standard_normal(3).tolist()
    stored = own.ferritin * exp(-b.ferritin_lack * look.iron_lack + b.ferritin_unit * units)
    ferritin = max(stored * (1 + b.ferritin_inflamed * look.inflammation) * exp(0.1 * z[0]), 4.0)
    tsat = own.tsat * exp(-b.tsat_lack * look.iron_lack - b.tsat_inflamed * look.inflammation)
    tsat = min(max(tsat * exp(0.1 * z[1]), 3.0), 70.0)
    tibc = 320 + 110 * look.iron_lack - 90 * look.inflammation + 12 * z[2]
    return {"ferritin": ferritin, "tsat": tsat, "iron": tsat * tibc / 100.0, "tibc": tibc}


def vitamins(rng: np.random.Generator, life: Life, own: Usual, look: Look) -> dict[str, float]:
    """Vitamin B12, folate, thyrotropin and erythropoietin."""
    z, lack = rng.standard_normal(3).tolist(), look.vitamin_lack
    b12 = 1.0 - 0.85 * lack * (life.burden.vitamin == "b12")
    folate = 1.0 - 0.75 * lack * (life.burden.vitamin == "folate")
    return {
        "vitamin-b12": own.vitamin_b12 * b12 * exp(0.06 * z[0]),
        "folate": own.folate * folate * exp(0.08 * z[1]),
        "tsh": own.tsh * exp(0.15 * z[2]),
        "erythropoietin": own.epo * exp(0.3 * max(13.0 - look.hemoglobin, 0.0)),
    }


def hemolysis_tests(rng: np.random.Generator, own: Usual, look: Look) -> dict[str, float]:
    """Haptoglobin, indirect bilirubin, and the antiglobulin test where cells are destroyed."""
    z = rng.standard_normal(2).tolist()
    return {
        "haptoglobin": max(own.haptoglobin * exp(-260 * look.destroyed) * exp(0.1 * z[0]), 9.0),
        "bilirubin-indirect": max(0.35 + 55 * look.destroyed + 0.08 * z[1], 0.1),
        "dat": float(look.destroyed > 0),
    }
