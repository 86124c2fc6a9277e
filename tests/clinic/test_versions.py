"""A resource as a version: what decides which one counts, and how it is found."""

from __future__ import annotations

from decimal import Decimal

import pytest

from redcell.clinic.versions import RefusedResourceError, seal, version_of
from redcell.clock import micros, when
from redcell.store.facts import Reading, Token

AT = 1_790_000_000_000_000


def observation(**more) -> dict:
    return {"resourceType": "Observation", "id": "a", "subject": {"reference": "Patient/p"}} | more


@pytest.mark.trust("D8")
@pytest.mark.parametrize(
    ("status", "rank"),
    [
        ("registered", -1),
        ("preliminary", 0),
        ("final", 1),
        (None, 1),
        ("amended", 2),
        ("corrected", 2),
        ("appended", 2),
        ("cancelled", 1),
        ("entered-in-error", 3),
    ],
)
def test_rank(status, rank):
    assert version_of(observation(status=status), AT).rank == rank


def test_with_times_of_the_sender_a_correction_after_a_withdrawal_counts():
    at = when(AT - 10**6).isoformat()
    withdrawn = observation(status="entered-in-error", meta={"lastUpdated": at})
    corrected = observation(status="corrected", meta={"lastUpdated": when(AT - 10**5).isoformat()})
    assert version_of(withdrawn, AT).key < version_of(corrected, AT).key
    assert (
        version_of(observation(status="entered-in-error"), AT).key > version_of(corrected, AT).key
    )


def test_only_results_are_ranked_by_their_words():
    order = {"resourceType": "MedicationRequest", "id": "a", "subject": {"reference": "Patient/p"}}
    assert version_of(order | {"status": "cancelled"}, AT).rank == 1
    assert version_of(order | {"status": "entered-in-error"}, AT).rank == 3


@pytest.mark.trust("D7")
def test_the_sender_s_time_counts_unless_it_is_in_the_future():
    early, late = when(AT - 10**6).isoformat(), when(AT + 10**6).isoformat()
    assert version_of(observation(meta={"lastUpdated": early}), AT).asserted == AT - 10**6
    future = version_of(observation(meta={"lastUpdated": late}), AT)
    assert (future.asserted, future.own_time) == (AT, False)
    assert version_of(observation(meta={"lastUpdated": "soon"}), AT).asserted == AT


def test_what_the_server_adds_is_no_content():
    one = version_of(observation(meta={"versionId": "1", "lastUpdated": "2020-01-01"}), AT)
    two = version_of(observation(meta={"versionId": "7"}), AT)
    assert one.hash == two.hash
    assert b"versionId" not in one.body
    assert version_of(observation(meta={"source": "lab"}), AT).hash != one.hash


@pytest.mark.parametrize(
    ("resource", "owner"),
    [
        (observation(), "p"),
        (observation(subject={"reference": "https://ehr.example/fhir/Patient/p/_history/3"}), "p"),
        (observation(subject={"reference": "Group/p"}), None),
        (observation(subject={"display": "Joy"}), None),
        ({"resourceType": "Patient", "id": "x"}, "x"),
        ({"resourceType": "Consent", "id": "c", "patient": {"reference": "Patient/q"}}, "q"),
        (
            {
                "resourceType": "Appointment",
                "id": "c",
                "participant": [{"actor": {"reference": "Patient/q"}}],
            },
            "q",
        ),
    ],
)
def test_whose_it_is(resource, owner):
    assert version_of(resource, AT).patient == owner


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ({"resourceType": "Observation"}, "Observation.id"),
        (observation(id="a b"), "Observation.id"),
        (observation(id="x" * 65), "Observation.id"),
        (observation(id=7), "Observation.id"),
        ({"resourceType": "Device", "id": "d"}, "resourceType"),
        ({"resourceType": 7, "id": "d"}, "resourceType"),
        ({"id": "d"}, "resourceType"),
    ],
)
def test_what_cannot_be_kept_says_where(resource, path):
    with pytest.raises(RefusedResourceError) as refused:
        version_of(resource, AT)
    assert refused.value.path == path


def test_how_it_is_found():
    coding = {"system": "http://loinc.org", "code": "718-7"}
    found = version_of(
        observation(
            code={"coding": [coding]},
            status="final",
            effectiveDateTime="2026-11-20T08:00:00+01:00",
            valueQuantity={"value": 7.6, "unit": "g/dl", "code": "g/dL"},
        ),
        AT,
    )
    assert Token("code", "http://loinc.org", "718-7") in found.tokens
    assert Token("status", "", "final") in found.tokens
    at = micros(when(0).replace(year=2026, month=11, day=20, hour=7))
    assert found.reading == Reading("718-7", at, 7.6, "g/dL")


@pytest.mark.trust("D9")
def test_a_bound_is_no_value():
    found = version_of(
        observation(effectiveDateTime="2026-11-20", valueQuantity={"value": 7, "comparator": "<"}),
        AT,
    )
    assert found.reading is not None
    assert found.reading.value is None


@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, [None], [[]], {"coding": 7}])
@pytest.mark.parametrize(
    "element", ["code", "category", "identifier", "meta", "subject", "valueQuantity", "link"]
)
def test_odd_elements_are_left_out_not_fatal(element, odd):
    for kind in ("Observation", "Patient"):
        version_of(
            observation(resourceType=kind, effectiveDateTime="2026-01-01") | {element: odd}, AT
        )


@pytest.mark.parametrize(
    "value",
    [12, 9.2, 100.0, 1e22, 1e-7, -0.0, 0, 2**70, *map(Decimal, ("7.60", "1E+2", "-0", "1E-10"))],
)
def test_the_hash_is_the_one_of_what_is_kept(value):
    quantity = {"value": value, "unit": "[2e5]", "more": [{"z": value, "a": None}]}
    found = version_of(observation(valueQuantity=quantity), AT)
    assert found.hash == seal(found.body)
