"""Drugs and regimens of the simulated clinic: their kinetics, their effect on the marrow, their use.

The effect is a saturating (Emax) killing rate on dividing precursors, a share of it on the burst
forming pool, and a small lasting loss of reserve. Concentration 1 is that of one full dose (of a
day at full dose for tablets). Rates were set so that virtual courses show about the laboratory
rates of grade 3 anemia that labels report; they are not fitted to any model.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct


class Drug(Struct, frozen=True):
    """One drug. `half_life` in days, of its effect on the marrow; `emax` killing per day."""

    slug: str
    half_life: float
    emax: float
    ec50: float = 0.5
    hill: float = 1.0
    burst: float = 0.2
    lasting: float = 0.0
    plasma: float = 0.0
    full_dose: float = 100.0
    unit: str = "mg"
    tablet: bool = False


DRUGS = (
    Drug("docetaxel", 1.6, 0.4, burst=0.10, lasting=0.004, plasma=0.008, full_dose=160.0),
    Drug("paclitaxel", 1.2, 0.145, burst=0.08, lasting=0.001, plasma=0.001, full_dose=140.0),
    Drug("gemcitabine", 1.0, 0.13, burst=0.15, lasting=0.002, full_dose=1750.0),
    Drug("carboplatin", 2.5, 0.10, burst=0.22, lasting=0.008, full_dose=220.0),
    Drug("trastuzumab-deruxtecan", 5.5, 0.085, burst=0.12, lasting=0.003, full_dose=380.0),
    Drug("trastuzumab-emtansine", 3.5, 0.085, burst=0.08, lasting=0.002, full_dose=250.0),
    Drug("sacituzumab-govitecan", 1.2, 0.18, burst=0.14, lasting=0.003, full_dose=700.0),
    Drug("eribulin", 1.7, 0.1, burst=0.10, lasting=0.002, full_dose=2.0),
    Drug("doxorubicin", 1.8, 0.3, burst=0.14, lasting=0.006, full_dose=100.0),
    Drug("olaparib", 0.6, 0.06, hill=1.6, burst=0.16, full_dose=600.0, tablet=True),
    Drug("talazoparib", 1.5, 0.098, hill=1.6, burst=0.20, full_dose=1.0, tablet=True),
    Drug("capecitabine", 0.4, 0.058, burst=0.08, full_dose=3000.0, tablet=True),
    Drug("palbociclib", 1.2, 0.05, burst=0.05, full_dose=125.0, tablet=True),
    Drug("letrozole", 2.0, 0.0, full_dose=2.5, tablet=True),
    Drug("trastuzumab", 14.0, 0.0, full_dose=420.0),
    Drug("cyclophosphamide", 0.5, 0.18, burst=0.10, lasting=0.002, full_dose=1000.0),
)
SLUGS = tuple(drug.slug for drug in DRUGS)
INDEX = {slug: n for n, slug in enumerate(SLUGS)}


class Part(Struct, frozen=True):
    """One drug of a regimen: the days of its cycle on which it is given (tablets: taken)."""

    slug: str
    days: tuple[int, ...]


class Regimen(Struct, frozen=True):
    """Drugs in a cycle of `length` days; `cycles` is the planned number, `weight` its use.

    `stay` is the mean number of days until progression or intolerance ends it.
    """

    name: str
    length: int
    parts: tuple[Part, ...]
    cycles: int
    stay: float
    weight: float

    @property
    def tablets(self) -> tuple[Part, ...]:
        """The parts that are taken by mouth."""
        return tuple(p for p in self.parts if DRUGS[INDEX[p.slug]].tablet)

    @property
    def infusions(self) -> tuple[Part, ...]:
        """The parts that are given in the chair."""
        return tuple(p for p in self.parts if not DRUGS[INDEX[p.slug]].tablet)


DAILY = tuple(range(21))
REGIMENS = (
    Regimen("docetaxel", 21, (Part("docetaxel", (0,)),), 6, 300, 0.10),
    Regimen("paclitaxel", 28, (Part("paclitaxel", (0, 7, 14)),), 6, 300, 0.14),
    Regimen(
        "gemcitabine+carboplatin",
        21,
        (Part("gemcitabine", (0, 7)), Part("carboplatin", (0, 7))),
        6,
        260,
        0.12,
    ),
    Regimen("t-dxd", 21, (Part("trastuzumab-deruxtecan", (0,)),), 17, 420, 0.13),
    Regimen("t-dm1", 21, (Part("trastuzumab-emtansine", (0,)),), 14, 300, 0.05),
    Regimen("sacituzumab", 21, (Part("sacituzumab-govitecan", (0, 7)),), 12, 200, 0.06),
    Regimen("eribulin", 21, (Part("eribulin", (0, 7)),), 8, 170, 0.06),
    Regimen("ac", 21, (Part("doxorubicin", (0,)), Part("cyclophosphamide", (0,))), 4, 400, 0.05),
    Regimen("olaparib", 21, (Part("olaparib", DAILY),), 20, 320, 0.08),
    Regimen("talazoparib", 21, (Part("talazoparib", DAILY),), 20, 320, 0.06),
    Regimen("capecitabine", 21, (Part("capecitabine", tuple(range(14))),), 14, 220, 0.08),
    Regimen(
        "letrozole+palbociclib",
        28,
        (Part("palbociclib", DAILY), Part("letrozole", tuple(range(28)))),
        20,
        500,
        0.07,
    ),
)
BY_NAME = {regimen.name: regimen for regimen in REGIMENS}


def column(name: str) -> np.ndarray:
    """One number of every drug, in the order of `DRUGS`, as a column over lanes."""
    return np.array([float(getattr(drug, name)) for drug in DRUGS])[:, None]
