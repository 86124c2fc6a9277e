"""Example patients: the scorer of the output contract, "Expected results files", over every folder.

Folders: `../shared/examples/vignettes` (skipped where it is not there) and `tests/vignettes/*`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from builder import SHARED
from redcell.knowledge.load import knowledge
from redcell.loop import run
from redcell.outputs.assessment import to_json
from redcell.sources.fhir.times import moment
from redcell.sources.read import read

HERE = Path(__file__).parent.parent / "vignettes"
EXAMPLES = SHARED / "examples" / "vignettes"
CONTRACT = SHARED / "contract"
FOLDERS = [EXAMPLES, *sorted(p.parent for p in HERE.glob("*/expected.json"))]
HOURS = 0.25


# -- the scorer ------------------------------------------------------------------------------------


def score(expect: dict[str, Any], out: dict[str, Any]) -> list[str]:
    """What of `expect` the output does not meet; empty when the case passes."""
    return [*_anemia(expect, out), *_causes(expect, out), *_plan(expect, out), *_also(expect, out)]


def _anemia(expect: dict[str, Any], out: dict[str, Any]) -> Iterator[str]:
    anemia = out["anemia"]
    if anemia["status"] not in expect["status_any_of"]:
        yield f"status {anemia['status']}"
    for key in ("ctcae_grade", "ctcae_grade4_prompt"):
        if key in expect and anemia[key] is not expect[key] and anemia[key] != expect[key]:
            yield f"{key} {anemia[key]}, not {expect[key]}"


def _causes(expect: dict[str, Any], out: dict[str, Any]) -> Iterator[str]:
    causes = [c["cause"] for c in out["causes"]]
    leading = expect.get("leading_any_of", causes[:1])
    if causes[:2] != leading and not set(causes[:2]) & set(leading):
        yield f"the first two causes {causes[:2]} hold none of {expect['leading_any_of']}"
    for barred in expect["must_not_lead"]:
        prefix = barred.removesuffix("*")
        if causes and (
            causes[0].startswith(prefix) if barred.endswith("*") else causes[0] == barred
        ):
            yield f"{causes[0]} leads"


def _plan(expect: dict[str, Any], out: dict[str, Any]) -> Iterator[str]:
    plan, level = out["transfusion"], out["urgency"]["level"]
    if plan["decision"] not in expect["decision_any_of"]:
        yield f"decision {plan['decision']} because {plan['because']}"
    if plan["units"] not in expect["units_any_of"]:
        yield f"units {plan['units']}"
    if level not in expect["urgency_any_of"]:
        yield f"urgency {level} because {out['urgency']['because']}"
    hours, chair = expect["chair_hours"], plan["chair_hours"]
    if hours is None or chair is None:
        if hours != chair:
            yield f"chair hours {chair}, not {hours}"
    elif not all(hours[0] - HOURS <= end <= hours[1] + HOURS for end in chair):
        yield f"chair hours {chair}, not within {hours}"
    said = {option["option"]: option for option in out["alternatives"]}
    for wanted in expect["alternatives"]:
        if not any(_advised(said[name], wanted) for name in wanted["options"]):
            yield f"{wanted['options']}: {[said[n]['advice'] for n in wanted['options']]}, not {wanted['advice_any_of']}"


def _advised(option: dict[str, Any], wanted: dict[str, Any]) -> bool:
    disagrees = not wanted.get("disagreements") or bool(option["disagreements"])
    return option["advice"] in wanted["advice_any_of"] and disagrees


def _also(expect: dict[str, Any], out: dict[str, Any]) -> Iterator[str]:
    anemia, plan = out["anemia"], out["transfusion"]
    named = {
        "precaution": {p["code"] for p in plan["precautions"]},
        "warning": {w["code"] for w in out["warnings"]},
        "conversation": {c["id"] for c in out["conversation"]},
        "red_flag": {f["rule"] for f in out["red_flags"]},
    }
    for fact in expect["also"]:
        found = [fact[key] in present for key, present in named.items() if key in fact]
        if "asymptomatic" in fact:
            found.append(anemia["asymptomatic"] is fact["asymptomatic"])
        if "next_cbc_within_days" in fact:
            found.append(_days_to_count(out) <= fact["next_cbc_within_days"])
        if "target" in fact:
            found.append(plan["target"] == fact["target"])
        if "who_adjusted" in fact:
            low, high = fact["who_adjusted"]
            value = anemia["who_adjusted_hemoglobin"]
            found.append(value is not None and low <= value <= high)
        if "who_severity" in fact:
            found.append(anemia["who_severity"] == fact["who_severity"])
        if "symptom" in fact:
            found.append(_symptom(fact, out))
        if not found or not all(found):
            yield f"not so: {fact}"


def _days_to_count(out: dict[str, Any]) -> float:
    due = out["monitoring"]["next_cbc_due"]
    if due is None:
        return float("inf")
    return (date.fromisoformat(due) - date.fromisoformat(out["at"][:10])).days


def _symptom(fact: dict[str, Any], out: dict[str, Any]) -> bool:
    for symptom in out["symptoms"]:
        if symptom["symptom"] == fact["symptom"]:
            allowed = symptom["anemia_contribution"] not in fact.get("contribution_not", [])
            named = "other_cause" not in fact or fact["other_cause"] in symptom["other_causes"]
            return allowed and named
    return False


# -- the cases -------------------------------------------------------------------------------------


def _cases() -> list[Any]:
    if not EXAMPLES.is_dir():
        reason = f"{EXAMPLES} is not here: the example patients are kept beside the repository"
        found = [pytest.param(EXAMPLES, {}, id="shared", marks=pytest.mark.skip(reason=reason))]
    else:
        found = []
    for folder in FOLDERS:
        if folder.is_dir():
            cases = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["cases"]
            found += [
                pytest.param(folder, case, id=f"{folder.name}-{case['file']}") for case in cases
            ]
    return found


@cache
def _output(file: Path) -> dict[str, Any]:
    folder = json.loads((file.parent / "expected.json").read_text(encoding="utf-8"))
    at, _ = moment(folder["at"])
    return json.loads(to_json(run(read(file, base=knowledge()), at, knowledge())))


@pytest.mark.trust("Q5")
@pytest.mark.parametrize(("folder", "case"), _cases())
def test_example_patient(folder, case):
    expect = case["expect"]
    if case.get("info", {}).get("not_expressible", "").startswith("leading_any_of"):
        # `causes` is empty by contract and the schema demands one name: it is a placeholder.
        assert _output(folder / case["file"])["causes"] == []
        expect = {key: value for key, value in expect.items() if key != "leading_any_of"}
    problems = score(expect, _output(folder / case["file"]))
    assert not problems, f"{case['title']}: " + "; ".join(problems)


@cache
def _schemas() -> tuple[dict[str, Any], dict[str, Any], Registry]:
    files = [CONTRACT / "assessment.schema.json", CONTRACT / "expected.schema.json"]
    if not all(file.is_file() for file in files):
        pytest.skip(f"{CONTRACT} is not here: it holds the schemas of the output")
    output, expected = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    known = [(s["$id"], Resource.from_contents(s)) for s in (output, expected)]
    return output, expected, Registry().with_resources(known)


@pytest.mark.parametrize(("folder", "case"), _cases())
def test_the_output_is_valid(folder, case):
    schema, _, registry = _schemas()
    errors = Draft202012Validator(schema, registry=registry).iter_errors(
        _output(folder / case["file"])
    )
    assert [f"{list(e.path)}: {e.message[:200]}" for e in errors] == []


@pytest.mark.parametrize("folder", [f for f in FOLDERS if f.is_dir()], ids=lambda f: f.name)
def test_the_expectations_are_valid(folder):
    _, schema, registry = _schemas()
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    errors = Draft202012Validator(schema, registry=registry).iter_errors(expected)
    assert [f"{list(e.path)}: {e.message[:200]}" for e in errors] == []


@pytest.mark.trust("Q5")
@pytest.mark.parametrize(("folder", "case"), _cases())
def test_the_probabilities_of_the_worked_examples(folder, case):
    """`info` is shown, not judged, by the contract; where it was worked by hand it is a check."""
    worked = case.get("info", {}).get("probabilities", {})
    found = {c["cause"]: c["probability"] for c in _output(folder / case["file"])["causes"]}
    numbers = (
        {k: v for k, v in worked.items() if isinstance(v, (int, float))}
        if isinstance(worked, dict)
        else {}
    )
    assert {k: found.get(k, 0.0) for k in numbers} == pytest.approx(numbers, abs=0.0002)


# -- the scorer itself -----------------------------------------------------------------------------

EXPECT = {
    "status_any_of": ["anemic"], "ctcae_grade": 2, "leading_any_of": ["background"],
    "must_not_lead": ["drug:*"], "decision_any_of": ["consider"], "units_any_of": [1],
    "chair_hours": [1.9, 2.75], "urgency_any_of": ["routine"],
    "alternatives": [{"options": ["esa"], "advice_any_of": ["not-eligible"]}],
    "also": [{"precaution": "group-and-screen"}, {"asymptomatic": True}, {"next_cbc_within_days": 3}],
}  # fmt: skip
OUTPUT = {
    "at": "2026-11-20T09:00:00Z", "causes": [{"cause": "background"}, {"cause": "bleeding"}],
    "anemia": {"status": "anemic", "ctcae_grade": 2, "asymptomatic": True},
    "transfusion": {"decision": "consider", "units": 1, "chair_hours": [1.9, 2.75], "because": [],
                    "precautions": [{"code": "group-and-screen"}]},
    "urgency": {"level": "routine", "because": []}, "symptoms": [], "warnings": [],
    "alternatives": [{"option": "esa", "advice": "not-eligible", "disagreements": []}],
    "conversation": [], "red_flags": [], "monitoring": {"next_cbc_due": "2026-11-23"},
}  # fmt: skip
BREAKS = [
    ({"status_any_of": ["unknown"]}, "status"), ({"ctcae_grade": None}, "ctcae_grade"),
    ({"leading_any_of": ["drug:olaparib"]}, "the first two"), ({"must_not_lead": ["back*"]}, "leads"),
    ({"decision_any_of": ["declined"]}, "decision"), ({"units_any_of": [None]}, "units"),
    ({"urgency_any_of": ["emergency"]}, "urgency"), ({"chair_hours": None}, "chair"),
    ({"chair_hours": [1.9, 2.4]}, "chair"),
    ({"alternatives": [{"options": ["esa"], "advice_any_of": ["not-eligible"], "disagreements": True}]}, "esa"),
    ({"also": [{"precaution": "slow-infusion"}]}, "not so"), ({"also": [{"asymptomatic": False}]}, "not so"),
    ({"also": [{"next_cbc_within_days": 2}]}, "not so"), ({"also": [{"symptom": "fatigue"}]}, "not so"),
]  # fmt: skip


def test_the_scorer_passes_what_meets_the_expectation():
    assert score(EXPECT, OUTPUT) == []
    assert score(EXPECT | {"chair_hours": [2.15, 2.5]}, OUTPUT) == []  # within a quarter of an hour


@pytest.mark.parametrize(
    ("broken", "names"), BREAKS, ids=[f"{b[1]} {n}" for n, b in enumerate(BREAKS)]
)
def test_the_scorer_sees_what_does_not(broken, names):
    assert names in " ".join(score(EXPECT | broken, OUTPUT))
