"""One treatment out of what the record says of a drug: the table of the input contract."""

from __future__ import annotations

import pytest

from builder import AT, Taken, doses, held, ordered, read_bundle, taken, when
from redcell.record.radiation import RadiationCourse, RadiationField
from redcell.record.therapies import DrugRecord, treatments

MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/"
DOCETAXEL = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "72962"}]}


def records(rows: list[Taken]) -> list[DrugRecord]:
    return [
        DrugRecord(
            "docetaxel", t.basis, f"{t.basis}/{n}", None if t.start is None else when(t.start),
            None if t.end is None else when(t.end), ongoing=t.ongoing, given=t.given, hold=t.hold,
            planned_until=None if t.until is None else when(t.until),
        )  # type: ignore[arg-type]
        for n, t in enumerate(rows)
    ]  # fmt: skip


def dispensed(day: float, supply: float = 30) -> list[Taken]:
    return [Taken("dispense", day, day + supply, ongoing=True)]


def request(start: float, end: float | None = None, *, hold: bool = False) -> list[Taken]:
    """An order that is no longer active."""
    return [Taken("request", start, end, hold=hold)]


ASSEMBLED = [
    # name, what is on record, first, last, ongoing, held since (days from the assessment)
    ("two doses", doses(-28, -7), -28, -7, False, None),
    ("a stated exposure", taken(-60, -10), -60, -10, False, None),
    ("still taken", taken(-60), -60, 0, True, None),
    ("still taken, start unknown", taken(None), None, 0, True, None),
    ("a stated end ahead", [Taken("statement", -60, 10, ongoing=True)], -60, 0, True, None),
    ("active, but its end has passed", [Taken("statement", -60, -5, ongoing=True)], -60, -5, False, None),
    ("on hold", held(-60, -20), -60, -20, False, -20),
    ("on hold, then a dose", held(-60, -20) + doses(-3), -60, -3, False, None),
    ("on hold, then taken again", held(-60, -20) + taken(-3), -60, 0, True, None),
    ("a dose, then stated on hold", doses(-30, -10) + held(-60, -5), -60, -5, False, -5),
    ("ordered only", ordered(-20, 30), -20, 0, True, None),
    ("ordered, the bounds have passed", ordered(-20, -5), -20, -5, False, None),
    ("ordered beside a dose: the dose counts", ordered(-20, 30) + doses(-7), -7, -7, False, None),
    ("ordered beside a statement", ordered(-20, 30) + taken(-40, -10), -40, -10, False, None),
    ("ordered beside a dispense", ordered(-20, 30) + dispensed(-40), -40, 0, True, None),
    ("a stopped order alone", request(-60, -10), -60, -10, False, None),
    ("an order on hold alone", request(-60, -10, hold=True), -60, -10, False, -10),
    ("an order on hold beside doses", request(-60, -10, hold=True) + doses(-50, -30), -50, -30, False, -30),
    ("a stopped order beside a dispense", request(-60, -1) + dispensed(-50), -50, -20, False, None),
    ("dispensed for 30 d", dispensed(-10), -10, 0, True, None),
    ("dispensed, used up", dispensed(-40), -40, -10, False, None),
    ("the next dispense continues it", dispensed(-40) + dispensed(-10), -40, 0, True, None),
]  # fmt: skip


@pytest.mark.trust("S3.1")
@pytest.mark.parametrize(
    ("name", "rows", "first", "last", "ongoing", "hold"), ASSEMBLED, ids=[a[0] for a in ASSEMBLED]
)
def test_one_treatment_from_its_resources(name, rows, first, last, ongoing, hold):
    found = treatments(records(rows), AT)["docetaxel"]
    assert found.first == (None if first is None else when(first))
    assert found.last == when(last)
    assert found.ongoing is ongoing
    assert found.held_since == (None if hold is None else when(hold))


NOTHING = [
    ("not given", [Taken("administration", -7, -7, given=False)]),
    ("not taken", [Taken("statement", -60, None, given=False)]),
    ("a dose after the assessment", doses(0.01)),
    ("not taken beats an order", [Taken("statement", -60, None, given=False), *ordered(-20, 30)]),
    (
        "a dose not given beats an order",
        [Taken("administration", -7, -7, given=False), *ordered(-20, 30)],
    ),
]


@pytest.mark.parametrize(("name", "rows"), NOTHING, ids=[n[0] for n in NOTHING])
def test_no_exposure(name, rows):
    assert treatments(records(rows), AT) == {}


def test_plans_reach_into_the_future_and_doses_do_not():
    found = treatments(records(doses(-7) + ordered(-7, 90)), AT)["docetaxel"]
    assert found.planned_until == when(90)
    assert found.last == when(-7)
    assert found.doses == (when(-7),)


@pytest.mark.trust("S3.1")
@pytest.mark.parametrize(
    ("start", "end", "exposed"),
    [(-7, 0, True), (-6.99, 0, False), (-20, -7, True), (-20, -7.01, False)],
)
def test_exposed_between_is_closed(start, end, exposed):
    found = treatments(records(doses(-7)), AT)["docetaxel"]
    assert found.exposed_between(when(start), when(end)) is exposed


@pytest.mark.parametrize(("earlier", "first"), [(-52, -52), (-52.01, -10)])
def test_a_gap_longer_than_the_washout_begins_a_new_treatment(earlier, first):
    found = treatments(records(doses(earlier, -10)), AT, lambda _: 42.0)["docetaxel"]
    assert found.first == when(first)


@pytest.mark.parametrize(("earlier", "first"), [(-82, -82), (-82.01, -40)])
def test_the_gap_ends_where_the_next_exposure_begins(earlier, first):
    found = treatments(records(doses(earlier) + taken(-40, -1)), AT, lambda _: 42.0)["docetaxel"]
    assert found.first == when(first)


@pytest.mark.parametrize(("stopped", "last"), [(-41, -10), (-40, -40), (-15, -15), (-10, -10)])
def test_a_supply_ends_on_the_day_its_order_was_stopped(stopped, last):
    order = DrugRecord("docetaxel", "request", "MedicationRequest/1", when(-60), stopped=True,
                       updated=when(stopped))  # fmt: skip
    found = treatments([*records(dispensed(-40)), order], AT)["docetaxel"]
    assert found.last == when(last)


def test_the_dose_is_that_of_the_newest_exposure_whose_start_is_known():
    rows = [
        DrugRecord("docetaxel", "statement", "MedicationStatement/9", None, when(-30), amount="60 mg"),
        DrugRecord("docetaxel", "statement", "MedicationStatement/1", when(-9), when(-8), amount="75 mg"),
        DrugRecord("docetaxel", "statement", "MedicationStatement/2", when(-20), when(-15), amount="90 mg"),
    ]  # fmt: skip
    assert treatments(rows, AT)["docetaxel"].amount == "75 mg"


# -- every status of every resource -----------------------------------------------------------------

STATUSES = [
    # resource, status, days of exposure (None: no exposure), on hold
    ("MedicationAdministration", "completed", (-30, -30), False),
    ("MedicationAdministration", "in-progress", (-30, -30), False),
    ("MedicationAdministration", "not-done", None, False),
    ("MedicationAdministration", "entered-in-error", None, False),
    ("MedicationAdministration", "on-hold", None, False),
    ("MedicationAdministration", "unknown", None, False),
    ("MedicationStatement", "active", (-30, 0), False),
    ("MedicationStatement", "completed", (-30, -10), False),
    ("MedicationStatement", "stopped", (-30, -10), False),
    ("MedicationStatement", "on-hold", (-30, -10), True),
    ("MedicationStatement", "intended", None, False),
    ("MedicationStatement", "not-taken", None, False),
    ("MedicationStatement", "entered-in-error", None, False),
    ("MedicationRequest", "active", (-30, 0), False),
    ("MedicationRequest", "completed", (-30, -10), False),
    ("MedicationRequest", "stopped", (-30, -10), False),
    ("MedicationRequest", "on-hold", (-30, -10), True),
    ("MedicationRequest", "cancelled", None, False),
    ("MedicationRequest", "draft", None, False),
    ("MedicationRequest", "entered-in-error", None, False),
    ("MedicationDispense", "completed", (-30, -10), False),
    ("MedicationDispense", "in-progress", (-30, -10), False),
    ("MedicationDispense", "cancelled", None, False),
    ("MedicationDispense", "entered-in-error", None, False),
]  # fmt: skip


def resource(kind: str, status: str) -> dict:
    start, end = when(-30).iso(), when(-10).iso()
    body = {"resourceType": kind, "id": "m1", "status": status, "subject": {"reference": "Patient/p1"},
            "medicationCodeableConcept": DOCETAXEL}  # fmt: skip
    if kind == "MedicationAdministration":
        return body | {"effectiveDateTime": start}
    if kind == "MedicationStatement":
        return body | {
            "effectivePeriod": {"start": start} | ({} if status == "active" else {"end": end})
        }
    if kind == "MedicationRequest":
        bounds = {"start": start} | ({} if status == "active" else {"end": end})
        return body | {"intent": "order", "authoredOn": start,
                       "dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": bounds}}}]}  # fmt: skip
    return body | {"whenHandedOver": start, "daysSupply": {"value": 20, "unit": "d"}}


def document(*resources: dict) -> dict:
    who = {"resourceType": "Patient", "id": "p1", "gender": "female"}
    entries = [
        {"fullUrl": f"http://x/{r['resourceType']}/{r['id']}", "resource": r}
        for r in (who, *resources)
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


@pytest.mark.parametrize(
    ("kind", "status", "days", "hold"), STATUSES, ids=[f"{s[0]} {s[1]}" for s in STATUSES]
)
def test_every_status(kind, status, days, hold, tmp_path):
    record = read_bundle(document(resource(kind, status)), tmp_path)
    found = treatments(record.drugs, AT).get("docetaxel")
    assert (found is None) is (days is None)
    if found is not None:
        assert (found.first, found.last) == (when(days[0]), when(days[1]))
        assert (found.held_since is not None) is hold


def test_stopped_before_the_start_is_no_dose(tmp_path):
    body = resource("MedicationAdministration", "stopped")
    del body["effectiveDateTime"]
    for end, exposed in ((when(-30).iso(), False), (when(-29.9).iso(), True)):
        body["effectivePeriod"] = {"start": when(-30).iso(), "end": end}
        record = read_bundle(document(body), tmp_path)
        assert bool(treatments(record.drugs, AT)) is exposed


def test_an_order_without_bounds_ends_when_it_was_last_updated(tmp_path):
    body = resource("MedicationRequest", "stopped") | {"meta": {"lastUpdated": when(-12).iso()}}
    del body["dosageInstruction"]
    record = read_bundle(document(body), tmp_path)
    assert treatments(record.drugs, AT)["docetaxel"].last == when(-12)


def test_a_dispense_without_days_of_supply_is_30_days(tmp_path):
    body = resource("MedicationDispense", "completed")
    del body["daysSupply"]
    record = read_bundle(document(body), tmp_path)
    assert treatments(record.drugs, AT)["docetaxel"].last == when(0)


@pytest.mark.parametrize(
    ("code", "intent"), [("363676003", "palliative"), ("373808002", "curative"), ("0", "")]
)
def test_intent(code, intent, tmp_path):
    said = {"url": f"{MCODE}mcode-procedure-intent",
            "valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": code}]}}  # fmt: skip
    record = read_bundle(
        document(resource("MedicationAdministration", "completed") | {"extension": [said]}),
        tmp_path,
    )
    assert treatments(record.drugs, AT)["docetaxel"].intent == intent


FIELDS = [
    ((RadiationField("femur", label="left femur"),), "radiotherapy to left femur"),
    ((RadiationField("femur"), RadiationField(None)), "radiotherapy to femur, site unknown"),
    ((), "radiotherapy to an unknown site"),
]


@pytest.mark.parametrize(("fields", "said"), FIELDS, ids=[f[1] for f in FIELDS])
def test_radiotherapy_names_its_sites_or_says_that_none_is_known(fields, said):
    assert str(RadiationCourse(fields, None, None, "Procedure/1")) == said
