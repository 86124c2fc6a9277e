"""The shapes of the knowledge files: one struct per kind of entry, checked when a file is read."""

from __future__ import annotations

from msgspec import Struct, field


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """A publication, label or standard. `cite` is what people are shown."""

    cite: str
    title: str = ""
    checked: str = ""


class RuleEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """What a clinical rule id is about and on which publications it rests."""

    title: str
    sources: tuple[str, ...]
    locator: str
    mark: str


class NumberEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One number, or one small table of numbers, with unit, meaning and source.

    `fixed` numbers define a published classification and cannot be changed by a site;
    `widen` says in which direction a site may move an emergency threshold.
    """

    unit: str
    means: str
    source: str
    locator: str
    mark: str
    value: float | None = None
    rows: tuple[tuple[float, ...], ...] = ()
    applies: str = ""
    fixed: bool = False
    widen: str = ""
    least: float | None = None
    most: float | None = None


class Analyte(Struct, frozen=True, forbid_unknown_fields=True):
    """One result or vital sign: its codes, its unit, and every unit that converts exactly."""

    name: str
    group: str
    source: str
    locator: str
    mark: str
    unit: str = ""
    kind: str = "number"
    loinc: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    plausible: tuple[float, float] | None = None
    range: tuple[float, float] | None = None
    range_female: tuple[float, float] | None = None
    range_male: tuple[float, float] | None = None
    range_low: float | None = None
    range_high: float | None = None
    units: dict[str, str] = field(default_factory=dict)
    plausible_as_sent: dict[str, tuple[float, float]] = field(default_factory=dict)

    def limits(self, sex: str) -> tuple[float | None, float | None]:
        """Lower and upper limit of an adult; women's for a sex other than male."""
        by_sex = self.range_male if sex == "male" else self.range_female
        low, high = by_sex or self.range or (None, None)
        return (
            low if low is not None else self.range_low,
            high if high is not None else self.range_high,
        )


class Symptom(Struct, frozen=True, forbid_unknown_fields=True):
    """One symptom: codes, words, rival causes, and the most that anemia can explain of it."""

    name: str
    patient_name: str
    snomed: tuple[str, ...]
    source: str
    locator: str
    mark: str
    also: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    keywords_whole: tuple[str, ...] = ()
    article: bool = False
    attributable: bool = False
    bleeding_site: bool = False
    rivals: tuple[str, ...] = ()
    anemia: str = "unlikely"
    while_deficient: bool = False


class Condition(Struct, frozen=True, forbid_unknown_fields=True):
    """One meaning of a diagnosis code, by ICD-10-CM prefix or range, SNOMED CT code, or words."""

    name: str
    source: str
    locator: str
    mark: str
    icd10: tuple[str, ...] = ()
    exclude_icd10: tuple[str, ...] = ()
    snomed: tuple[str, ...] = ()
    exclude_snomed: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()


class Rate(Struct, frozen=True, forbid_unknown_fields=True):
    """How often a drug causes anemia of grade 3 or worse."""

    value: float
    unit: str
    means: str
    source: str
    locator: str
    mark: str


class Reference(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a statement comes from."""

    source: str
    locator: str
    mark: str


class FirstDays(Struct, frozen=True, forbid_unknown_fields=True):
    """A shorter interval between counts in the first days of a drug."""

    days: int
    interval: int


class Drug(Struct, frozen=True, forbid_unknown_fields=True):
    """One cancer drug: its risk of anemia, its codes, its schedule of counts."""

    name: str
    drug_class: str = field(name="class")
    atc: tuple[str, ...] = ()
    rxnorm: tuple[str, ...] = ()
    rxnorm_ambiguous: tuple[str, ...] = ()
    omop: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    rate: Rate | None = None
    any_grade: str = ""
    grade3: str = ""
    basis: str = ""
    mechanism: str = ""
    onset: str = ""
    cycle_days: int | None = None
    schedule: str = ""
    mcv: str = ""
    macrocytosis: bool = False
    lung_injury: bool = False
    microangiopathy: bool = False
    bleeding_risk: bool = False
    label_action: str = ""
    label_restart: str = ""
    label_source: Reference | None = None
    count_interval_days: int | None = None
    count_interval_spaced_days: int | None = None
    count_interval_grade2_days: int | None = None
    count_interval_first: FirstDays | None = None
    count_interval_hold_days: int | None = None
    count_source: Reference | None = None
    source: str = ""
    locator: str = ""
    mark: str = ""
    figures_source: Reference | None = None


class ContributorGroup(Struct, frozen=True, forbid_unknown_fields=True):
    """A group of drugs outside cancer treatment that bears on anemia."""

    means: str
    source: str
    locator: str
    mark: str
    atc_prefix: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    bleeding: bool = False
    count_interval_days: int | None = None
    count_source: Reference | None = None


class Ambiguous(Struct, frozen=True, forbid_unknown_fields=True):
    """A code that stands for several products of very different risk."""

    name: str
    drug_class: str = field(name="class")
    omop: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    source: str = ""
    locator: str = ""
    mark: str = ""


class Site(Struct, frozen=True, forbid_unknown_fields=True):
    """One radiation site and its share of the active marrow, in percent."""

    name: str
    share: float
    source: str
    locator: str
    mark: str
    sd: float | None = None
    snomed: tuple[str, ...] = ()
    snomed_if_text: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    levels: int | None = None
    paired: bool = False
    group: str = ""


class Kinetics(Struct, frozen=True, forbid_unknown_fields=True):
    """How one class of drugs acts in the red-cell model.

    `k` is the loss of effect per day, `eps` the share of its kill that reaches stem capacity, `s`
    the log-kill of one reference amount with the spread `w` of its logarithm. A reference amount
    covers `days` in `doses` doses (0: taken daily). A combination has `parts` instead of `drugs`:
    the share of one reference amount in each dose, and acts where two of them are given together.
    """

    means: str
    k: float
    eps: float
    s: float
    w: float
    days: float
    doses: int
    source: str
    locator: str
    mark: str
    drugs: tuple[str, ...] = ()
    parts: dict[str, float] = field(default_factory=dict)
