"""The FHIR reader, one kind of resource at a time: diagnoses, refusals, prognoses, drugs, answers."""

from __future__ import annotations

import json

import pytest

from redcell.sources.fhir import datatypes
from redcell.sources.read import read

LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
SECONDARY = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-secondary-cancer-condition"
DAY = "2026-11-01"


@pytest.fixture
def reader(tmp_path):
    """Write one patient and resources to a file and read it."""

    def written(*resources):
        patient = {"resourceType": "Patient", "id": "p1", "gender": "female"}
        entries = [{"resource": patient}]
        for number, resource in enumerate(resources):
            about = (
                "patient" if resource["resourceType"] in ("Consent", "EpisodeOfCare") else "subject"
            )
            owned = {"id": f"r{number}", about: {"reference": "Patient/p1"}, **resource}
            entries.append({"resource": owned})
        path = tmp_path / "bundle.json"
        document = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        path.write_text(json.dumps(document))
        return read(path)

    return written


def coded(system, code, text=""):
    return {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})}


def status(word):
    return {"coding": [{"code": word}]}


def condition(**more):
    return {"resourceType": "Condition", "recordedDate": DAY, **more}


def told(record, code):
    return [aside.text for aside in record.set_aside if aside.code == code]


# -- diagnoses -------------------------------------------------------------------------------------

SITES = [
    ("Metastasis to lumbar vertebra", {"bone-metastasis"}),
    ("Metastasis to bone marrow", {"marrow-metastasis"}),
    ("Metastasis to cerebellum", {"brain-metastasis"}),
    ("Metastasis to axillary lymph node", set()),
    ("Metastasis to liver", set()),
]


@pytest.mark.parametrize(("words", "found"), SITES)
@pytest.mark.parametrize("where", ["code", "body site"])
def test_the_site_of_a_metastasis_in_words(reader, words, found, where):
    code = {"text": words if where == "code" else "Metastasis"}
    site = {"bodySite": [{"text": words}]} if where == "body site" else {}
    record = reader(condition(meta={"profile": [SECONDARY]}, code=code, **site))
    kinds = ("bone-metastasis", "marrow-metastasis", "brain-metastasis")
    assert {d.meaning for d in record.diagnoses if d.meaning in kinds} == found


def test_a_refuted_diagnosis_is_an_explicit_no(reader):
    code = coded(ICD10CM, "D56.1", "beta thalassemia")
    record = reader(condition(code=code, verificationStatus=status("refuted")))
    assert record.diagnoses
    assert all(d.absent for d in record.diagnoses)


@pytest.mark.parametrize("word", ["unconfirmed", "entered-in-error"])
def test_what_nobody_stands_behind_is_no_diagnosis(reader, word):
    code = coded(ICD10CM, "D56.1", "beta thalassemia")
    assert not reader(condition(code=code, verificationStatus=status(word))).diagnoses


@pytest.mark.parametrize(("word", "active"), [("active", True), ("resolved", False)])
def test_a_resolved_diagnosis_is_kept_as_past(reader, word, active):
    record = reader(condition(code=coded(ICD10CM, "I25.10"), clinicalStatus=status(word)))
    assert {d.active for d in record.diagnoses} == {active}


def test_a_symptom_on_the_problem_list(reader):
    record = reader(
        condition(
            code={"text": "Fatigue"}, severity={"text": "moderate"}, onsetDateTime="2026-10-01"
        )
    )
    (report,) = record.symptoms["fatigue"]
    assert (report.grade, str(report.onset.day)) == (2, "2026-10-01")


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (coded(SNOMED, "77386006"), "present"),
        ({"text": "Currently pregnant"}, "present"),
        (coded(SNOMED, "60001007"), "absent"),
        ({"text": "Not pregnant"}, "absent"),
        ({"text": "Unknown"}, None),
        ({"text": "Pregnancy test pending"}, None),
    ],
)
def test_pregnancy_is_present_absent_or_unknown(reader, answer, found):
    record = reader(
        {
            "resourceType": "Observation", "status": "final", "effectiveDateTime": DAY,
            "code": coded(LOINC, "82810-3"), "valueCodeableConcept": answer,
        }
    )  # fmt: skip
    assert [c.answer for c in record.coded.get("pregnancy-status", ())] == (
        [found] if found else []
    )


# -- refusal ---------------------------------------------------------------------------------------

DENIALS = [
    ("red cells by code", coded(SNOMED, "116863004"), True),
    ("transfusion by code", coded(SNOMED, "71493000"), True),
    ("red cells by name", {"text": "Packed red cells"}, True),
    ("blood products", {"text": "All blood products"}, True),
    ("blood transfusion", {"text": "Transfusion of blood"}, True),
    ("transfusion of what?", {"text": "Transfusion"}, False),
    ("blood of what kind?", {"text": "blood"}, False),
    ("a faith is no refusal", {"text": "Jehovah's Witness"}, False),
    ("platelets alone", {"text": "Platelet transfusion"}, None),
    ("plasma alone", {"text": "Plasma"}, None),
    ("samples", {"text": "Blood samples for research"}, None),
    ("donation", {"text": "Blood donation"}, None),
    ("something else", {"text": "Photography"}, None),
]


def consent(code, *, scope="treatment", nested=False, **more):
    deny = {"type": "deny", "code": [code]}
    return {
        "resourceType": "Consent", "status": "active", "scope": status(scope),
        "provision": {"type": "permit", "provision": [deny]} if nested else deny, **more,
    }  # fmt: skip


@pytest.mark.trust("H11.1")
@pytest.mark.parametrize(("name", "code", "clear"), DENIALS, ids=[d[0] for d in DENIALS])
@pytest.mark.parametrize("nested", [False, True], ids=["own", "nested"])
def test_what_a_consent_denies(reader, name, code, clear, nested):
    refusals = reader(consent(code, nested=nested)).refusals
    assert [r.clear for r in refusals] == ([] if clear is None else [clear])


@pytest.mark.trust("H11.1")
@pytest.mark.parametrize(
    ("scope", "clear"), [("treatment", True), ("adr", True), ("research", False), ("", False)]
)
def test_only_treatment_and_advance_directives_settle_a_refusal(reader, scope, clear):
    (refusal,) = reader(consent(coded(SNOMED, "116863004"), scope=scope)).refusals
    assert refusal.clear is clear


@pytest.mark.trust("H11.1")
@pytest.mark.parametrize("word", ["inactive", "draft", "rejected", "entered-in-error"])
def test_a_consent_that_is_not_active_refuses_nothing(reader, word):
    assert not reader({**consent(coded(SNOMED, "116863004")), "status": word}).refusals


@pytest.mark.trust("H11.1")
def test_what_the_same_consent_permits_is_kept(reader):
    denied = consent(coded(SNOMED, "116863004"))
    permit = {"type": "permit", "code": [{"text": "Albumin"}]}
    denied["provision"]["provision"] = [permit]
    assert reader(denied).refusals[0].permits == ("Albumin",)


# -- prognosis, hospice, goals ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [(coded(SNOMED, "419620001"), True), ({"text": "Death"}, True), ({"text": "Fall"}, False)],
)
def test_a_predicted_death_has_an_end(reader, outcome, counts):
    prediction = {"outcome": outcome, "whenPeriod": {"end": "2026-12-01"}}
    record = reader(
        {"resourceType": "RiskAssessment", "status": "final", "prediction": [prediction]}
    )
    assert [str(p.until.day) for p in record.prognoses] == (["2026-12-01"] if counts else [])


@pytest.mark.parametrize(
    ("text", "weeks"),
    [("weeks", 3), ("2 weeks", 2), ("2 to 4 weeks", 4), ("days", 1 / 7), ("10 days", 10 / 7),
     ("6 months", 26), ("good", None)],
)  # fmt: skip
def test_a_prognosis_in_words(reader, text, weeks):
    record = reader(
        {
            "resourceType": "ClinicalImpression", "status": "completed", "date": DAY,
            "prognosisCodeableConcept": [{"text": text}],
        }
    )  # fmt: skip
    assert [p.weeks for p in record.prognoses] == ([] if weeks is None else [pytest.approx(weeks)])


HOSPICE = coded(SNOMED, "385763009")
CARE = [
    ({"resourceType": "Encounter", "status": "in-progress", "type": [HOSPICE]}, True),
    ({"resourceType": "Encounter", "status": "finished", "type": [HOSPICE]}, False),
    ({"resourceType": "EpisodeOfCare", "status": "active", "type": [HOSPICE]}, True),
    ({"resourceType": "CareTeam", "status": "active", "name": "Home hospice team"}, True),
    ({"resourceType": "ServiceRequest", "status": "active", "code": HOSPICE}, True),
    ({"resourceType": "ServiceRequest", "status": "revoked", "code": HOSPICE}, False),
    ({"resourceType": "Procedure", "status": "in-progress", "code": HOSPICE}, True),
    ({"resourceType": "ServiceRequest", "status": "active", "code": {"text": "Palliative care"}}, False),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "hospice"), CARE)
def test_hospice_care_wherever_it_is_named(reader, resource, hospice):
    assert bool(reader(resource).care) is hospice


def test_a_goal_is_kept_in_its_own_words(reader):
    goal = {
        "resourceType": "Goal", "lifecycleStatus": "active",
        "description": {"text": "Be at home for the wedding"},
    }  # fmt: skip
    assert [g.text for g in reader(goal).goals] == ["Be at home for the wedding"]
    assert not reader({**goal, "lifecycleStatus": "cancelled"}).goals


# -- questionnaires --------------------------------------------------------------------------------


def questionnaire(*items, **more):
    return {
        "resourceType": "QuestionnaireResponse", "status": "completed",
        "authored": DAY, "item": list(items), **more,
    }  # fmt: skip


ANSWERS = [
    ({"valueInteger": 2}, 2),
    ({"valueInteger": 9}, None),
    ({"valueBoolean": False}, 0),
    ({"valueBoolean": True}, None),
    ({"valueString": "severe"}, 3),
    ({"valueCoding": {"system": SNOMED, "code": "255604002", "display": "Mild"}}, 1),
]


@pytest.mark.parametrize(("answer", "grade"), ANSWERS)
def test_an_answer_is_a_grade_or_present_with_an_unknown_one(reader, answer, grade):
    record = reader(questionnaire({"linkId": "fatigue", "answer": [answer]}))
    assert [r.grade for r in record.symptoms["fatigue"]] == [grade]


@pytest.mark.parametrize(
    "item",
    [
        {"linkId": "1", "text": "How bad was your fatigue?"},
        {"linkId": "1", "definition": "http://example.org/StructureDefinition/items#fatigue"},
    ],
)
def test_an_item_names_its_symptom_by_text_or_definition(reader, item):
    group = {"linkId": "g", "item": [{**item, "answer": [{"valueInteger": 1}]}]}
    assert list(reader(questionnaire(group)).symptoms) == ["fatigue"]


def test_an_item_that_was_not_answered_says_nothing(reader):
    assert not reader(questionnaire({"linkId": "fatigue"})).symptoms
    undated = questionnaire({"linkId": "fatigue", "answer": [{"valueInteger": 1}]}, authored=None)
    del undated["authored"]
    record = reader(undated)
    assert not record.symptoms
    assert told(record, "time-missing")


# -- drugs -----------------------------------------------------------------------------------------

CARBOPLATIN = {"text": "carboplatin"}
MEDICATION = {"resourceType": "Medication", "id": "m1", "code": CARBOPLATIN}


def administration(**more):
    return {
        "resourceType": "MedicationAdministration", "status": "completed",
        "effectiveDateTime": DAY, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "extra", "more"),
    [
        ("by concept", (), {"medicationCodeableConcept": CARBOPLATIN}),
        ("by reference", (MEDICATION,), {"medicationReference": {"reference": "Medication/m1"}}),
        ("contained", (), {"contained": [MEDICATION], "medicationReference": {"reference": "#m1"}}),
        (
            "by ingredient",
            ({"resourceType": "Medication", "id": "m2", "ingredient": [{"itemCodeableConcept": CARBOPLATIN}]},),
            {"medicationReference": {"reference": "Medication/m2"}},
        ),
        ("by display", (), {"medicationReference": {"reference": "Medication/x", "display": "carboplatin"}}),
    ],
)  # fmt: skip
def test_a_dose_names_its_drug(reader, name, extra, more):
    assert [d.drug for d in reader(*extra, administration(**more)).drugs] == ["carboplatin"]


def test_a_drug_that_is_not_known_is_named(reader):
    record = reader(administration(medicationCodeableConcept={"text": "Elixir of Youth"}))
    assert not record.drugs
    assert "Elixir of Youth" in told(record, "unmapped-drug")[0]


@pytest.mark.parametrize(("dose", "units"), [({"value": 2, "unit": "units"}, 2), (None, 1)])
def test_red_cells_given_as_a_medication(reader, dose, units):
    more = {"dosage": {"dose": dose}} if dose else {}
    record = reader(administration(medicationCodeableConcept={"text": "Packed red cells"}, **more))
    assert [t.units for t in record.transfusions] == [units]


@pytest.mark.parametrize(("supply", "until"), [({"value": 21}, "2026-11-22"), (None, "2026-12-01")])
def test_tablets_handed_over_last_for_their_supply(reader, supply, until):
    record = reader(
        {
            "resourceType": "MedicationDispense", "status": "completed", "whenHandedOver": DAY,
            "medicationCodeableConcept": {"text": "olaparib"},
            **({"daysSupply": supply} if supply else {}),
        }
    )  # fmt: skip
    assert [(d.drug, str(d.end.day)) for d in record.drugs] == [("olaparib", until)]


@pytest.mark.parametrize(
    ("word", "given", "hold"),
    [("active", True, False), ("not-taken", False, False), ("on-hold", True, True)],
)
def test_what_a_statement_says(reader, word, given, hold):
    record = reader(
        {
            "resourceType": "MedicationStatement", "status": word,
            "medicationCodeableConcept": {"text": "olaparib"}, "effectivePeriod": {"start": DAY},
        }
    )  # fmt: skip
    assert [(d.given, d.hold) for d in record.drugs] == [(given, hold)]


@pytest.mark.parametrize(
    ("detail", "planned"),
    [
        ({"code": {"text": "carboplatin"}}, ["carboplatin"]),
        ({"description": "Chemotherapy, cycles 3 to 6"}, [None]),
        ({"description": "Physiotherapy"}, []),
        ({"code": {"text": "carboplatin"}, "status": "cancelled"}, []),
    ],
)
def test_a_care_plan_says_what_is_ahead(reader, detail, planned):
    period = {"scheduledPeriod": {"start": DAY, "end": "2027-02-01"}}
    activity = {"detail": {"status": "scheduled", **period, **detail}}
    record = reader(
        {"resourceType": "CarePlan", "status": "active", "intent": "plan", "activity": [activity]}
    )
    assert [p.drug for p in record.planned] == planned


def test_a_long_concept_is_read_and_not_remembered():
    before = datatypes._concept.cache_info().currsize
    for number in range(3):
        one = datatypes.CodeableConcept(text=f"{number}" * 1_000_000)
        assert one.concept.text == one.text
    assert datatypes._concept.cache_info().currsize == before
    short = datatypes.CodeableConcept(text="short")
    assert short.concept is short.concept
