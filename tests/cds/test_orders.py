"""Which draft orders are spoken about, for how much, and what is said for and against each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cds.world import ORDERS, SHARED, World, cells, drafts, drug, ordering, prefetch
from redcell.clock import micros
from redcell.knowledge.load import knowledge
from redcell.web.cds.calls import RefusedCallError
from redcell.web.cds.judge import judge
from redcell.web.cds.orders import read_orders

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def read(*orders: dict[str, Any], selections: tuple[str, ...] = ()) -> Any:
    return read_orders(json.dumps(drafts(*orders)).encode(), selections, knowledge())


def service(text: str = "", *codes: tuple[str, str], **more: Any) -> dict[str, Any]:
    coding = [{"system": system, "code": code} for system, code in codes]
    return cells(None) | {"code": {"coding": coding, "text": text}} | more


KINDS: list[tuple[str, dict[str, Any], str | None]] = [
    ("SNOMED transfusion", cells(1), "red-cells"),
    ("CPT transfusion", service("", ("http://www.ama-assn.org/go/cpt", "36430")), "red-cells"),
    ("HCPCS product", service("", ("urn:oid:2.16.840.1.113883.6.285", "P9016")), "red-cells"),
    ("words", service("Transfuse 2 units PRBC"), "red-cells"),
    ("packed red cells", service("Packed red blood cells, leukoreduced"), "red-cells"),
    ("a count of red cells", service("Red blood cell count"), None),
    ("erythrocytes by LOINC", service("Erythrocytes", ("http://loinc.org", "789-8")), None),
    ("platelets", service("Transfuse platelets, 1 unit"), None),
    ("supply of a product", {
        "resourceType": "SupplyRequest", "id": "1", "quantity": {"value": 2},
        "itemCodeableConcept": {"text": "Red blood cells"},
    }, "red-cells"),
    ("iron by mouth", drug("ferrous sulfate 325 mg tablet"), "oral-iron"),
    ("iron by vein", drug("Venofer 100 mg injection"), "iv-iron"),
    ("ESA", drug("darbepoetin alfa 100 mcg"), "esa"),
    ("folate", drug("folic acid 5 mg"), "folate"),
    ("B12", drug("hydroxocobalamin 1 mg injection"), "vitamin-b12"),
    ("cancer drug", drug("capecitabine 1500 mg"), "drug"),
    ("another drug", drug("paracetamol 500 mg"), None),
    ("nothing said", drug(""), None),
    ("cancelled", cells(1) | {"status": "revoked"}, None),
    ("another type", {"resourceType": "NutritionOrder", "id": "1"}, None),
]  # fmt: skip


@pytest.mark.parametrize(("order", "kind"), [r[1:] for r in KINDS], ids=[r[0] for r in KINDS])
def test_what_an_order_is_for(order, kind):
    found = read(order).about
    assert [o.kind for o in found] == ([kind] if kind else [])


UNITS: list[tuple[str, dict[str, Any], float | None]] = [
    ("quantity", cells(2), 2),
    ("words", service("Transfuse 3 units PRBC"), 3),
    ("nothing", cells(None), None),
    ("milliliters are no units", cells(None) | {"quantityQuantity": {"value": 300, "code": "mL"}}, None),
    ("dose", drug("red cells") | {
        "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 2, "unit": "units"}}]}]
    }, 2),
    ("dispensed", drug("red cells") | {"dispenseRequest": {"quantity": {"value": 4}}}, 4),
    ("a text", cells(None) | {"quantityQuantity": {"value": "2"}}, None),
]  # fmt: skip


@pytest.mark.parametrize(("order", "units"), [r[1:] for r in UNITS], ids=[r[0] for r in UNITS])
def test_for_how_many_units(order, units):
    (found,) = read(order).about
    assert found.units == units


def test_a_medication_is_found_through_its_reference():
    coded = {"coding": [{"system": RXNORM, "code": "194000"}], "text": "capecitabine"}
    medication = {"resourceType": "Medication", "id": "m1", "code": coded}
    inside = {
        **{k: v for k, v in drug("").items() if k != "medicationCodeableConcept"},
        "contained": [medication],
        "medicationReference": {"reference": "#m1"},
    }
    beside = inside | {"contained": [], "medicationReference": {"reference": "Medication/m1"}}
    named = inside | {
        "contained": [],
        "medicationReference": {"display": "capecitabine"},
    }
    assert read(inside).about[0].drug == "capecitabine"
    assert read(beside, medication).about[0].drug == "capecitabine"
    assert read(
        named | {"medicationReference": {"reference": "Medication/9", "display": "capecitabine"}}
    ).about


def test_only_selected_orders_count_but_all_are_known():
    found = read(cells(1), drug("folic acid"), selections=("MedicationRequest/draft-2",))
    assert [o.kind for o in found.about] == ["folate"]
    assert set(found.kinds) == {"red-cells", "folate"}


def test_tests_that_are_drafted_are_known():
    loinc = "http://loinc.org"
    found = read(
        service("CBC", (loinc, "58410-2")),
        service("Ferritin", (loinc, "2276-4")),
        service("Type and screen"),
    )
    assert set(found.kinds) == {"count", "ferritin", "group-and-screen"}


@pytest.mark.parametrize("bundle", [b"[]", b"{}", b"null", b'{"resourceType":"List"}'])
def test_what_is_no_bundle_of_orders(bundle):
    with pytest.raises(RefusedCallError):
        read_orders(bundle, (), knowledge())


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"resourceType": None}, "entry[0].resource"),
        ({"resourceType": "Order"}, "entry[0].resource"),
        ({"status": "pending"}, "*/.status"),
        ({"intent": "wish"}, "*/.intent"),
    ],
)
def test_drafts_that_are_no_orders_refuse_the_call(world, changes, place):
    answer = world.post(ORDERS, ordering("order-sign", cells(1) | changes))
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"][0].endswith(place)


def test_what_only_a_validator_minds_refuses_no_call(world):
    order = cells(2) | {"extension": [{"url": "https://ehr.example/x", "valueString": "x"}]}
    body = ordering("order-sign", order)
    del body["context"]["draftOrders"]["entry"][0]["fullUrl"]
    (card,) = world.cards(ORDERS, body)
    assert "2 units ordered" in card["summary"]


ODD: list[Any] = [
    None,
    1,
    {},
    {"resource": {"resourceType": "ServiceRequest"}},
    {"resource": {"resourceType": "ServiceRequest", "code": "x"}},
    {"resource": {"resourceType": "MedicationRequest", "medicationCodeableConcept": {"coding": 1}}},
    {"resource": {"resourceType": "MedicationRequest", "medicationReference": {"reference": 1}}},
    {
        "resource": {
            "resourceType": "MedicationRequest",
            "dosageInstruction": [1],
            "medicationCodeableConcept": {"text": "red cells"},
        }
    },
]


@pytest.mark.parametrize("entry", ODD)
def test_odd_entries_break_nothing(entry):
    body = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [entry]}).encode()
    assert len(read_orders(body, (), knowledge()).about) <= 1


# -- what is said ----------------------------------------------------------------------------------

SAID: list[tuple[str, dict[str, Any], str, str, list[str]]] = [
    ("one unit fits", cells(1), "info", "red cells are advised, 1 unit", ["Type and screen"]),
    ("units unknown", cells(None), "info", "red cells are advised", []),
    ("two are too many", cells(2), "warning", "1 unit advised, 2 units ordered", ["Change the order to 1 unit"]),
    ("iron not judged", drug("ferrous sulfate 325 mg"), "info", "not enough is known", ["Iron studies: ferritin, transferrin saturation"]),
    ("folate with capecitabine", drug("folic acid 5 mg"), "info", "not expected to help", []),
    ("capecitabine", drug("capecitabine 1500 mg"), "warning", "dose, delay or pause to discuss at grade 3", ["Complete blood count on 2026-11-23"]),
    ("ESA", drug("darbepoetin alfa 100 mcg"), "info", "not enough is known", []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("order", "indicator", "said", "offers"), [r[1:] for r in SAID], ids=[r[0] for r in SAID]
)
def test_what_is_said_of_an_order(world, order, indicator, said, offers):
    (card,) = world.cards(ORDERS, ordering("order-select", order))
    name = order.get("medicationCodeableConcept", order.get("code"))["text"]
    assert card["summary"].startswith(name)
    assert said in card["summary"]
    assert card["indicator"] == indicator
    labels = [s["label"] for s in card.get("suggestions", ())]
    assert set(offers) <= set(labels)
    assert ("selectionBehavior" in card) == bool(labels)


def test_a_no_that_would_rest_on_what_did_not_come_is_not_said(world):
    data = {"hemoglobin_v1": prefetch()["hemoglobin_v1"]}
    (card,) = world.cards(ORDERS, ordering("order-select", drug("epoetin alfa"), data=data))
    assert "cannot be judged" in card["summary"]
    assert "chemotherapy" not in card["detail"]
    assert card["indicator"] == "info"
    assert "Remove this order" not in [s["label"] for s in card.get("suggestions", ())]


def test_two_units_are_offered_beside_one_where_two_are_advised():
    path = SHARED / "examples" / "vignettes" / "09-two-units-large-body.json"
    if not path.exists():
        pytest.skip("the vignettes are not beside this checkout")
    world = World()
    world.clock.now = micros(datetime(2026, 11, 20, 9, tzinfo=UTC))
    data = prefetch(path)
    patient = data["patient_v1"]["id"]
    order = cells(3, subject={"reference": f"Patient/{patient}"})
    body = ordering("order-select", order, data=data, context={"patientId": patient})
    answer = world.post(ORDERS, body)
    assert judge(answer.content, "response", strict=True) == []
    (card,) = answer.json()["cards"]
    assert card["selectionBehavior"] == "at-most-one"
    recommended = [s.get("isRecommended", False) for s in card["suggestions"]]
    assert recommended == [False, True]
    amounts = [
        s["actions"][0]["resource"]["quantityQuantity"]["value"] for s in card["suggestions"]
    ]
    assert amounts == [1, 2]
    world.close()


FOR = [
    ("this patient", {"subject": {"reference": "Patient/okafor"}}, True),
    ("this patient, by an address", {"subject": {"reference": "https://e/fhir/Patient/okafor"}}, True),
    ("nobody who is named", {"subject": {"reference": "urn:uuid:1"}}, True),
    ("another patient", {"subject": {"reference": "Patient/other"}}, False),
    ("another patient, by an address", {"subject": {"reference": "https://e/fhir/Patient/x"}}, False),
    ("not to be done", {"doNotPerform": True}, False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "more", "about"), FOR, ids=[row[0] for row in FOR])
def test_an_order_for_somebody_else_or_not_to_be_done_is_not_spoken_about(name, more, about):
    bundle = json.dumps(drafts(cells(1, **more))).encode()
    assert bool(read_orders(bundle, (), knowledge(), "okafor").about) is about


SELECTED = [
    ((), True),
    (("ServiceRequest/draft-1",), True),
    (("https://e/fhir/ServiceRequest/draft-1",), True),
    (("draft-1",), True),
    (("MedicationRequest/draft-1",), False),
    (("ServiceRequest/draft-2",), False),
]


@pytest.mark.parametrize(("selections", "about"), SELECTED)
def test_a_selection_names_type_and_id(selections, about):
    assert bool(read(cells(1), selections=selections).about) is about
