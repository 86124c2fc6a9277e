"""What comes in becomes the same record in any order, and the assessment of a file."""

from __future__ import annotations

import itertools
import json

import pytest

from redcell import clock
from redcell.clinic import intake, refresh
from redcell.clinic.intake import Sender, arrived
from redcell.clinic.refresh import Basis
from redcell.clinic.versions import decode_json
from redcell.knowledge.load import knowledge
from redcell.sources.read import EXAMPLES
from redcell.store import assessments, facts, jobs, persons

LAB = Sender("lab", "feed")
AT = clock.micros(clock.EPOCH.replace(year=2026, month=11, day=22, hour=9))


@pytest.fixture(scope="module")
def basis() -> Basis:
    return Basis(knowledge())


def take(database, *resources, key: str = "k", at: int = AT, form: str = "fhir"):
    body = json.dumps(resources, default=float).encode()
    with database.write() as connection:
        arrival = arrived("lab", form, key, body, at)
        return intake.take(connection, arrival, resources, LAB)


def bundled(name: str = "okafor") -> list[dict]:
    bundle = decode_json((EXAMPLES / f"{name}.json").read_bytes())
    return [entry["resource"] for entry in bundle["entry"]]


def assessed(database, person: str, basis: Basis, at: int = AT):
    with database.read() as connection:
        return refresh.assess(connection, person, basis, at=at)


def patient(rid: str, value: str = "1", system: str = "urn:hospital", **more) -> dict:
    return {
        "resourceType": "Patient",
        "id": rid,
        "gender": "female",
        "birthDate": "1970-01-01",
        "identifier": [{"system": system, "value": value}],
        **more,
    }


def hemoglobin(rid: str, who: str, value: float, day: int, status: str = "final", **more) -> dict:
    return {
        "resourceType": "Observation",
        "id": rid,
        "status": status,
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": f"Patient/{who}"},
        "effectiveDateTime": f"2026-11-{day:02}T08:00:00Z",
        "valueQuantity": {"value": value, "unit": "g/dL", "code": "g/dL"},
        **more,
    }


@pytest.mark.trust("A8")
def test_the_store_gives_the_assessment_of_the_file(database, basis):
    import redcell

    take(database, *bundled())
    found = assessed(database, "okafor", basis)
    wanted = redcell.assess(redcell.read("demo::okafor"), at="2026-11-22T09:00:00Z", forecast=False)
    assert found.out == wanted.to_dict()


@pytest.mark.trust("D4", "P3")
def test_one_by_one_in_any_order_is_the_same(database, basis):
    import redcell

    resources = bundled()
    for number, one in enumerate(reversed(resources)):
        take(database, one, key=f"k{number}")
    turned = assessed(database, "okafor", basis)
    wanted = redcell.assess(redcell.read("demo::okafor"), at="2026-11-22T09:00:00Z", forecast=False)
    assert turned.out == wanted.to_dict()
    assert len(turned.folded.facts) == len(resources)


@pytest.mark.trust("D4", "D8", "P3")
def test_every_order_of_a_correction_ends_alike(database, basis):
    events = [
        hemoglobin("hb", "p", 7.4, 20, "preliminary"),
        hemoglobin("hb", "p", 8.4, 20),
        hemoglobin("hb", "p", 8.9, 20, "corrected"),
        hemoglobin("hb2", "p", 9.9, 21, "entered-in-error"),
        patient("p"),
    ]
    ends = set()
    for number, order in enumerate(itertools.permutations(events)):
        who = f"p{number}"
        for step, event in enumerate(order):
            text = json.dumps(event).replace('"p"', f'"{who}"').replace('"hb', f'"{who}hb')
            text = text.replace("Patient/p", f"Patient/{who}").replace('"1"', f'"{who}"')
            take(database, json.loads(text), key=f"{number}.{step}", at=AT + step)
        found = assessed(database, who, basis)
        ends.add(json.dumps(found.out).replace(who, "WHO"))
    assert len(ends) == 1
    assert '"value": 8.9' in ends.pop()


@pytest.mark.trust("H1.2")
def test_a_shared_identifier_makes_one_person(database, basis):
    take(database, patient("v2-77", "417733"), hemoglobin("a", "v2-77", 7.9, 18), key="1")
    taken = take(database, patient("p9", "417733"), hemoglobin("b", "p9", 7.6, 20), key="2")
    assert taken.persons == ("p9",)
    found = assessed(database, "p9", basis)
    assert found.out["anemia"]["trend"]["points"] == 2
    with database.read() as connection:
        assert persons.patients_of(connection, "p9") == ["p9", "v2-77"]
        assert persons.person_of(connection, "v2-77") == "p9"


NOT_ONE_PERSON = {
    "a family's insurance": {"type": {"coding": [{"code": "MB"}]}},
    "the number of an account": {"type": {"coding": [{"code": "AN"}]}},
    "an old number": {"use": "old"},
    "a number of no system": {"system": ""},
}


@pytest.mark.trust("H1.2", "D6")
@pytest.mark.parametrize("kind", NOT_ONE_PERSON)
def test_a_number_that_several_people_may_have_joins_nobody(database, kind):
    number = {"system": "urn:hospital", "value": "417733"} | NOT_ONE_PERSON[kind]
    for who in ("a", "b"):
        take(database, patient(who, identifier=[number]), key=who)
    with database.read() as connection:
        assert [persons.person_of(connection, who) for who in ("a", "b")] == ["a", "b"]


@pytest.mark.trust("D6", "H1.2")
def test_the_same_number_of_another_hospital_is_somebody_else(database, basis):
    take(database, patient("a", "1", "urn:one"), key="1")
    take(database, patient("b", "1", "urn:two"), key="2")
    with database.read() as connection:
        assert persons.person_of(connection, "a") == "a"
        assert persons.person_of(connection, "b") == "b"


@pytest.mark.trust("D6", "H1.3", "P2")
def test_merge_and_unmerge(database, basis):
    take(database, patient("old", "1"), hemoglobin("a", "old", 7.9, 18), key="1")
    take(database, patient("new", "2"), hemoglobin("b", "new", 7.6, 20), key="2")
    link = [{"other": {"reference": "Patient/new"}, "type": "replaced-by"}]
    merged = take(database, patient("old", "1", link=link), key="3", at=AT + 1)
    assert merged.persons == ("new",)
    assert len(assessed(database, "new", basis).folded.facts) == 4
    apart = take(database, patient("old", "1"), key="4", at=AT + 2)
    assert apart.persons == ("new", "old")
    assert len(assessed(database, "new", basis).folded.facts) == 2


@pytest.mark.trust("D6", "H1.2", "H1.3")
def test_who_is_taken_apart_leaves_no_results_behind(database, basis):
    """Two with one number; the one whose id names the person turns out to be somebody else."""
    take(database, patient("a", "1"), hemoglobin("x", "a", 7.9, 18), key="1")
    joined = take(database, patient("b", "1"), hemoglobin("y", "b", 9.9, 20), key="2")
    assert joined.persons == ("a",)
    apart = take(database, patient("a", "2"), key="3", at=AT + 1)
    assert apart.persons == ("a", "b")
    for person, value in (("a", 7.9), ("b", 9.9)):
        results = assessed(database, person, basis).folded.record.results["hemoglobin"]
        assert [one.value for one in results] == [value]


@pytest.mark.trust("D6", "H1.3")
def test_a_result_that_moves_to_somebody_else_refreshes_both(database):
    take(database, patient("a", "1"), patient("b", "2"), hemoglobin("hb", "a", 7.0, 20), key="1")
    moved = take(database, hemoglobin("hb", "b", 7.0, 20, "corrected"), key="2", at=AT + 1)
    assert moved.persons == ("a", "b")


@pytest.mark.trust("D3", "H3.4")
def test_the_same_message_counts_once(database):
    body, resources = b"MSH|1", [patient("p"), hemoglobin("hb", "p", 7.6, 20)]
    for expected in ("accepted", "duplicate", "duplicate"):
        with database.write() as connection:
            arrival = arrived("lab", "hl7v2", "sender|42", body, AT)
            assert intake.take_once(connection, arrival, resources, LAB).outcome == expected
    with database.write() as connection:
        other = arrived("lab", "hl7v2", "sender|42", b"MSH|2", AT)
        held = intake.take_once(connection, other, resources, LAB)
    assert held.outcome == "held"


def test_refused_input_keeps_nothing_else(database):
    from redcell.clinic.versions import RefusedResourceError

    with pytest.raises(RefusedResourceError, match="id"):
        take(database, patient("p"), {"resourceType": "Observation", "id": "no spaces"})
    with database.read() as connection:
        assert facts.read_one(connection, "Patient", "p") is None


@pytest.mark.trust("D3", "H3.4")
def test_the_same_result_under_other_ids_counts_once(database, basis):
    again = [hemoglobin(f"hb{number}", "p", 7.6, 20) for number in range(100)]
    take(database, patient("p"), *again)
    found = assessed(database, "p", basis)
    assert [one.value for one in found.folded.record.results["hemoglobin"]] == [7.6]
    assert found.out["anemia"]["trend"]["points"] == 1


def test_a_refresh_is_kept_shown_and_told_once(database, basis):
    take(database, *bundled())
    with database.read() as connection:
        first = refresh.refresh(connection, "okafor", basis, at=AT)
    with database.write() as connection:
        line = refresh.keep(connection, first, basis)
    assert (line.urgency, line.hemoglobin, line.decision) == ("same-day", 7.6, "recommend")
    with database.read() as connection:
        assert refresh.refresh(connection, "okafor", basis, at=AT + 1) is None
        assert assessments.line_of(connection, "okafor") == line
    take(database, hemoglobin("new", "okafor", 7.5, 21), key="again")
    with database.read() as connection:
        second = refresh.refresh(connection, "okafor", basis, at=AT + 2)
    with database.write() as connection:
        refresh.keep(connection, second, basis)
        told = jobs.claim(connection, "w", at=AT + 5, kinds=("notify",), most=9)
    assert len(told) <= 2


def test_decimals_stay_as_they_were_written(database):
    text = json.dumps(hemoglobin("hb", "p", 7.6, 20)).replace("7.6", "7.60")
    take(database, decode_json(text.encode()))
    with database.read() as connection:
        assert b"7.60" in facts.read_one(connection, "Observation", "hb").body
