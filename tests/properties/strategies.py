"""Random patients in the builder's words: wide enough to reach most rules, small enough to read."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from builder import PRESENT, Said, Value, doses, held, irradiated, new, ordered, red_cells, taken
from redcell.knowledge.load import knowledge

RANGES: dict[str, tuple[float, float]] = {
    # from far below to far above what the rules ask about
    "mcv": (60, 130), "mchc": (28, 40), "rdw": (11, 20), "rbc": (2, 6), "hematocrit": (12, 48),
    "platelets": (5, 600), "leukocytes": (0.5, 20), "neutrophils": (0.1, 15), "reticulocytes-percent": (0, 12),
    "reticulocytes": (1, 300), "ferritin": (5, 2000), "tsat": (2, 90), "vitamin-b12": (100, 900),
    "folate": (1, 20), "egfr": (8, 110), "creatinine": (0.4, 5), "crp": (0, 120), "tsh": (0.05, 40),
    "albumin": (2, 5), "calcium": (7, 14), "alkaline-phosphatase": (30, 900), "ldh": (100, 1200),
    "haptoglobin": (5, 300), "bilirubin-indirect": (0.1, 5), "fibrinogen": (40, 600), "inr": (0.8, 4),
    "d-dimer": (100, 6000), "heart-rate": (40, 160), "systolic": (70, 200), "diastolic": (40, 120),
    "oxygen-saturation": (80, 100), "temperature": (35.5, 40), "respiratory-rate": (8, 40),
    "weight": (35, 140), "height": (140, 195), "mma": (0.1, 2), "lvef": (20, 70), "bun": (5, 80),
    "nucleated-rbc": (0, 5), "myelocytes": (0, 5), "blasts": (0, 5), "spo2-limit": (88, 99),
    "packs-per-day": (0, 3), "gestational-age": (2, 42), "troponin-i": (0, 2),
}  # fmt: skip
SEEN = ("schistocytes", "teardrops", "spherocytes", "macroovalocytes", "hypersegmented", "polychromasia",
        "smoking-status", "pregnancy-status")  # fmt: skip
DRUGS = (
    "docetaxel", "capecitabine", "gemcitabine", "olaparib", "talazoparib", "palbociclib", "abemaciclib",
    "trastuzumab-deruxtecan", "trastuzumab", "ambiguous-her2-agent", "pembrolizumab", "everolimus", "letrozole",
    "radium-223", "nsaid/ibuprofen", "anticoagulant/apixaban", "anticoagulant-vka/warfarin",
    "antiplatelet/aspirin", "g-csf/filgrastim", "iron-iv/iron-sucrose", "esa/epoetin-alfa",
)  # fmt: skip
MEANINGS = (
    "bone-metastasis", "brain-metastasis", "severe-lung-disease", "chronic-kidney-disease", "pleural-effusion",
    "thalassemia", "inherited-hemolytic-anemia", "sickle-cell-disease", "fluid-overload", "active-infection",
    "disseminated-intravascular-coagulation",
)  # fmt: skip
SITES = (
    "pelvis",
    "sternum",
    "lumbar-spine",
    "thoracic-spine",
    "sacrum",
    "brain",
    "ribs-and-clavicles",
)
LOW, HIGH = 3.0, 15.0


def number(low: float, high: float) -> st.SearchStrategy[float]:
    """A value with two decimals, as laboratories print them."""
    return st.integers(round(low * 100), round(high * 100)).map(lambda n: n / 100)


def day(earliest: int = -40, latest: int = 0) -> st.SearchStrategy[float]:
    """A quarter of a day, so that exact windows are met."""
    return st.integers(earliest * 4, latest * 4).map(lambda n: n / 4)


def hemoglobin() -> st.SearchStrategy[float]:
    """Any plausible hemoglobin."""
    return number(LOW, HIGH)


def answers() -> st.SearchStrategy[Any]:
    """What may be said about one symptom."""
    grade = st.one_of(st.none(), st.integers(0, 4))
    said = st.builds(
        Said, grade, day(-9), st.one_of(st.none(), day(-40, -9)),
        st.sampled_from([None, "new", "worse", "unchanged", "better"]),
    )  # fmt: skip
    return st.one_of(st.integers(0, 4), st.just(PRESENT), st.none(), said, st.just(new(2)))


def treatments() -> st.SearchStrategy[Any]:
    """What may be recorded about one drug."""
    return st.one_of(
        st.builds(taken, day(-400, -1)),
        st.tuples(day(-400, -30), day(-29, 0)).map(lambda t: taken(*t)),
        st.lists(day(-60), min_size=1, max_size=3).map(lambda d: doses(*sorted(d))),
        st.tuples(day(-200, -60), day(-59, -1)).map(lambda t: held(*t)),
        st.tuples(day(-30), st.integers(1, 100)).map(lambda t: ordered(*t)),
    )


@st.composite
def words(draw: st.DrawFn, *, simple: bool = False) -> dict[str, Any]:
    """A patient; `simple`: one value for each analyte, nothing before it."""
    chosen = draw(st.lists(st.sampled_from(sorted(RANGES)), max_size=8, unique=True))
    found: dict[str, Any] = {name: draw(number(*RANGES[name])) for name in chosen}
    for name in draw(st.lists(st.sampled_from(sorted(RANGES)), max_size=3, unique=True)):
        found.setdefault(name, None)
    found |= dict.fromkeys(
        draw(st.lists(st.sampled_from(SEEN), max_size=2, unique=True)), "present"
    )
    found["dat"] = draw(st.sampled_from(["negative", "positive", None]))
    names = sorted(knowledge().symptoms)
    picked = draw(st.lists(st.sampled_from(names), max_size=5, unique=True))
    found["symptoms"] = {name: draw(answers()) for name in picked}
    found["therapy"] = {
        d: draw(treatments())
        for d in draw(st.lists(st.sampled_from(DRUGS), max_size=3, unique=True))
    }
    flags = draw(st.lists(st.sampled_from(MEANINGS), max_size=2, unique=True))
    found["diagnoses"] = dict.fromkeys(flags, True)
    found["diagnoses"]["cardiovascular-disease"] = draw(st.sampled_from([True, False, None]))
    found["sex"] = draw(st.sampled_from(["female", "male", "other", "unknown"]))
    found["age"] = draw(st.one_of(st.none(), st.integers(18, 95)))
    found["hemoglobin"] = draw(hemoglobin())
    if simple:
        return found
    earlier = [(draw(day(-60)), draw(hemoglobin())) for _ in range(draw(st.integers(0, 3)))]
    newest = Value(
        draw(day(-9)),
        found["hemoglobin"],
        status=draw(st.sampled_from(["final", "final", "preliminary"])),
    )
    found["hemoglobin"] = draw(st.sampled_from([[newest, *dict(earlier).items()], None]))
    found["limit"] = draw(st.sampled_from([None, 11.5, 12.0]))
    if draw(st.booleans()):
        found["symptoms"] = draw(st.sampled_from([None, found["symptoms"]]))
    given = draw(
        st.lists(st.tuples(day(-100), st.integers(1, 2)), max_size=2, unique_by=lambda t: t[0])
    )
    found["transfusions"] = [red_cells(*t) for t in given]
    found["units_elsewhere"] = draw(st.sampled_from([None, (-400, -200, 12)]))
    fields = draw(st.lists(st.sampled_from(SITES), max_size=2, unique=True))
    gray = draw(st.sampled_from([None, 1, 8, 10, 30]))
    found["radiation"] = [irradiated(*((site, gray) for site in fields))] if fields else []
    found["refusal"] = draw(st.sampled_from([None, None, "clear", "unclear"]))
    found["hospice"] = draw(st.booleans())
    found["prognosis_weeks"] = draw(st.sampled_from([None, 2, 8]))
    found["ecog"] = draw(st.integers(0, 4))
    found["altitude"] = draw(st.sampled_from([None, 500, 2600]))
    found["planned"] = draw(st.sampled_from([None, 90]))
    return found
