"""Every number has a source, every source is cited, every entry can be reached, none stands in code."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import redcell
from redcell.codes import ATC, ICD10CM, LOINC, OMOP, REDCELL, RXNORM, SNOMED
from redcell.knowledge.load import FOLDER, knowledge
from redcell.rule import RULES
from redcell.sources.terms import Code, Concept, terms

PACKAGE = Path(redcell.__file__).parent
FILES = sorted(p for p in FOLDER.glob("*.toml") if p.stem not in ("sources", "rules"))
MARKS = ("checked", "unverified", "derived")
CODE = "\n".join(p.read_text(encoding="utf-8") for p in sorted(PACKAGE.rglob("*.py")))
KNOWN = knowledge()
TERMS = terms(KNOWN)


def load(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def sourced(item: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every table, at any depth, that names a source, a mark or a locator."""
    if isinstance(item, dict):
        if {"source", "mark", "locator"} & item.keys():
            yield ".".join(path), item
        for key, inner in item.items():
            yield from sourced(inner, (*path, key))


# -- sources ---------------------------------------------------------------------------------------


@pytest.mark.trust("P6")
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_entry_has_a_source_a_place_and_a_mark(path):
    sources = load(FOLDER / "sources.toml")
    entries = dict(sourced(load(path)))
    assert entries
    for name, entry in entries.items():
        assert entry.get("source") in sources, f"{name}: source {entry.get('source')!r}"
        assert entry.get("mark") in MARKS, f"{name}: mark {entry.get('mark')!r}"
        assert entry.get("locator"), f"{name}: no locator"


COLLECTIONS = [
    ("analytes", "analyte"), ("symptoms", "symptom"), ("conditions", "condition"), ("radiation", "site"),
    ("therapies", "drug"), ("therapies", "ambiguous"), ("therapies", "contributor_group"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "table"), COLLECTIONS, ids=[c[1] for c in COLLECTIONS])
def test_no_entry_goes_without_a_source(file, table):
    for name, entry in load(FOLDER / f"{file}.toml")[table].items():
        assert any(True for _ in sourced(entry)), f"{table}.{name} names no source anywhere"


@pytest.mark.parametrize("key", KNOWN.keys())
def test_every_number_has_a_unit_and_a_meaning(key):
    entry = KNOWN.entry(key)
    assert entry.unit
    assert entry.means
    assert (entry.value is None) is bool(entry.rows)


@pytest.mark.trust("P6")
def test_every_rule_has_sources_that_exist():
    sources = load(FOLDER / "sources.toml")
    for name, rule in KNOWN.rules.items():
        assert rule.sources, name
        assert set(rule.sources) <= set(sources), name
        assert rule.mark in MARKS, name
        assert rule.title, name
        assert rule.locator, name


def test_every_source_is_cited_somewhere():
    cited = {s for rule in KNOWN.rules.values() for s in rule.sources}
    for path in FILES:
        cited |= {entry.get("source") for _, entry in sourced(load(path))}
    assert set(load(FOLDER / "sources.toml")) - cited == set()


# -- numbers ---------------------------------------------------------------------------------------

SPELLED_BY_CODE = {
    # keys that the code puts together: prefix -> where the last word comes from
    "attribution.": 'evidence rows name their ratio: lr("...")',
    "freshness.": "the freshness group of an analyte",
    "washout.": "the class of a drug",
    "pattern.window_": "the group of a growth factor",
    "transfusion.infusion_hours_": "one, slow or two",
    "transfusion.chair_hours_": "one, slow or two",
}


def used(key: str) -> bool:
    if f'"{key}"' in CODE:
        return True
    prefix = next((p for p in SPELLED_BY_CODE if key.startswith(p)), None)
    if prefix is None:
        return False
    word = key.removeprefix(prefix)
    spelled = {f'"{word}"' in CODE, f"'{word}'" in CODE}
    spelled.add(prefix == "freshness." and any(a.group == word for a in KNOWN.analytes.values()))
    spelled.add(prefix == "washout." and any(d.drug_class == word for d in KNOWN.drugs.values()))
    return f'f"{prefix}{{' in CODE and any(spelled)


def test_every_number_is_used():
    assert [key for key in KNOWN.keys() if not used(key)] == []  # noqa: SIM118


@pytest.mark.trust("Q3")
def test_every_number_a_rule_asks_for_exists_and_every_keyword_is_a_number():
    import redcell.loop  # noqa: F401  (loads every rule)

    known = set(KNOWN.keys())
    assert RULES
    for name, spec in RULES.items():
        assert set(spec.numbers.values()) <= known, name


def test_every_rule_id_in_the_code_is_a_rule_of_the_reference():
    cited = set(re.findall(r'@rule\(\s*"([^"]+)"', CODE))
    assert cited
    assert cited - set(KNOWN.rules) == set()
    assert {spec.rule for spec in RULES.values()} <= set(KNOWN.rules)


def test_every_rule_has_a_docstring_that_asks_or_tells():
    for name, spec in RULES.items():
        assert len(spec.doc.strip()) > 10, name


# -- reach -----------------------------------------------------------------------------------------


def concept(system: str, code: str) -> Concept:
    return Concept((Code(system, code),))


@pytest.mark.parametrize("slug", KNOWN.analytes)
def test_every_analyte_is_found_by_its_codes_and_names(slug):
    analyte = KNOWN.analytes[slug]
    coded = [concept(LOINC, c) for c in analyte.loinc] + [
        concept(REDCELL, c) for c in analyte.local
    ]
    assert coded or analyte.text, "no code and no name"
    assert {TERMS.analyte(c) for c in coded} <= {slug}
    for name in analyte.text:
        assert TERMS.analyte_by_name(name, analyte.unit or None) == slug, name
    assert f"freshness.{analyte.group}" in KNOWN.keys()  # noqa: SIM118


@pytest.mark.parametrize("slug", KNOWN.symptoms)
def test_every_symptom_is_found_by_its_codes_and_words(slug):
    symptom = KNOWN.symptoms[slug]
    must_say = KNOWN.file("symptoms")["text_must_say"]["codes"]
    for code in (*symptom.snomed, *symptom.also):
        words = " ".join(must_say.get(code, [])) + " weakness" if code in must_say else ""
        found = TERMS.symptom(Concept((Code(SNOMED, code),), words))
        assert found is not None, code
        assert found.name == slug, code
    for keyword in (*symptom.keywords, *symptom.keywords_whole):
        assert slug in TERMS.symptoms_in(keyword), keyword
    assert set(symptom.rivals) <= set(KNOWN.file("symptoms")["other_causes"]["order"])


READ_ONLY = {"g6pd-deficiency"}
"""In the table of the input contract, but no rule of the reference asks for it."""


@pytest.mark.parametrize("slug", KNOWN.conditions)
def test_every_condition_is_found_by_its_codes_and_words(slug):
    condition = KNOWN.conditions[slug]
    codes = [concept(ICD10CM, span.partition("-")[0]) for span in condition.icd10]
    codes += [concept(SNOMED, code) for code in condition.snomed]
    assert codes or condition.keywords
    for c in codes:
        assert slug in TERMS.meanings(c), str(c)
    for keyword in condition.keywords:
        assert slug in TERMS.meanings(Concept(text=keyword)), keyword
    for span in condition.exclude_icd10:
        assert slug not in TERMS.meanings(concept(ICD10CM, span)), span
    assert slug in READ_ONLY or f'"{slug}"' in CODE, "no rule asks for it"


DRUGS = [slug for slug in KNOWN.drugs if slug not in KNOWN.ambiguous]


@pytest.mark.parametrize("slug", DRUGS)
def test_every_drug_is_found_by_its_codes_and_names(slug):
    drug = KNOWN.drugs[slug]
    coded = [concept(RXNORM, c) for c in drug.rxnorm] + [concept(OMOP, c) for c in drug.omop]
    for c in coded:
        ambiguous = any(c.codes[0].code in a.omop for a in KNOWN.ambiguous.values())
        assert TERMS.drugs(c).slugs == (slug,) or ambiguous, str(c)
    for code in drug.atc:
        named = TERMS.drugs(Concept((Code(ATC, code),), drug.name))
        assert named.slugs == (slug,), code
    for name in (drug.name, *drug.text, *drug.brands):
        assert TERMS.drugs(Concept(text=name)).slugs == (slug,), name
    assert f"washout.{drug.drug_class}" in KNOWN.keys()  # noqa: SIM118


@pytest.mark.parametrize("group", KNOWN.contributors)
def test_every_contributor_is_found_by_its_prefix_and_names(group):
    entry = KNOWN.contributors[group]
    for prefix in entry.atc_prefix:
        (found,) = TERMS.drugs(concept(ATC, prefix)).slugs
        assert found.partition("/")[0] == group, prefix
    for name in entry.text:
        (found,) = TERMS.drugs(Concept(text=name)).slugs
        assert found.partition("/")[0] == group, name


@pytest.mark.trust("S3.2")
@pytest.mark.parametrize("slug", KNOWN.sites)
def test_every_radiation_site_is_found_by_its_codes_and_names(slug):
    site = KNOWN.sites[slug]
    for code in site.snomed:
        assert [p.site for p in TERMS.places(concept(SNOMED, code))] == [slug], code
    for name in site.text:
        assert [p.site for p in TERMS.places(Concept(text=name))] == [slug], name
    for code in site.snomed_if_text:
        assert TERMS.places(concept(SNOMED, code))[0].site is None
        assert TERMS.places(Concept((Code(SNOMED, code),), "cervical vertebra"))[0].site == slug


def test_the_marrow_of_the_bony_regions_adds_up_to_the_table_total():
    whole = {KNOWN.sites[slug].group or slug for slug in KNOWN.sites} - {"whole-body", "chest-wall"}
    shares = {g: max(s.share for n, s in KNOWN.sites.items() if (s.group or n) == g) for g in whole}
    assert sum(shares.values()) == pytest.approx(KNOWN.value("radiation.table_total"))


# -- no clinical number in code --------------------------------------------------------------------

PLAIN = {0, 1, -1, 2, 100}
"""Counting, signs, squares and pairs, percent."""
NAMED = {
    # constants of arithmetic and of scales that cannot be moved: module, value -> why
    ("findings/contradictions.py", 10): "thousandths in a hundredth",
    ("findings/derived.py", 86400.0): "seconds in a day",
    ("findings/red_flags/emergencies.py", 60): "seconds in a minute",
    ("findings/red_flags/emergencies.py", 6): "decimals beyond those of any count",
    ("findings/red_flags/alarm.py", 3): "PRO-CTCAE grade 3, severe: a point of the scale",
    ("findings/surveillance/rules.py", 3): "CTCAE grade 3: a point of the scale",
    ("plan/bloodwork.py", 3): "CTCAE grade 3: a point of the scale",
    ("plan/transfusion/rules.py", 10.0): "deciliters in a liter",
    ("plan/transfusion/rules.py", 3): "Nadler: height to the third power",
    ("loop.py", 18): "every threshold is for adults: the scope of the program, not a threshold",
}
ROUNDING = ("half_up", "round", "plain")
"""Functions whose second argument counts decimals."""
JUDGING = [
    *sorted((PACKAGE / "findings").rglob("*.py")),
    *sorted((PACKAGE / "plan").rglob("*.py")),
    PACKAGE / "loop.py",
]


def constants(path: Path) -> Iterator[tuple[int, float]]:
    """Line and value of every number in a module, but for the decimals of a rounding."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    decimals = {
        id(node.args[1])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        and node.func.id in ROUNDING and len(node.args) > 1
    }  # fmt: skip
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and type(node.value) in (int, float)
            and id(node) not in decimals
        ):
            yield node.lineno, node.value


@pytest.mark.trust("Q4")
@pytest.mark.parametrize("path", JUDGING, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_clinical_number_stands_in_the_code(path):
    name = path.relative_to(PACKAGE).as_posix()
    found = [
        (line, value)
        for line, value in constants(path)
        if value not in PLAIN and (name, value) not in NAMED
    ]
    assert found == [], f"{name}: a number belongs in knowledge/, with its unit and source"


def test_the_allowed_constants_are_still_there():
    there = {(p.relative_to(PACKAGE).as_posix(), v) for p in JUDGING for _, v in constants(p)}
    assert set(NAMED) <= there
