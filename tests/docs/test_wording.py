"""Every rule, reason and code has a sentence, and the sentences that come out read well."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

import redcell
import redcell.findings
import redcell.loop
import redcell.plan
from redcell.findings.causes.names import ORDER
from redcell.findings.red_flags import LEVELS, Alarm, Urgency
from redcell.findings.surveillance import Mismatch
from redcell.knowledge.load import knowledge
from redcell.outputs.assessment import to_dict
from redcell.plan.alternatives import OPTIONS, Counsel
from redcell.plan.bloodwork import Due
from redcell.plan.transfusion import Verdict
from redcell.rule import RULES, Finding, Unassessed

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
SHARED = ROOT.parent / "shared"
VIGNETTES = sorted((SHARED / "examples" / "vignettes").glob("[0-9]*.json"))
EXAMPLES = sorted((ROOT / "src" / "redcell" / "examples").glob("*.json"))
SCHEMA = SHARED / "contract" / "assessment.schema.json"

SENTENCES: dict[str, dict[str, str]] = knowledge().wording("findings")
LABELS: dict[str, dict[str, str]] = knowledge().wording("labels")
CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
REASON = re.compile(r"(iron|b12|folate|esa|dose|flag|treat|look_for|diet|infection)_[a-z0-9_]+")
RULE_ID = re.compile(r"[A-Z]\d+[a-z]?(-[A-Z]?\d*)?|W\d+|S-R\d+")


# -- what the code can say ---------------------------------------------------------------------


def _modules() -> Iterator[types.ModuleType]:
    for package in (redcell.findings, redcell.plan):
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            yield importlib.import_module(found.name)


def _functions() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    for module in _modules():
        for item in vars(module).values():
            spec = getattr(item, "spec", None)
            if spec is not None and hasattr(item, "__wrapped__"):
                found[spec.name] = item.__wrapped__
    return found


FUNCTIONS = _functions()


def _tree(function: Callable[..., Any]) -> ast.AST:
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def _texts(node: ast.AST) -> list[str]:
    return [
        n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]


def _clauses(function: Callable[..., Any]) -> set[str]:
    """Names under which a rule's alarm can fire: keywords of `alarm`, keys of its dictionaries."""
    found: set[str] = set()
    for node in ast.walk(_tree(function)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "alarm":
            found |= {k.arg for k in node.keywords if k.arg}
        if isinstance(node, ast.Dict):
            found |= {k.value for k in node.keys if isinstance(k, ast.Constant)}
    return found


def _first_rules(function: Callable[..., Any]) -> set[str]:
    """The first rule of every tuple of rule ids in a function."""
    found: set[str] = set()
    for node in ast.walk(_tree(function)):
        if isinstance(node, ast.Tuple) and node.elts:
            texts = [e.value for e in node.elts if isinstance(e, ast.Constant)]
            if len(texts) == len(node.elts) and all(
                isinstance(t, str) and RULE_ID.fullmatch(t) for t in texts
            ):
                found.add(texts[0])
    return found


def _returned(function: Callable[..., Any]) -> set[str]:
    """Words that a function returns: written out, or constants of its module."""
    found: set[str] = set()
    for node in ast.walk(_tree(function)):
        if isinstance(node, ast.Return) and node.value is not None:
            found |= set(_texts(node.value))
            names = [n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)]
            named = (function.__globals__.get(name) for name in names)
            found |= {value for value in named if isinstance(value, str)}
    return found


def _members(hint: Any) -> Iterator[Any]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        for inner in typing.get_args(hint):
            yield from _members(inner)
    else:
        yield hint


FIXED: dict[Any, set[str]] = {
    Urgency: set(LEVELS),
    Mismatch: set(typing.get_args(typing.get_type_hints(Mismatch)["said"])),
}
"""Answers that say one of a closed list of words."""


def _keys_of(name: str, hint: Any) -> set[str]:
    """The wording keys that an answer of this type can choose."""
    function = FUNCTIONS[name]
    if hint is Alarm:
        return _clauses(function) | {"no"}
    if hint in FIXED:
        return FIXED[hint]
    if hint is Due:
        return _first_rules(function)
    if hint is Verdict:
        inherited = _first_rules(FUNCTIONS["transfusion.settled_before_count"])
        return _first_rules(function) | (inherited if name.endswith(".decide") else set())
    if hint is bool:
        return {"yes", "no"}
    if hint is type(None):
        return {"unknown"}
    if hint is Unassessed:
        return {"unassessed"}
    if typing.get_origin(hint) is typing.Literal:
        return set(typing.get_args(hint))
    if hint is str:
        return {key or "text" for key in _returned(function)}
    return {"text"}


def expected_keys(name: str) -> set[str]:
    """Every wording key that a rule's answer can choose."""
    hints = typing.get_type_hints(FUNCTIONS[name])
    return {key for hint in _members(hints["return"]) for key in _keys_of(name, hint)}


def _constants(module: str) -> list[str]:
    source = Path(str(importlib.import_module(module).__file__)).read_text(encoding="utf-8")
    return _texts(ast.parse(source))


def _tuple_heads(module: str) -> set[str]:
    """First words of the triples that a module chooses from."""
    source = Path(str(importlib.import_module(module).__file__)).read_text(encoding="utf-8")
    return {
        node.elts[0].value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Tuple)
        and len(node.elts) == 3
        and isinstance(node.elts[0], ast.Constant)
        and CODE.fullmatch(str(node.elts[0].value))
    }


def _names(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


# -- every rule speaks -------------------------------------------------------------------------


def test_every_rule_function_was_found() -> None:
    assert set(FUNCTIONS) == set(RULES)


def test_every_rule_has_a_table_and_no_table_lacks_a_rule() -> None:
    assert set(SENTENCES) == set(RULES)


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_has_one_sentence_for_each_answer_and_none_besides(name: str) -> None:
    assert set(SENTENCES[name]) == expected_keys(name)


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_sentence_names_only_what_its_rule_was_given(name: str) -> None:
    spec = RULES[name]
    allowed = {*spec.arguments, *spec.numbers, "answer"}
    for key, sentence in SENTENCES[name].items():
        assert _names(sentence) <= allowed, f"{name}.{key}"


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_sentence_shows_no_number_without_a_unit_people_read(name: str) -> None:
    """A ratio prints as "2 1" and a counted thing as "2 {rules}": such numbers stay unsaid."""
    numbers = RULES[name].numbers
    for key, sentence in SENTENCES[name].items():
        for used in _names(sentence) & set(numbers):
            entry = knowledge().number(numbers[used])
            assert not entry.rows, f"{name}.{key}: {used} is a table"
            assert entry.unit != "1", f"{name}.{key}: {used} is a ratio"
            assert "{" not in entry.unit, f"{name}.{key}: {used} is in {entry.unit}"


@pytest.mark.parametrize(
    ("place", "sentence"),
    [(f"{name}.{key}", text) for name, table in SENTENCES.items() for key, text in table.items()],
)
def test_a_sentence_reads_well_when_nothing_is_known(place: str, sentence: str) -> None:
    said = sentence.format_map(dict.fromkeys(_names(sentence), "not known"))
    assert sentence[0].isupper(), place
    assert said.endswith("."), place
    assert "  " not in said, place
    assert "not known not known" not in said, place
    assert "—" not in said, place


# -- every label and fixed sentence ------------------------------------------------------------


def test_every_reason_for_an_option_has_a_sentence() -> None:
    said = {
        text
        for module in ("rules", "picks")
        for text in _constants(f"redcell.plan.alternatives.{module}")
        if REASON.fullmatch(text)
    }
    left_out = {"background", "radiotherapy", "inflammation", "specimen-error"}
    said |= {f"treat_{cause.replace('-', '_')}" for cause in ORDER if cause not in left_out}
    said -= set(LABELS["disagreement"])
    assert said == set(LABELS["because"])


def test_every_disagreement_has_a_sentence() -> None:
    assert set(LABELS["disagreement"]) == {"iron_functional", "esa_parp"}


def test_every_precaution_has_a_sentence_and_a_short_label() -> None:
    made = {t for t in _constants("redcell.plan.transfusion.precautions") if CODE.fullmatch(t)}
    made -= {"sickle-cell-disease"}
    assert made
    assert made <= set(LABELS["precaution"])
    assert set(LABELS["precaution"]) == set(LABELS["precaution_label"])
    for code, label in LABELS["precaution_label"].items():
        assert len(label.split()) <= 6, code


def test_every_topic_of_conversation_has_a_sentence() -> None:
    assert _tuple_heads("redcell.plan.conversation") | {"vitals-today"} <= set(
        LABELS["conversation"]
    )


def test_every_topic_of_conversation_has_a_short_label() -> None:
    assert set(LABELS["conversation_label"]) | {"vitals-today"} == set(LABELS["conversation"])


def test_every_warning_from_the_findings_has_a_sentence() -> None:
    assert _tuple_heads("redcell.outputs.warnings") <= set(LABELS["warning"])


def test_every_cause_level_option_and_gap_has_a_label() -> None:
    from redcell.findings.gaps import LISTED

    assert set(LABELS["cause"]) == {*ORDER, "possible-thalassemia"}
    assert set(LABELS["urgency"]) == set(LABELS["urgency_meaning"]) == set(LEVELS)
    assert set(LABELS["option"]) == {*OPTIONS, "the-drug"}
    assert set(LABELS["advice"]) == set(typing.get_args(typing.get_type_hints(Counsel)["advice"]))
    assert set(LABELS["decision"]) == set(
        typing.get_args(typing.get_type_hints(Verdict)["decision"])
    )
    assert set(LABELS["not_assessed"]) == set(LISTED)


def test_every_way_to_reassess_has_a_sentence() -> None:
    decisions = set(typing.get_args(typing.get_type_hints(Verdict)["decision"]))
    assert set(LABELS["reassess"]) == {*decisions, "two_units", "T13a", "T35", "T36", "T37"}


FILLED = {
    "because": {"drugs", "label", "restart"},
    "reassess": {"day"},
    "conversation": {"due", "unconfirmed", "flags", "drugs"},
}


@pytest.mark.parametrize("topic", sorted(LABELS))
def test_a_fixed_sentence_names_only_what_the_output_fills(topic: str) -> None:
    for key, sentence in LABELS[topic].items():
        assert _names(sentence) <= FILLED.get(topic, set()), f"{topic}.{key}"
        assert "  " not in sentence, f"{topic}.{key}"


@pytest.mark.skipif(not SCHEMA.exists(), reason="the contract is not beside this checkout")
@pytest.mark.parametrize(
    ("closed", "topic"),
    [
        ("urgency", "urgency"),
        ("decision", "decision"),
        ("option", "option"),
        ("advice", "advice"),
        ("precaution", "precaution"),
        ("conversation", "conversation"),
        ("not_assessed", "not_assessed"),
        ("self_care", "self_care_label"),
    ],
)
def test_the_contracts_closed_lists_are_all_named(closed: str, topic: str) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert set(schema["$defs"][closed]["enum"]) <= set(LABELS[topic])


def test_what_must_be_said_is_said() -> None:
    undecided = LABELS["precaution"]["hematology-decides"]
    assert "no red-cell advice" in undecided
    assert "not a judgment that blood is not needed" in undecided
    assert "A count is needed" in LABELS["reassess"]["T36"]
    assert "between" in LABELS["reassess"]["two_units"]
    for said in (
        SENTENCES["red_flags.wrong_result"]["suspect"],
        SENTENCES["red_flags.specimen_suspect"]["yes"],
        SENTENCES["causes.specimen_error"]["yes"],
        SENTENCES["surveillance.delta_check"]["text"],
        LABELS["conversation"]["repeat-specimen"],
        LABELS["warning"]["delta-check-failed"],
    ):
        assert "cannot be told from dilution" in said


def test_only_one_reason_says_that_iron_will_not_help_because_of_treatment() -> None:
    every = {
        f"{topic}.{key}": text for topic, table in LABELS.items() for key, text in table.items()
    } | {f"{name}.{key}": t for name, table in SENTENCES.items() for key, t in table.items()}
    telling = [k for k, t in every.items() if "unlikely to raise the count" in t]
    assert telling == ["because.iron_enough_treatment"]


# -- what comes out ----------------------------------------------------------------------------

MOMENTS = {"vignettes": "2026-11-20T09:00:00Z", "examples": "2026-11-22T09:00:00Z"}
SPOKEN = frozenset({"statement", "text", "reassess", "label", "because", "disagreements"})


def _spoken(node: Any, key: str = "") -> Iterator[str]:
    if isinstance(node, str):
        if key in SPOKEN:
            yield node
    elif isinstance(node, dict):
        for name, value in node.items():
            yield from _spoken(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from _spoken(value, key)


@pytest.fixture(scope="module", params=[*VIGNETTES, *EXAMPLES], ids=lambda path: path.stem)
def review(request: pytest.FixtureRequest) -> redcell.Review:
    path: Path = request.param
    return redcell.assess(redcell.read(path), at=MOMENTS[path.parent.name])


def test_no_output_text_shows_its_machinery(review: redcell.Review) -> None:
    for text in _spoken(to_dict(review.steps)):
        for flaw in ("{", "}", "None", "not known not known", "  ", " ,", " .", "..", "()"):
            assert flaw not in text, text


def test_every_spoken_field_is_filled(review: redcell.Review) -> None:
    out = to_dict(review.steps)
    assert all(f["statement"] for f in (*out["findings"], *out["red_flags"]))
    assert all(p["text"] for p in out["transfusion"]["precautions"])
    assert all(o["because"] and all(o["because"]) for o in out["alternatives"])
    assert all(t["text"] for t in (*out["conversation"], *out["warnings"]))


def test_a_finding_never_falls_back_to_its_docstring(review: redcell.Review) -> None:
    from redcell.outputs.explain import all_findings
    from redcell.outputs.speech import Speech

    speech = Speech(knowledge())
    for finding in all_findings(review.steps):
        assert isinstance(finding, Finding)
        said = speech.statement(finding)
        question = finding.spec.doc.strip().splitlines()[0]
        assert not said.startswith(question), finding.name


@pytest.mark.trust("H6.3", "S3.4")
def test_no_single_cause_is_named_below_the_limit(review: redcell.Review) -> None:
    out = to_dict(review.steps)
    if out["causes"] and out["causes"][0]["probability"] < 0.6:
        for text in _spoken(out):
            assert not re.search(r"\b(is|are) (the|what) (cause|reason|causing)", text), text
            assert not re.search(r"\bcaused by\b", text), text


@pytest.mark.trust("H12.2", "S5.2")
def test_iron_is_called_unlikely_to_help_only_where_it_is_known_to_be_enough(
    review: redcell.Review,
) -> None:
    steps = review.steps
    told = any("unlikely to raise the count" in t for t in _spoken(to_dict(steps)["alternatives"]))
    if told:
        leading = steps.causes.leading
        assert steps.stores.iron_class == "replete"
        assert leading is not None
        assert leading.drug is not None
        assert not {"ferritin", "tsat"} & set(steps.gaps)
