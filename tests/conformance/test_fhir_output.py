"""The FHIR output: R4 4.0.1 rules, references, sameness, and that redcell can read it again.

`fhir.resources` models R4B, so the tables below hold what R4 4.0.1 itself says about the elements
that redcell writes: cardinality, type, required value set, reference targets. An element that is
not in the table fails; it is added from the specification, with its row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import redcell
from redcell.api import Review
from redcell.errors import DeceasedPatientError, UnderageError
from redcell.knowledge.load import knowledge
from redcell.outputs.fhir import to_bundle, to_json
from redcell.outputs.fhir.parts import clean, narrative, pruned, source

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "src" / "redcell" / "examples"
VIGNETTES = ROOT.parent / "shared" / "examples" / "vignettes"
AT = "2026-11-22T09:00:00Z"

# -- R4 4.0.1 ------------------------------------------------------------------------------------
# One row per element: name, cardinality (! 1..1, ? 0..1, * 0..*, + 1..*), types; a code with its
# required value set after "=", a Reference with its targets in parentheses.

DOMAIN = "meta?Meta text?Narrative"
SHAPES = {
    "Bundle": "meta?Meta type!code=document,message,transaction,transaction-response,batch,"
    "batch-response,history,searchset,collection timestamp?instant entry*Bundle.entry",
    "Bundle.entry": "fullUrl?uri resource?Resource",
    "ClinicalImpression": f"{DOMAIN} status!code=in-progress,completed,entered-in-error "
    "code?CodeableConcept subject!Reference(Patient,Group) effectiveDateTime?dateTime "
    "date?dateTime investigation*ClinicalImpression.investigation summary?string "
    "finding*ClinicalImpression.finding supportingInfo*Reference note*Annotation",
    "ClinicalImpression.investigation": "code!CodeableConcept item*Reference(Observation,"
    "QuestionnaireResponse,FamilyMemberHistory,DiagnosticReport,RiskAssessment,ImagingStudy,Media)",
    "ClinicalImpression.finding": "itemCodeableConcept?CodeableConcept "
    "itemReference?Reference(Condition,Observation,Media) basis?string",
    "Observation": f"{DOMAIN} status!code=registered,preliminary,final,amended,corrected,"
    "cancelled,entered-in-error,unknown category*CodeableConcept code!CodeableConcept "
    "subject?Reference(Patient,Group,Device,Location) effectiveDateTime?dateTime "
    "effectivePeriod?Period issued?instant valueQuantity?Quantity valueInteger?integer "
    "valueCodeableConcept?CodeableConcept interpretation*CodeableConcept note*Annotation "
    "method?CodeableConcept device?Reference(Device,DeviceMetric) derivedFrom*Reference("
    "DocumentReference,ImagingStudy,Media,QuestionnaireResponse,Observation,MolecularSequence) "
    "component*Observation.component",
    "Observation.component": "code!CodeableConcept valueQuantity?Quantity",
    "DetectedIssue": f"{DOMAIN} status!code=registered,preliminary,final,amended,corrected,"
    "cancelled,entered-in-error,unknown code?CodeableConcept severity?code=high,moderate,low "
    "patient?Reference(Patient) identifiedDateTime?dateTime author?Reference(Practitioner,"
    "PractitionerRole,Device) implicated*Reference evidence*DetectedIssue.evidence detail?string",
    "DetectedIssue.evidence": "code*CodeableConcept detail*Reference",
    "CarePlan": f"{DOMAIN} status!code=draft,active,on-hold,revoked,completed,entered-in-error,"
    "unknown intent!code=proposal,plan,order,option category*CodeableConcept title?string "
    "subject!Reference(Patient,Group) created?dateTime author?Reference(Patient,Practitioner,"
    "PractitionerRole,Device,RelatedPerson,Organization,CareTeam) supportingInfo*Reference "
    "activity*CarePlan.activity",
    "CarePlan.activity": "detail?CarePlan.activity.detail",
    "CarePlan.activity.detail": "kind?code=Appointment,CommunicationRequest,DeviceRequest,"
    "MedicationRequest,NutritionOrder,Task,ServiceRequest,VisionPrescription "
    "code?CodeableConcept reasonReference*Reference(Condition,Observation,DiagnosticReport,"
    "DocumentReference) status!code=not-started,scheduled,in-progress,on-hold,completed,"
    "cancelled,stopped,unknown,entered-in-error scheduledTiming?Timing description?string",
    "ServiceRequest": f"{DOMAIN} requisition?Identifier status!code=draft,active,on-hold,revoked,"
    "completed,entered-in-error,unknown intent!code=proposal,plan,directive,order,original-order,"
    "reflex-order,filler-order,instance-order,option category*CodeableConcept "
    "priority?code=routine,urgent,asap,stat code?CodeableConcept orderDetail*CodeableConcept "
    "quantityQuantity?Quantity subject!Reference(Patient,Group,Location,Device) "
    "occurrenceDateTime?dateTime authoredOn?dateTime requester?Reference(Practitioner,"
    "PractitionerRole,Organization,Patient,RelatedPerson,Device) "
    "basedOn*Reference(CarePlan,ServiceRequest,MedicationRequest) reasonCode*CodeableConcept "
    "reasonReference*Reference(Condition,Observation,DiagnosticReport,DocumentReference) "
    "supportingInfo*Reference note*Annotation",
    "RiskAssessment": f"{DOMAIN} status!code=registered,preliminary,final,amended,corrected,"
    "cancelled,entered-in-error,unknown method?CodeableConcept code?CodeableConcept "
    "subject!Reference(Patient,Group) occurrenceDateTime?dateTime "
    "performer?Reference(Practitioner,PractitionerRole,Device) basis*Reference "
    "prediction*RiskAssessment.prediction note*Annotation",
    "RiskAssessment.prediction": "outcome?CodeableConcept probabilityDecimal?decimal "
    "whenPeriod?Period rationale?string",
    "Provenance": f"{DOMAIN} target+Reference occurredDateTime?dateTime recorded!instant "
    "policy*uri activity?CodeableConcept agent+Provenance.agent entity*Provenance.entity",
    "Provenance.agent": "type?CodeableConcept who!Reference(Practitioner,PractitionerRole,"
    "RelatedPerson,Patient,Device,Organization)",
    "Provenance.entity": "role!code=derivation,revision,quotation,source,removal what!Reference",
    "Meta": "source?uri",
    "Narrative": "status!code=generated,extensions,additional,empty div!xhtml",
    "Identifier": "system?uri value?string",
    "CodeableConcept": "coding*Coding text?string",
    "Coding": "system?uri code?code display?string",
    "Quantity": "value?decimal unit?string system?uri code?code",
    "Period": "start?dateTime end?dateTime",
    "Annotation": "authorString?string time?dateTime text!markdown",
    "Timing": "event*dateTime",
    "Reference": "reference?string type?uri identifier?Identifier display?string",
}
ROW = re.compile(r"([A-Za-z]+)([!?*+])([A-Za-z.]+)(?:\(([^)]*)\))?(?:=(\S+))?")

DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
CLOCK = r"T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]((0\d|1[0-3]):[0-5]\d|14:00))"
PRIMITIVES = {
    "string": r"[ \r\n\t\S]+",
    "markdown": r"\s*(\S|\s)*",
    "code": r"[^\s]+(\s[^\s]+)*",
    "uri": r"[a-z][a-z0-9+.-]*:\S+|Device|[A-Z][A-Za-z]+",
    "instant": DAY + CLOCK,
    "dateTime": rf"\d{{4}}(-(0[1-9]|1[0-2]))?|{DAY}|{DAY}{CLOCK}",
}
ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
XHTML = "{http://www.w3.org/1999/xhtml}"
CHOICES = ("value", "effective")


def problems(item: Json, shape: str, path: str) -> Iterator[str]:
    """Everything in one element or resource that R4 4.0.1 does not allow."""
    rows = {m[1]: m for m in ROW.finditer(SHAPES[shape])}
    for name, row in rows.items():
        if row[2] in "!+" and name not in item:
            yield f"{path}.{name}: required"
    for name, value in item.items():
        if name == "id" or (name == "resourceType" and "." not in shape):
            continue
        if name not in rows:
            yield f"{path}.{name}: not an element of {shape} in the table"
            continue
        row = rows[name]
        if (row[2] in "*+") != isinstance(value, list):
            yield f"{path}.{name}: cardinality"
            continue
        for inner in value if isinstance(value, list) else [value]:
            yield from typed(inner, row, f"{path}.{name}")
    for stem in CHOICES:
        found = [name for name in item if re.fullmatch(stem + r"[A-Z]\w+", name)]
        if len(found) > 1:
            yield f"{path}: {stem}[x] more than once: {found}"


def typed(value: Any, row: re.Match[str], path: str) -> Iterator[str]:
    """Problems of one value with its type, value set and targets."""
    kind = row[3]
    if kind == "Resource":
        yield from resource_problems(value)
    elif kind in SHAPES and isinstance(value, dict):
        yield from problems(value, kind, f"{path}({kind})")
        if row[4] and target(value) not in (*row[4].split(","), ""):
            yield f"{path}: {target(value)} is not one of {row[4]}"
    elif kind == "xhtml":
        yield from xhtml_problems(value, path)
    elif not fits(value, kind):
        yield f"{path}: {value!r} is not a {kind}"
    if row[5] and value not in row[5].split(","):
        yield f"{path}: {value!r} is not in {row[5]}"


def fits(value: Any, kind: str) -> bool:
    if kind == "integer":
        return type(value) is int
    if kind == "decimal":
        return type(value) in (int, float) and value == value  # noqa: PLR0124  (NaN)
    return isinstance(value, str) and re.fullmatch(PRIMITIVES.get(kind, "$."), value) is not None


def target(reference: Json) -> str:
    return str(reference.get("type") or str(reference.get("reference", "")).partition("/")[0])


def resource_problems(r: Json) -> Iterator[str]:
    """Shape, id and the invariants of one resource."""
    kind = r["resourceType"]
    yield from problems(r, kind, kind)
    if not ID.fullmatch(r.get("id", "")):
        yield f"{kind}: id {r.get('id')!r}"
    if kind != "Bundle" and not r.get("text", {}).get("div"):
        yield f"{kind}: dom-6, no narrative"
    if kind == "Observation":
        yield from observation_problems(r)
    if kind == "ServiceRequest" and "orderDetail" in r and "code" not in r:
        yield "ServiceRequest: prr-1"
    for activity in r.get("activity", ()) if kind == "CarePlan" else ():
        if "detail" in activity and "reference" in activity:
            yield "CarePlan: cpl-3"
    for path, item in walk(r, kind):
        yield from element_problems(path, item)


def observation_problems(r: Json) -> Iterator[str]:
    valued = any(name.startswith("value") for name in r)
    if "dataAbsentReason" in r and valued:
        yield "Observation: obs-6"
    codes = {(c["system"], c["code"]) for c in r["code"].get("coding", ())}
    parts = [c for part in r.get("component", ()) for c in part["code"].get("coding", ())]
    if valued and any((c["system"], c["code"]) in codes for c in parts):
        yield "Observation: obs-7"
    if not valued and not r.get("component"):
        yield "Observation: says nothing"


def element_problems(path: str, item: Any) -> Iterator[str]:
    """Rules of every element: ele-1, ext-1, ref-1, qty-3, per-1, no control characters."""
    if item is None or item in ("", [], {}):
        yield f"{path}: ele-1, empty"
    if isinstance(item, str) and re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", item):
        yield f"{path}: control character"
    if not isinstance(item, dict):
        return
    if "url" in item and ("extension" in item) == any(n.startswith("value") for n in item):
        yield f"{path}: ext-1"
    if "value" in item and "code" in item and "system" not in item:
        yield f"{path}: qty-3"
    if "start" in item and "end" in item and item["start"] > item["end"]:
        yield f"{path}: per-1"
    if str(item.get("reference", "")).startswith("#"):
        yield f"{path}: ref-1, nothing is contained"


def xhtml_problems(div: str, path: str) -> Iterator[str]:
    """txt-1 and txt-2: a div of simple elements with something to read, well formed."""
    try:
        root = ElementTree.fromstring(div)  # noqa: S314  (our own text)
    except ElementTree.ParseError as error:
        yield f"{path}: {error}"
        return
    names = {e.tag.removeprefix(XHTML) for e in root.iter()}
    if root.tag != f"{XHTML}div" or not names <= {"div", "p", "b", "ul", "li"}:
        yield f"{path}: txt-1 {names}"
    if not "".join(root.itertext()).strip() or any(e.attrib for e in root.iter()):
        yield f"{path}: txt-2, or an attribute"


def walk(item: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, item
    inner = item.items() if isinstance(item, dict) else ()
    inner = enumerate(item) if isinstance(item, list) else inner
    for name, value in inner:
        yield from walk(value, f"{path}.{name}")


# -- patients ------------------------------------------------------------------------------------


def observed(code: str, value: float, unit: str, when: str, **more: Any) -> Json:
    coding = {"system": "http://loinc.org", "code": code}
    quantity = {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    return {
        "resourceType": "Observation", "id": f"o-{code}-{when[:10]}-{when[11:13]}",
        "status": "final", "code": {"coding": [coding]}, "subject": {"reference": "Patient/p"},
        "effectiveDateTime": when, "valueQuantity": quantity, **more,
    }  # fmt: skip


def reported(text: str, grade: int) -> Json:
    return {
        "resourceType": "Observation", "id": f"s-{text.replace(' ', '-')}", "status": "final",
        "code": {"text": text}, "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2026-11-22T08:00:00Z", "valueInteger": grade,
    }  # fmt: skip


PATIENT = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1960-02-01"}
HOSTILE = "<script>alert('&')</script>\u0000 if life is in danger"
REFUSAL = {
    "resourceType": "Consent", "id": "c", "status": "active", "patient": {"reference": "Patient/p"},
    "scope": {"coding": [{"code": "treatment"}]},
    "provision": {
        "type": "deny",
        "code": [{"coding": [{"system": "http://snomed.info/sct", "code": "116863004"}]}],
        "provision": [{"type": "permit", "code": [{"text": HOSTILE.replace("\u0000", "")}]}],
    },
}  # fmt: skip
TODAY, YESTERDAY = "2026-11-22T07:00:00Z", "2026-11-21T07:00:00Z"
LOW = observed("718-7", 6.4, "g/dL", TODAY)
HOSPICE = {
    "resourceType": "CareTeam", "id": "h", "status": "active", "name": "Hospice at home",
    "subject": {"reference": "Patient/p"},
}  # fmt: skip
MADE_UP = {
    "nothing known": (),
    "no usable count": (observed("718-7", 9.0, "g/dL", "2026-08-01T07:00:00Z"),),
    "recommend": (LOW, observed("2160-0", 1.6, "mg/dL", TODAY)),
    "declined": (LOW, REFUSAL),
    "hospice": (LOW, HOSPICE),
    "emergency": (LOW, reported("vomiting blood", 3), reported("chest pain", 3)),
    "preliminary": (observed("718-7", 7.6, "g/dL", TODAY, status="preliminary"),),
    "delta check": (LOW, observed("718-7", 10.9, "g/dL", YESTERDAY)),
    "not anemic": (observed("718-7", 13.4, "g/dL", "2026-11-22"),),
    "trend and overdue": (
        observed("718-7", 8.9, "g/dL", "2026-11-01T07:00:00Z"),
        observed("718-7", 8.6, "g/dL", "2026-11-05T07:00:00Z"),
        observed("17849-1", 1.1, "%", "2026-11-05T07:00:00Z"),
        observed("4544-3", 26.0, "%", "2026-11-05T07:00:00Z"),
    ),
}  # fmt: skip


@cache
def moment(folder: Path) -> str:
    expected = folder / "expected.json"
    return str(json.loads(expected.read_bytes()).get("at", AT)) if expected.is_file() else AT


def bundled() -> list[Any]:
    files = [p for p in sorted(EXAMPLES.glob("*.json")) if p.stem != "expected"]
    if VIGNETTES.is_dir():
        files += [p for p in sorted(VIGNETTES.glob("*.json")) if p.stem != "expected"]
        return [pytest.param(p, id=p.stem) for p in files]
    absent = pytest.mark.skip(reason=f"{VIGNETTES} is not here")
    return [
        *(pytest.param(p, id=p.stem) for p in files),
        pytest.param(VIGNETTES, id="vignettes", marks=absent),
    ]


CASES = [*bundled(), *(pytest.param(name, id=name.replace(" ", "-")) for name in MADE_UP)]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Review]:
    """A file with one patient, and the assessment of it."""
    path, at = request.param, AT
    if isinstance(path, str):
        entries = [{"resource": r} for r in (PATIENT, *MADE_UP[path])]
        path = tmp_path / "made-up.json"
        write(path, {"resourceType": "Bundle", "type": "collection", "entry": entries})
    else:
        at = moment(path.parent)
    try:
        return path, redcell.assess(redcell.read(path), at=at)
    except (DeceasedPatientError, UnderageError) as error:
        pytest.skip(f"no assessment, as it should be: {error}")


def write(path: Path, bundle: Json) -> Path:
    path.write_text(json.dumps(bundle), encoding="utf-8")
    return path


def named(path: Path, decision: str) -> Review:
    entries = [{"resource": r} for r in (PATIENT, *MADE_UP[decision])]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return redcell.assess(redcell.read(write(path / "one.json", bundle)), at=AT)


def resources(bundle: Json, *kinds: str) -> list[Json]:
    every = [e["resource"] for e in bundle["entry"]]
    return [r for r in every if not kinds or r["resourceType"] in kinds]


def resource_references(bundle: Json) -> Iterator[str]:
    for _, item in walk(bundle, ""):
        if isinstance(item, dict) and isinstance(item.get("reference"), str):
            yield item["reference"]


# -- tests ---------------------------------------------------------------------------------------


def test_follows_r4(case: tuple[Path, Review]) -> None:
    assert list(resource_problems(to_bundle(case[1].steps))) == []


@pytest.mark.trust("F10")
def test_fhir_resources_reads_it(case: tuple[Path, Review]) -> None:
    models = pytest.importorskip("fhir.resources.R4B.bundle")
    data = to_json(case[1].steps)
    assert len(models.Bundle.model_validate_json(data).entry) == len(json.loads(data)["entry"])


def test_references_resolve_or_point_to_the_input(case: tuple[Path, Review]) -> None:
    path, review = case
    bundle = to_bundle(review.steps)
    given = resources(json.loads(path.read_bytes()))
    known = {f"{r['resourceType']}/{r['id']}" for r in given}
    full_urls = [e["fullUrl"] for e in bundle["entry"]]
    assert len(set(full_urls)) == len(full_urls)  # bdl-7
    assert all(e["fullUrl"] == f"urn:uuid:{e['resource']['id']}" for e in bundle["entry"])
    assert set(resource_references(bundle)) <= known | set(full_urls)


def test_same_bytes_twice(case: tuple[Path, Review]) -> None:
    path, review = case
    again = redcell.assess(redcell.read(path), at=review.steps.case.at.time)
    assert to_json(review.steps) == to_json(again.steps)


def test_redcell_reads_it_back(case: tuple[Path, Review], tmp_path: Path) -> None:
    _, review = case
    alone = tmp_path / "alone.json"
    alone.write_bytes(to_json(review.steps))
    again = redcell.assess(redcell.read(alone), at=review.steps.case.at.time)
    assert again.hemoglobin_g_dl is None


def test_output_filed_in_the_chart_changes_nothing(
    case: tuple[Path, Review], tmp_path: Path
) -> None:
    path, review = case
    chart = json.loads(path.read_bytes())
    chart["entry"] += to_bundle(review.steps)["entry"]
    later = review.steps.case.at.plus(1 / 24)
    before = redcell.assess(redcell.read(path), at=later.time).to_dict()
    again = redcell.assess(redcell.read(write(tmp_path / "chart.json", chart)), at=later.time)
    after = again.to_dict()
    assert {k: v for k, v in after.items() if k != "warnings"} == {
        k: v for k, v in before.items() if k != "warnings"
    }


@pytest.mark.trust("S7.2")
def test_only_proposals(case: tuple[Path, Review]) -> None:
    bundle = to_bundle(case[1].steps)
    for r in resources(bundle, "ServiceRequest", "CarePlan"):
        assert (r["status"], r["intent"]) == ("draft", "proposal")
    assert "doNotPerform" not in json.dumps(bundle)
    kinds = {r["resourceType"] for r in resources(bundle)}
    forecast = case[1].steps.forecast
    assert ("RiskAssessment" in kinds) == (forecast is not None and forecast.status == "ok")
    assert not kinds & {"Communication", "AuditEvent", "MedicationRequest"}


def test_only_verified_codes(case: tuple[Path, Review]) -> None:
    checked = {
        code for a in knowledge().analytes.values() if a.mark == "checked" for code in a.loinc
    }
    allowed = {
        "http://loinc.org": checked | {"58410-2"},
        "http://snomed.info/sct": {"116863004"},
        "http://terminology.hl7.org/CodeSystem/observation-category": {"laboratory"},
        "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation": {"L", "N", "A"},
        "http://terminology.hl7.org/CodeSystem/v3-DataOperation": {"CREATE"},
        "http://terminology.hl7.org/CodeSystem/provenance-participant-type": {"assembler"},
    }
    bundle = to_bundle(case[1].steps)
    codings = [c for _, i in walk(bundle, "") if isinstance(i, dict) for c in i.get("coding", ())]
    foreign = [c for c in codings if c["system"] != "urn:redcell:codes"]
    assert all(c["code"] in allowed[c["system"]] for c in foreign)


def test_carries_what_the_assessment_says(case: tuple[Path, Review]) -> None:
    _, review = case
    bundle, out = to_bundle(review.steps), review.to_dict()
    values = {r["code"]["coding"][0]["code"]: r for r in resources(bundle, "Observation")}
    assert values.get("ctcae-anemia-grade", {}).get("valueInteger") == out["anemia"]["ctcae_grade"]
    adjusted = values.get("who-adjusted-hemoglobin", {}).get("valueQuantity", {}).get("value")
    assert adjusted == out["anemia"]["who_adjusted_hemoglobin"]
    parts = values.get("cause-attribution", {}).get("component", [])
    shares = {p["code"]["coding"][0]["code"]: p["valueQuantity"]["value"] for p in parts}
    assert shares == {c["cause"]: c["probability"] for c in out["causes"]}
    issues = resources(bundle, "DetectedIssue")
    assert [i["code"]["coding"][0]["code"] for i in issues] == [f["rule"] for f in out["red_flags"]]
    drafts = {r["code"]["text"]: r for r in resources(bundle, "ServiceRequest")}
    cells = drafts.get("Transfusion of red blood cells", {}).get("quantityQuantity", {})
    giving = out["transfusion"]["decision"] in ("recommend", "consider")
    assert cells.get("value") == (out["transfusion"]["units"] if giving else None)
    provenance = resources(bundle, "Provenance")[0]
    assert len(provenance["target"]) == len(bundle["entry"]) - 1


@pytest.mark.parametrize("decision", ["declined", "emergency", "delta check", "not anemic"])
def test_no_blood_is_drafted(decision: str, tmp_path: Path) -> None:
    review = named(tmp_path, decision)
    drafts = [r["code"] for r in resources(to_bundle(review.steps), "ServiceRequest")]
    assert not [c for c in drafts if "116863004" in json.dumps(c) or "screen" in json.dumps(c)]
    notes = resources(to_bundle(review.steps), "ClinicalImpression")[0]["note"]
    assert notes[0]["text"].startswith("Transfusion: ")


def test_made_up_patients_meet_every_decision(tmp_path: Path) -> None:
    found = {name: named(tmp_path, name) for name in MADE_UP}
    assert found["recommend"].decision == "recommend"
    assert found["declined"].decision == "declined"
    assert found["emergency"].decision == "emergency"
    assert found["delta check"].steps.survey.status.value == "provisional"
    kinds = {c["code"]["coding"][0]["code"] for c in resources(
        to_bundle(found["trend and overdue"].steps), "Observation")}  # fmt: skip
    assert {"hemoglobin-trend", "reticulocyte-production-index"} <= kinds


def test_in_hospice_care_every_draft_puts_goals_first(tmp_path: Path) -> None:
    review = named(tmp_path, "hospice")
    said = {p["code"]: p["text"] for p in review.to_dict()["transfusion"]["precautions"]}
    for draft in resources(to_bundle(review.steps), "ServiceRequest"):
        assert said["goals-of-care-first"] in [note["text"] for note in draft["note"]]


def test_the_site_policy_is_named(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[policy]\nname = "Site <b>"\nversion = "3"\n', encoding="utf-8")
    record = redcell.read(write(tmp_path / "p.json", {**PATIENT}))
    bundle = redcell.assess(record, at=AT, policy=policy).to_fhir()
    assert list(resource_problems(bundle)) == []
    assert resources(bundle, "Provenance")[0]["policy"] == ["urn:redcell:policy:Site%20%3Cb%3E%203"]


@pytest.mark.trust("S6")
def test_foreign_text_is_escaped(tmp_path: Path) -> None:
    bundle = to_bundle(named(tmp_path, "declined").steps)
    assert "<script" not in json.dumps(bundle)
    assert "script" in resources(bundle, "ClinicalImpression")[0]["text"]["div"]
    shown = narrative(HOSTILE, [HOSTILE])["div"]
    assert list(xhtml_problems(shown, "div")) == []
    assert clean("a\u0000\n b\ud800") == "a b"


def test_a_reference_that_fhir_cannot_hold_becomes_an_identifier() -> None:
    assert source("Observation/a.b-1") == {"reference": "Observation/a.b-1"}
    odd = pruned(source("labs.csv:12"))
    assert odd["identifier"]["value"] == odd["display"] == "labs.csv:12"
    assert pruned(source("Patient/MRN 7"))["type"] == "Patient"
    assert list(problems(odd, "Reference", "Reference")) == []


def test_the_checker_finds_faults() -> None:
    bad = {
        "resourceType": "ServiceRequest", "id": "a_b", "status": "on hold", "note": [],
        "subject": {"reference": "Practitioner/1"}, "authoredOn": "2026-11-22 09:00", "extra": 1,
        "quantityQuantity": {"value": 1, "code": "1"}, "orderDetail": [{"text": "x"}],
    }  # fmt: skip
    text = "\n".join(resource_problems(bad))
    for fault in ("a_b", "on hold", "intent: required", "Practitioner", "09:00", "extra", "qty-3",
                  "prr-1", "ele-1", "dom-6"):  # fmt: skip
        assert fault in text, fault
