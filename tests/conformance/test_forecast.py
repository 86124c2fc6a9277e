"""The forecast in JSON against its published schema, and in FHIR against R4."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec.structs import replace

import redcell
from conformance import test_fhir_output as r4
from predictions import (
    OKAFOR_AT,
    attribution,
    cells,
    course,
    forecast_of,
    prediction,
    quiet,
    what_if,
    withheld,
)
from redcell.loop import Steps
from redcell.outputs import forecast as forecast_output
from redcell.outputs.assessment import to_dict
from redcell.outputs.fhir import to_bundle, to_json
from redcell.outputs.forecast import forecast_dict, forecast_json, what_if_dict
from redcell.prediction import Flag, Prediction, Withheld

SCHEMA = Path(str(forecast_output.__file__)).parents[1] / "forecast.schema.json"
CASES = {
    "full": prediction(),
    "quiet": quiet(),
    "every flag": prediction(flags=get_args(Flag)),
    "nothing but days": prediction(
        transfusions=None, attribution=None, next_count=None, p_below={}, fitted=(),
        p_below_threshold_by_next_visit=None, version={}, flags=(),
    ),
    "one day": prediction(days=course(1), transfusions=cells(within_days=1)),
    "no leader": prediction(attribution=attribution(leading=None, drift_bayes_factor=None)),
    **{f"withheld: {reason}": withheld(reason) for reason in get_args(Withheld)},
}  # fmt: skip

RISK = {
    "RiskAssessment": f"{r4.DOMAIN} status!code=registered,preliminary,final,amended,corrected,"
    "cancelled,entered-in-error,unknown method?CodeableConcept code?CodeableConcept "
    "subject!Reference(Patient,Group) occurrenceDateTime?dateTime "
    "performer?Reference(Practitioner,PractitionerRole,Device) basis*Reference "
    "prediction*RiskAssessment.prediction note*Annotation",
    "RiskAssessment.prediction": "outcome?CodeableConcept probabilityDecimal?decimal "
    "whenPeriod?Period rationale?string",
}
"""R4 4.0.1: the elements of RiskAssessment that redcell writes."""


@pytest.fixture(params=CASES)
def found(request: pytest.FixtureRequest) -> Prediction:
    return CASES[request.param]


@pytest.fixture(scope="module")
def okafor() -> Steps:
    steps = redcell.assess(redcell.read("demo::okafor"), at=OKAFOR_AT).steps
    return replace(steps, forecast=None)


@pytest.fixture(autouse=True)
def _known_to_the_checker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, row in RISK.items():
        monkeypatch.setitem(r4.SHAPES, name, row)


def valid(item: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(item)


def risks(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    return r4.resources(bundle, "RiskAssessment")


# -- JSON ------------------------------------------------------------------------------------------


def test_follows_its_schema(found: Prediction, okafor: Steps) -> None:
    valid(json.loads(forecast_json(found)))
    valid(json.loads(forecast_json(found, okafor)))


def test_the_assessment_with_a_forecast_follows_the_contract(
    found: Prediction, okafor: Steps, shared: Path
) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    contract = json.loads((shared / "contract" / "assessment.schema.json").read_bytes())
    out = to_dict(forecast_of(okafor, found))
    jsonschema.Draft202012Validator(contract).validate(out)
    assert out["forecast"] == forecast_dict(found, okafor)


def test_both_forecasts_of_a_what_if_follow_the_schema() -> None:
    out = what_if_dict(what_if())
    valid(out["planned"])
    valid(out["changed"])


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1}, {"status": "perhaps"}, {"reason": "no-counts"}, {"days": []},
        {"seed": None}, {"p_hb_below": {"7": 1.2, "8": 0.1}}, {"flags": [{"code": "x", "text": "y"}]},
    ],
)  # fmt: skip
def test_the_schema_is_strict(change: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    with pytest.raises(jsonschema.ValidationError):
        valid(forecast_dict(prediction()) | change)


def test_the_schema_lists_every_code() -> None:
    known = json.loads(SCHEMA.read_bytes())["$defs"]
    assert tuple(known["flag"]["enum"]) == get_args(Flag)
    assert tuple(known["withheld"]["enum"]) == get_args(Withheld)


def test_what_the_model_makes_follows_the_schema() -> None:
    steps = redcell.assess(redcell.read("demo::okafor"), at=OKAFOR_AT).steps
    assert steps.forecast is not None
    valid(to_dict(steps)["forecast"])
    assert list(r4.resource_problems(to_bundle(steps))) == []


# -- FHIR ------------------------------------------------------------------------------------------


def test_the_bundle_follows_r4(found: Prediction, okafor: Steps) -> None:
    assert list(r4.resource_problems(to_bundle(forecast_of(okafor, found)))) == []


def test_fhir_resources_reads_it(found: Prediction, okafor: Steps) -> None:
    models = pytest.importorskip("fhir.resources.R4B.bundle")
    data = to_json(forecast_of(okafor, found))
    assert len(models.Bundle.model_validate_json(data).entry) == len(json.loads(data)["entry"])


def test_only_a_forecast_gives_a_risk_assessment(found: Prediction, okafor: Steps) -> None:
    bundle = to_bundle(forecast_of(okafor, found))
    assert len(risks(bundle)) == (found.status == "ok")
    targets = r4.resources(bundle, "Provenance")[0]["target"]
    assert len(targets) == len(bundle["entry"]) - 1


def test_probabilities_are_percentages_with_their_period(okafor: Steps) -> None:
    (risk,) = risks(to_bundle(forecast_of(okafor, prediction())))
    said = {p["outcome"]["coding"][0]["code"]: p for p in risk["prediction"]}
    assert {code: p["probabilityDecimal"] for code, p in said.items()} == {
        "hemoglobin-below-7": 56.1,
        "hemoglobin-below-8": 99.5,
        "red-cell-transfusion": 61.5,
    }
    for p in said.values():
        assert p["whenPeriod"] == {"start": OKAFOR_AT, "end": "2026-12-20T09:00:00Z"}
    assert said["red-cell-transfusion"]["outcome"]["text"].endswith("threshold of 7 g/dL")


def test_it_says_that_it_is_not_validated_and_names_method_and_basis(okafor: Steps) -> None:
    (risk,) = risks(to_bundle(forecast_of(okafor, prediction())))
    assert risk["status"] == "final"
    assert "never changes the decision" in risk["note"][0]["text"]
    assert "not validated in people with metastatic breast cancer" in risk["note"][0]["text"]
    assert "seed 20261122" in risk["method"]["text"]
    record = okafor.case.record
    counts = [m.reference for m in record.results["hemoglobin"]]
    basis = [b["reference"] for b in risk["basis"]]
    assert basis[: len(counts)] == counts
    assert {t.reference for t in record.transfusions} <= set(basis)


def test_references_resolve_or_point_to_the_record(okafor: Steps) -> None:
    bundle = to_bundle(forecast_of(okafor, prediction()))
    data = Path(redcell.__file__).parent / "examples" / "okafor.json"
    given = r4.resources(json.loads(data.read_bytes()))
    known = {f"{r['resourceType']}/{r['id']}" for r in given}
    known |= {e["fullUrl"] for e in bundle["entry"]}
    assert set(r4.resource_references(bundle)) <= known


def test_filed_in_the_chart_it_is_no_prognosis(okafor: Steps, tmp_path: Path) -> None:
    alone = tmp_path / "alone.json"
    alone.write_bytes(to_json(forecast_of(okafor, prediction())))
    again = redcell.assess(redcell.read(alone), at=OKAFOR_AT)
    assert not again.steps.transfusion.last_weeks.value
    assert again.hemoglobin_g_dl is None
