"""What invented people are made of: the numbers of `knowledge/synthesize.toml`, checked."""

from __future__ import annotations

from functools import lru_cache

import msgspec
import numpy as np
from msgspec import Struct

from redcell.knowledge.load import Knowledge

Spread = tuple[float, float, float, float]
"""Mean, standard deviation, least, most."""


class Part(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file, with where it comes from."""

    source: str
    locator: str
    mark: str


class People(Part, frozen=True):
    """Who they are, and the traits of their red cells in spreads of the model's priors."""

    men: float
    age: Spread
    height_women: Spread
    height_men: Spread
    bmi: Spread
    altitude: float
    altitudes: tuple[int, int]
    smokers: float
    smoked: float
    deceased: float
    joins: float
    never: float
    never_days: int
    lapsed: float
    lapsed_days: tuple[int, int]
    careless: float
    misses: float
    misses_many: float
    refuses: float
    unclear: float
    hospice: float
    prognosis: float
    first: Spread
    set_point: Spread
    imbalance: Spread
    drift: Spread
    marked: Spread
    strength: Spread


class Disease(Part, frozen=True):
    """Subtype, germline variant and infiltration of the marrow."""

    subtype: dict[str, float]
    germline: dict[str, float]
    infiltrated: float
    onset: tuple[int, int]
    drift: Spread
    marrow_coded: float


class Metastasis(Struct, frozen=True, forbid_unknown_fields=True):
    """One place of metastases."""

    share: dict[str, float]
    icd10: str
    name: str
    site: tuple[str, str]


class Comorbidity(Struct, frozen=True, forbid_unknown_fields=True):
    """One other disease, its share at sixty, its factor for each ten years more."""

    share: float
    age: float
    icd10: str
    name: str
    drugs: tuple[str, ...] = ()
    dated: bool = False


class Absent(Part, frozen=True):
    """A disease that is said not to be there."""

    share: float
    icd10: str
    name: str


class Burden(Part, frozen=True):
    """What acts on red cells beside treatment."""

    inflamed: float
    chronic: Spread
    infections: float
    infection: Spread
    infection_days: Spread
    iron_lack: float
    iron_depth: Spread
    iron_slope: float
    iron_loss: float
    by_vein_days: float
    by_mouth_days: float
    by_vein: float
    vitamin_lack: float
    vitamin_loss: float
    folate_share: float
    vitamin_slope: float
    repletion_days: float
    bleeds: float
    bleed: Spread
    bleed_days: Spread
    hemolysis: float
    destroyed: Spread
    hemolysis_days: tuple[int, int]


class Radiotherapy(Part, frozen=True):
    """How many have it."""

    share: float
    share_of_bone: float


class Field(Struct, frozen=True, forbid_unknown_fields=True):
    """One site of radiotherapy."""

    weight: float
    snomed: str
    name: str
    parts: tuple[str, ...]
    doses: tuple[tuple[int, int], ...]


class Clinic(Struct, frozen=True, forbid_unknown_fields=True):
    """One clinic: when it transfuses, how its laboratory reports, who works there."""

    weight: float
    threshold: float
    units: str
    limits: dict[str, tuple[float, float]]
    panel: bool
    references: bool
    team: str
    doctors: tuple[str, ...]
    nurses: tuple[str, ...]


class BloodBank(Struct, frozen=True, forbid_unknown_fields=True):
    """Blood groups, and who has one on record."""

    typed: float
    antibodies: float
    group: dict[str, float]


class Practice(Part, frozen=True):
    """How all clinics treat."""

    hold_below: float
    resume_from: float
    reduced: float
    least: float
    starts_reduced: float
    longest_hold: int
    neutrophils: float
    neutrophils_day8: float
    platelets: float
    symptoms_above: float
    symptomatic: float
    two_units: float
    same_day: float
    within_days: int
    reaction: float
    late_cycle: float
    restaging: tuple[int, int]
    elsewhere: float
    product_too: float
    forgot_growth_factor: float
    stimulates: float


class Blood(Part, frozen=True):
    """Other cells and chemistry: usual values, and what drugs and lacks do to them."""

    neutrophils: Spread
    platelets: Spread
    lymphocytes: Spread
    mcv: Spread
    rdw: Spread
    nadir_day: float
    nadir_power: float
    steady_days: float
    growth_factor: float
    noise: dict[str, float]
    large_cells: dict[str, float]
    large_days: float
    small_by_iron: float
    small_by_everolimus: float
    small_by_thalassemia: float
    large_by_vitamin: float
    neutrophil_fall: dict[str, float]
    platelet_fall: dict[str, float]
    creatinine: Spread
    creatinine_kidney: Spread
    creatinine_abemaciclib: float
    ferritin: Spread
    ferritin_lack: float
    ferritin_inflamed: float
    ferritin_unit: float
    tsat: Spread
    tsat_lack: float
    tsat_inflamed: float
    vitamin_b12: Spread
    folate: Spread
    tsh: Spread
    crp: Spread
    ldh: Spread
    alp: Spread
    alt: Spread
    albumin: Spread
    calcium: Spread
    potassium: Spread
    bilirubin: Spread
    bun: Spread
    haptoglobin: Spread
    epo: Spread


class Reporting(Part, frozen=True):
    """Which tests are made when, and what goes wrong with results."""

    reticulocytes: float
    reticulocytes_low: float
    low_hb: float
    chemistry_days: int
    iron_first: float
    iron_low: float
    iron_below: float
    iron_days: int
    vitamins: float
    hemolysis_tests: float
    smear: float
    ejection_days: int
    preliminary: float
    corrected: float
    in_error: float
    diluted: float
    held: float
    reported: float
    asked: float
    answered: float
    asked_visit: float


class Ail(Struct, frozen=True, forbid_unknown_fields=True):
    """How a symptom follows hemoglobin: from which value, g/dL for each grade, own share."""

    from_: float = msgspec.field(name="from")
    per: float
    own: float


class Scene(Struct, frozen=True, forbid_unknown_fields=True):
    """Something that happened in the last days to a share of those it can happen to."""

    share: float
    on: str = ""
    symptoms: dict[str, int] = {}
    vitals: dict[str, float] = {}
    bleed: float = 0.0
    calcium: float = 0.0


class SceneTimes(Part, frozen=True):
    """How long before the end a scene can lie."""

    within_days: int


class Regimen(Struct, frozen=True, forbid_unknown_fields=True):
    """One regimen: its cycle, its infusions by day and its tablets, and who gets it."""

    lines: dict[str, float]
    cycle: int
    cycles: int
    stay: float
    infusions: dict[str, tuple[int, ...]] = {}
    doses: dict[str, str] = {}
    tablets: dict[str, str] = {}
    growth_factor: bool = False
    next: str = ""

    @property
    def drugs(self) -> tuple[str, ...]:
        """Every drug, infusions first."""
        return (*self.infusions, *self.tablets)


class Begin(Part, frozen=True):
    """In which line people are when the period begins, and how stays differ."""

    line: dict[str, tuple[float, ...]]
    stay_spread: float


class Names(Struct, frozen=True, forbid_unknown_fields=True):
    """Given and family names."""

    women: tuple[str, ...]
    men: tuple[str, ...]
    family: tuple[str, ...]


class Numbers(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    people: People
    disease: Disease
    metastasis: dict[str, Metastasis]
    comorbidity: dict[str, Comorbidity]
    absent: Absent
    burden: Burden
    radiotherapy: Radiotherapy
    field: dict[str, Field]
    clinic: dict[str, Clinic]
    clinic_practice: Practice
    blood_bank: BloodBank
    blood: Blood
    reporting: Reporting
    symptom: dict[str, Ail]
    scene: dict[str, Scene]
    scene_times: SceneTimes
    regimen: dict[str, Regimen]
    begin: Begin
    support: dict[str, tuple[str, str]]
    result: dict[str, tuple[str, int]]
    units: dict[str, dict[str, tuple[str, int]]]
    names: Names


@lru_cache(maxsize=4)
def numbers(k: Knowledge) -> Numbers:
    """The numbers of a knowledge base."""
    return msgspec.convert(k.file("synthesize"), Numbers)


def drawn(rng: np.random.Generator, spread: Spread) -> float:
    """One value of a spread."""
    mean, deviation, least, most = spread
    return float(min(max(rng.normal(mean, deviation), least), most))


def chosen(rng: np.random.Generator, weights: dict[str, float]) -> str:
    """One of the names, by weight."""
    left = rng.random() * sum(weights.values())
    for name, weight in weights.items():
        left -= weight
        if left < 0:
            return name
    return next(reversed(weights))


def picked(rng: np.random.Generator, items: tuple[str, ...]) -> str:
    """One of the items, each as likely."""
    return items[int(rng.integers(len(items)))]
