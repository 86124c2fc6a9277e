"""Units: every analyte with every unit it accepts, and everything that is never guessed (P4, D1)."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache

import pytest

from builder import bundle, read_bundle
from redcell.knowledge.load import knowledge
from redcell.quantity import factor
from redcell.sources.terms import terms

ANALYTES = knowledge().analytes
TERMS = terms(knowledge())
PAIRS = [(name, unit) for name, a in ANALYTES.items() for unit in a.units if a.kind == "number"]

# -- an independent reading of units ---------------------------------------------------------------
# Written from the contract and clinical reference 1.3, not from the table of the product.

PREFIX = {
    "k": 3,
    "d": -1,
    "c": -2,
    "m": -3,
    "mc": -6,
    "micro": -6,
    "u": -6,
    "n": -9,
    "p": -12,
    "f": -15,
}
MOLAR = {
    # mol/L to the mass unit of the analyte: clinical reference 1.3 and the input contract
    "hemoglobin": ("m", 1 / Fraction("0.62058")), "iron": ("u", 1 / Fraction("0.179")),
    "tibc": ("u", 1 / Fraction("0.179")), "vitamin-b12": ("p", 1 / Fraction("0.738")),
    "folate": ("n", 1 / Fraction("2.266")), "folate-rbc": ("n", 1 / Fraction("2.266")),
    "bilirubin-total": ("u", 1 / Fraction("17.1")), "bilirubin-direct": ("u", 1 / Fraction("17.1")),
    "bilirubin-indirect": ("u", 1 / Fraction("17.1")), "creatinine": ("u", 1 / Fraction("88.4")),
    "calcium": ("m", Fraction("4.008")),
}  # fmt: skip
COUNT_WORD = {
    "k": 3, "thou": 3, "thous": 3, "thousand": 3, "thousands": 3, "tsd": 3, "m": 6, "mill": 6,
    "million": 6, "millions": 6, "mio": 6, "g": 9, "gi": 9, "giga": 9, "gpt": 9, "mrd": 9, "t": 12, "ti": 12,
    "tera": 12, "tpt": 12,
}  # fmt: skip
SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
SAME = {
    # names of one thing: a factor of 1 to the unit of the analyte
    "%": ("%", "percent", "pct", "vol%", "%(calc)", "%cv", "%saturation", "%sat", "%{saturation}", "%spo2",
          "%{wbcs}", "%ofwbc", "/100{rbcs}", "/100{rbc}", "/100rbc", "/100rbcs", "/100{erythrocytes}",
          "/100{wbcs}", "/100{wbc}", "/100{leukocytes}", "/100wbc", "/100wbcs", "/100leukocytes"),
    "/100{wbcs}": ("/100{wbcs}", "/100{wbc}", "/100{leukocytes}", "{#}/100{wbcs}", "{#}/100{wbc}", "/100wbc",
                   "/100wbcs", "/100wbc's", "/100leukocytes", "nrbc/100wbc", "per100wbc", "%"),
    "fl": ("fl", "um3", "um^3", "femtoliter", "femtoliters"),
    "pg": ("pg", "pg/cell", "pg/{cell}", "picogram", "picograms"),
    "{inr}": ("{inr}", "inr", "1", "ratio", "{ratio}", ""),
    "s": ("s", "sec", "sec.", "secs", "second", "seconds"),
    "{ratio}": ("{ratio}", "ratio", "1", "mg/mg", "(calc)"),
    "mmol/l": ("mmol/l", "meq/l", "mval/l"),  # potassium: one charge
    "/min": ("/min", "1/min", "{beats}/min", "{beat}/min", "beats/min", "beat/min", "beats/minute",
             "beatsperminute", "bpm", "/minute", "{h.b.}/min", "{breaths}/min", "{breath}/min", "breaths/min",
             "breath/min", "breaths/minute", "breathsperminute", "br/min", "{resp}/min", "resp/min"),
    "mm[hg]": ("mm[hg]", "mmhg"), "{score}": ("{score}", "score", "1"),
    "cel": ("cel", "c", "°c", "ºc", "℃", "degc", "degreec", "degreesc", "celsius", "degreescelsius"),
    "{pack}/d": ("{pack}/d", "{packs}/d", "pack/d", "packs/d", "pack/day", "packs/day", "{pack}/day", "{packs}/day"),
    "{cigarettes}/d": ("{cigarettes}/d", "{cigarette}/d", "{cigs}/d", "cigarettes/d", "cigarettes/day",
                       "{cigarettes}/day", "{#}/d", "/d", "1/d"),
    "wk": ("wk", "weeks"),
    "kg": ("kg", "kgs", "kilogram", "kilograms"),
    "cm": ("cm", "centimeter", "centimeters", "centimetre", "centimetres"),
}  # fmt: skip
OTHER = {
    "weight": (("[lb_av]", "lb_av", "lb", "lbs", "pound", "pounds"), Fraction("0.45359237")),
    "height": (("[in_i]", "in", "inch", "inches"), Fraction("2.54")),
    "gestational-age": (("d",), Fraction(1, 7)),
    "reticulocytes-percent": (("‰", "[ppth]"), Fraction(1, 10)),
    "hematocrit": (("1", "l/l", "fraction", "{fraction}"), Fraction(100)),
}
METERS = ("m", "meter", "meters", "metre", "metres")
FAHRENHEIT = {
    "[degf]",
    "degf",
    "f",
    "°f",
    "ºf",
    "℉",
    "degreef",
    "degreesf",
    "fahrenheit",
    "degreesfahrenheit",
}


def plain(unit: str) -> str:
    return unit.translate(SUPERSCRIPT).replace("µ", "u").replace("μ", "u").replace("×", "x").lower()


def volume(text: str) -> Fraction | None:
    """Liters of `dL`, `100mL`, `mm3`, `cumm`, ..."""
    if text in ("mm3", "mm^3", "cumm", "cmm"):
        return Fraction(1, 10**6)
    if text == "100ml":
        return Fraction(1, 10)
    if text.endswith("l") and (text == "l" or text[:-1] in PREFIX):
        return Fraction(10) ** PREFIX.get(text[:-1], 0)
    return None


def concentration(unit: str, base: str) -> tuple[str, Fraction] | None:
    """`mg/dL` as ("mol", g per liter): kind, amount per liter in grams, moles or units."""
    text = re.sub(r"\(calc\)|\{?feu\}?|\(feu\)|\(\)|\{?rbcs?\}?", "", plain(unit))
    if text.endswith("%") and len(text) > 1:  # g%, mg%: per deciliter
        text = text[:-1] + "/dl"
    above, _, below = text.partition("/")
    liters = volume(below) if below else None
    if liters is None:
        return None
    for kind, names in (
        ("mol", ("mol",)),
        ("iu", ("[iu]", "iu", "u", "unit", "units")),
        ("g", ("g", "gm")),
    ):
        for name in names:
            head = above.removesuffix(name)
            if above.endswith(name) and (head == "" or head in PREFIX):
                return kind, Fraction(10) ** PREFIX.get(head, 0) / liters
    return None


def count(unit: str) -> Fraction | None:
    """Cells per liter of `10*3/uL`, `x10^9/L`, `K/uL`, `Mio./µL`, `/nL`, `cells/mm3`, ..."""
    text = re.sub(r"\{?cells?\}?|\{#\}|#", "", plain(unit))
    above, _, below = text.partition("/")
    liters = volume(below)
    if liters is None:
        return None
    above = above.rstrip(".")
    if above in ("", "1"):
        return 1 / liters
    if above in COUNT_WORD:
        return Fraction(10) ** COUNT_WORD[above] / liters
    power = re.fullmatch(r"[x*]?(?:10\*\*|10[*^ex]|1?e|10\()?(?:10)?(\d+)\)?", above)
    return Fraction(10) ** int(power[1]) / liters if power else None


@cache
def oracle(analyte: str, unit: str) -> Fraction | None:
    """The factor from a unit to the analyte's own, worked out from what the unit means."""
    own, text = plain(ANALYTES[analyte].unit), plain(unit)
    if analyte in OTHER and text in OTHER[analyte][0]:
        return OTHER[analyte][1]
    if own == "cm" and text in METERS:
        return Fraction(100)
    if text in SAME.get(own, ()):
        return Fraction(1)
    if own.startswith("ml/min/"):
        return Fraction(1) if re.match(r"ml/min/[\[{]?1\.73", text) else None
    if own.startswith("10*"):
        there, here = count(unit), count(ANALYTES[analyte].unit)
        return there / here if there and here else None
    there, here = concentration(unit, own), concentration(ANALYTES[analyte].unit, own)
    if there is None or here is None:
        return None
    if there[0] == here[0]:
        return there[1] / here[1]
    if there[0] == "mol" and analyte in MOLAR:
        prefix, by = MOLAR[analyte]
        return by * there[1] / Fraction(10) ** PREFIX[prefix]
    return None


@pytest.mark.trust("D1", "H3.1", "P4")
@pytest.mark.parametrize("analyte", sorted({name for name, _ in PAIRS}))
def test_every_unit_of_an_analyte_has_its_exact_factor(analyte):
    for unit, text in ANALYTES[analyte].units.items():
        if plain(unit) in FAHRENHEIT and analyte == "temperature":
            assert text == "fahrenheit"
            continue
        assert oracle(analyte, unit) == factor(text), f"{unit!r}: table {text}"


def test_the_table_is_large_enough_to_mean_something():
    assert len(PAIRS) > 1000
    assert all(a.unit in a.units for a in ANALYTES.values() if a.kind == "number" and a.unit)


@pytest.mark.trust("D1")
@pytest.mark.parametrize("analyte", sorted({name for name, _ in PAIRS}))
def test_no_two_units_meet_in_lower_case_with_different_factors(analyte):
    """Units are matched in lower case without blanks: `M/uL` and `m/uL` must not differ."""
    seen: dict[str, str] = {}
    for unit, text in ANALYTES[analyte].units.items():
        squeezed = unit.replace(" ", "").replace("µ", "u").replace("μ", "u").lower()
        assert seen.setdefault(squeezed, text) == text, unit


# -- a second oracle: UCUM by ucumvert --------------------------------------------------------------

OTHER_IN_UCUM = {
    # what UCUM reads as something else, and why the table is right: reviewed one by one
    "K/uL": "kelvin per microliter in UCUM; 1000 per microliter in every laboratory",
    "K/mm3": "the same per cubic millimeter",
    "G/L": "gauss per liter in UCUM; giga (10*9) per liter in French and German laboratories",
    "T/L": "tesla per liter in UCUM; tera (10*12) per liter there",
    "g%": "gram times percent in UCUM; gram per 100 mL",
    "mg%": "the same in milligrams",
    "U/L": "enzyme unit in UCUM; stands for [IU]/L in erythropoietin reports",
    "[IU]/L": "international unit in UCUM; stands for U/L in enzyme reports",
    "[iU]/L": "the same in its other spelling",
    "mU/L": "enzyme unit in UCUM; stands for m[IU]/L in thyrotropin reports",
    "mU/mL": "the same for erythropoietin",
    "uU/mL": "the same for thyrotropin",
}
ANOTHER_FACTOR = {"mL/min/1.73": "UCUM divides by 1.73; the report means per 1.73 m2"}


@pytest.mark.trust("F10", "P4")
def test_ucum_agrees_where_it_understands():
    ucumvert = pytest.importorskip(
        "ucumvert", reason="ucumvert is a test tool; make setup installs it"
    )
    read = ucumvert.PintUcumRegistry().from_ucum
    compared, other, differs = 0, set(), set()
    for analyte, unit in PAIRS:
        by = ANALYTES[analyte].units[unit]
        try:
            there, here = 1 * read(unit), 1 * read(ANALYTES[analyte].unit)
            same = there.dimensionality == here.dimensionality
        except Exception:  # noqa: S112  (not UCUM, or only an annotation such as {INR})
            continue
        if by == "fahrenheit" or ("mol" in unit and not same):
            continue  # molar units: the mass of a mole is not UCUM's business; the oracle above checks them
        if not same:
            other.add(unit)
            continue
        compared += 1
        if (there / here).to("").magnitude != pytest.approx(float(factor(by)), rel=1e-9):
            differs.add(unit)
    assert compared > 250
    assert (other, differs) == (set(OTHER_IN_UCUM), set(ANOTHER_FACTOR))


# -- D1: what is converted, and what is never guessed -------------------------------------------------

BAD_UNIT, BAD_VALUE = "unit-not-understood", "implausible-value"
D1 = [
    # analyte, value, unit, g/dL or the reason
    ("hemoglobin", 8.4, "g/dL", 8.4),
    ("hemoglobin", 84.0, "g/L", 8.4),
    ("hemoglobin", 84.0, "g/dL", BAD_VALUE),
    ("hemoglobin", 8.4, "g/L", BAD_VALUE),
    ("hemoglobin", 5.2, "mmol/L", 8.38),
    ("hemoglobin", 4.91, "mmol/L", 7.91),
    ("hemoglobin", 1.24, "mmol/L", BAD_VALUE),
    ("hemoglobin", 1.5, "mmol/L", 2.42),
    ("hemoglobin", 1.49, "mmol/L", BAD_VALUE),
    ("hemoglobin", 15.0, "mmol/L", 24.17),
    ("hemoglobin", 15.1, "mmol/L", BAD_VALUE),
    ("hemoglobin", 12.5, "g/mL", BAD_UNIT),
    ("hemoglobin", 8.4, "gm/dl", 8.4),
    ("hemoglobin", 8.4, "g / dl", 8.4),
    ("hemoglobin", 8.4, "G/DL", 8.4),
    ("hemoglobin", 84.0, "g/l-1", BAD_UNIT),
    ("hemoglobin", 8.4, "0", BAD_UNIT),
    ("hemoglobin", 8.4, "", BAD_UNIT),
    ("hemoglobin", 8.4, "mg/dL", BAD_UNIT),
    ("hemoglobin", 8.4, "K/uL", BAD_UNIT),
    ("hemoglobin", 8.4, "%", BAD_UNIT),
    ("hemoglobin", 2.0, "g/dL", 2.0),
    ("hemoglobin", 1.99, "g/dL", BAD_VALUE),
    ("hemoglobin", 25.0, "g/dL", 25.0),
    ("hemoglobin", 25.01, "g/dL", BAD_VALUE),
    ("hemoglobin", -8.0, "g/dL", BAD_VALUE),
    ("hemoglobin", 7.995, "g/dL", 8.0),
    ("platelets", 240.0, "K/uL", 240.0),
    ("platelets", 240.0, "k/ul", 240.0),
    ("platelets", 240000.0, "/uL", 240.0),
    ("platelets", 0.24, "10*6/uL", BAD_UNIT),
    ("platelets", 240.0, "{10*3}/uL", BAD_UNIT),
    ("platelets", 240.0, "g/L", 240.0),
    ("platelets", 3000.0, "10*3/uL", 3000.0),
    ("platelets", 3000.1, "10*3/uL", BAD_VALUE),
    ("platelets", 240.0, "", BAD_UNIT),
    ("mcv", 50.0, "fL", 50.0), ("mcv", 49.9, "fL", BAD_VALUE),
    ("mcv", 150.0, "fL", 150.0), ("mcv", 150.1, "fL", BAD_VALUE),
    ("reticulocytes-percent", 40.0, "%", 40.0), ("reticulocytes-percent", 40.1, "%", BAD_VALUE),
    ("hematocrit", 0.27, "L/L", 27.0), ("hematocrit", 0.27, "1", 27.0),
    ("spo2-limit", 88.0, "%", 88.0), ("spo2-limit", 87.9, "%", BAD_VALUE), ("spo2-limit", 99.1, "%", BAD_VALUE),
    ("temperature", 100.4, "[degF]", 38.0), ("weight", 154.0, "[lb_av]", 69.85322498),
    ("inr", 1.2, "", 1.2), ("haptoglobin", 0.25, "g/L", 25.0), ("fibrinogen", 1.0, "g/L", 100.0),
    ("d-dimer", 0.5, "mg/L{FEU}", 500.0), ("calcium", 2.5, "mmol/L", 10.02), ("crp", 1.0, "mg/dL", 10.0),
]  # fmt: skip


@pytest.mark.trust("D1", "P4", "H3.1")
@pytest.mark.parametrize(
    ("analyte", "value", "unit", "read"), D1, ids=[f"{a} {v:g} {u}" for a, v, u, _ in D1]
)
def test_d1_converted_exactly_or_set_aside_never_guessed(analyte, value, unit, read):
    found = TERMS.value(analyte, value, unit)
    assert found == (read if isinstance(read, str) else pytest.approx(read, rel=1e-12))


@pytest.mark.trust("D1", "D2")
@pytest.mark.parametrize(
    ("value", "unit", "code"),
    [(8.4, "g/mL", BAD_UNIT), (84.0, "g/dL", BAD_VALUE), (8.4, "", BAD_UNIT)],
)
def test_a_value_set_aside_is_not_used_and_is_named(value, unit, code, tmp_path):
    document = bundle(hemoglobin=9.0)
    entry = next(e for e in document["entry"] if e["resource"]["id"] == "hemoglobin-0")
    entry["resource"]["valueQuantity"] = {
        "value": value,
        **({"unit": unit, "code": unit} if unit else {}),
    }
    record = read_bundle(document, tmp_path)
    assert "hemoglobin" not in record.results
    assert [a.code for a in record.set_aside] == [code]
    assert "hemoglobin" in record.set_aside[0].text
