"""S14: what labels and consents mean, and that what cannot be read restricts."""

from __future__ import annotations

import pytest

from redcell import clock
from redcell.clinic.sensitivity.consents import OUTSIDE, Audience, refusals
from redcell.clinic.sensitivity.labels import ACT, CONFIDENTIALITY, Level, level_of

pytestmark = pytest.mark.trust("S14")

NOW = clock.micros(clock.EPOCH.replace(year=2026, month=11, day=22))
PROGRAM, FAMILY = Audience.PROGRAM, Audience.FAMILY
LOINC = "http://loinc.org"


def labeled(*codings, **more) -> dict:
    return {"resourceType": "Observation", "id": "o1", "meta": {"security": list(codings)}, **more}


def conf(code: str) -> dict:
    return {"system": CONFIDENTIALITY, "code": code}


SENSITIVE = [
    "HIV",
    "PSY",
    "SUD",
    "ETH",
    "STD",
    "SEX",
    "SDV",
    "BH",
    "GDIS",
    "SCA",
    "MH",
    "OPIOIDUD",
    "NODSCLCD",
]


@pytest.mark.parametrize(
    ("codings", "level"),
    [
        ([], Level.OPEN),
        *(([conf(code)], Level.OPEN) for code in "ULMN"),
        ([conf("R")], Level.RESTRICTED),
        ([conf("V")], Level.VERY),
        ([conf("N"), conf("R")], Level.RESTRICTED),
        ([conf("R"), conf("V"), conf("N")], Level.VERY),
        *(([{"system": ACT, "code": code}], Level.VERY) for code in SENSITIVE),
        ([{"system": "urn:oid:2.16.840.1.113883.5.25", "code": "R"}], Level.RESTRICTED),
        ([{"system": "http://hl7.org/fhir/v3/ActCode", "code": "PSY"}], Level.VERY),
        ([{"system": "urn:our:tags", "code": "V"}], Level.OPEN),
        # what cannot be read
        ([conf("X")], Level.VERY),
        ([conf("r")], Level.VERY),
        ([{"system": CONFIDENTIALITY}], Level.VERY),
        ([{"system": CONFIDENTIALITY, "code": 7}], Level.VERY),
        ([{"code": "R"}], Level.RESTRICTED),
        ([{"display": "restricted"}], Level.VERY),
        (["R"], Level.VERY),
    ],
)
def test_levels(codings, level):
    assert level_of(labeled(*codings)) is level


def test_labels_that_are_no_list_or_stand_inside():
    assert level_of({"resourceType": "Observation", "meta": {"security": conf("R")}}) == 1
    assert level_of({"resourceType": "Observation", "meta": "none"}) == 0
    inside = {"resourceType": "Observation", "contained": [labeled(conf("V"))]}
    assert level_of(inside) is Level.VERY


SCOPE = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}


def consent(provision: object = None, **more) -> dict:
    return {
        "resourceType": "Consent",
        "id": "c1",
        "status": "active",
        "scope": {"coding": [SCOPE]},
        "provision": {"type": "deny"} if provision is None else provision,
        **more,
    }


def deny(**named) -> dict:
    return {"type": "deny", **named}


HEMOGLOBIN = {
    "resourceType": "Observation",
    "id": "o1",
    "code": {"coding": [{"system": LOINC, "code": "718-7"}]},
    "subject": {"reference": "Patient/p1"},
    "specimen": {"reference": "Specimen/s1"},
}
CONDITION = {"resourceType": "Condition", "id": "k1", "subject": {"reference": "Patient/p1"}}


def withheld(given: dict, resource: dict, audience: Audience) -> bool:
    return any(one.withholds(resource, audience) for one in refusals(given, NOW))


def test_a_refusal_that_names_nothing_is_about_everything_outside_the_care_team():
    for resource in (HEMOGLOBIN, CONDITION):
        assert withheld(consent(), resource, PROGRAM)
        assert withheld(consent(), resource, FAMILY)
        assert not withheld(consent(), resource, Audience.CARE)
        assert not withheld(consent(), resource, Audience.OWN)


TYPES = "http://hl7.org/fhir/resource-types"


@pytest.mark.parametrize(
    "named",
    [
        {"class": [{"system": TYPES, "code": "Observation"}]},
        {"code": [{"coding": [{"system": LOINC, "code": "718-7"}]}]},
        {"data": [{"meaning": "instance", "reference": {"reference": "Observation/o1"}}]},
        {"data": [{"meaning": "related", "reference": {"reference": "Specimen/s1"}}]},
        {"data": [{"meaning": "instance", "reference": {"reference": "https://x/Observation/o1"}}]},
        {"securityLabel": [conf("R")]},
    ],
)
def test_what_a_refusal_names_is_withheld_and_nothing_else(named):
    resource = HEMOGLOBIN | {"meta": {"security": [conf("V")]}}
    assert withheld(consent(deny(**named)), resource, PROGRAM)
    assert not withheld(consent(deny(**named)), CONDITION, PROGRAM)


@pytest.mark.parametrize(
    "unclear",
    [
        {"class": [{"system": "http://hl7.org/fhir/document-types", "code": "x"}]},
        {"code": [{"text": "everything about my blood"}]},
        {"data": [{"meaning": "authoredby", "reference": {"reference": "Practitioner/x"}}]},
        {"data": [{"meaning": "instance", "reference": {"display": "that letter"}}]},
        {"data": "Observation/o9"},
        {"securityLabel": [{"display": "private"}]},
        {"modifierExtension": [{"url": "urn:x"}], "code": [{"coding": [{"code": "z"}]}]},
        {"provision": [{"type": "permit"}], "class": [{"system": TYPES, "code": "Flag"}]},
        {"purpose": [{"display": "money"}]},
        {"class": 7},
    ],
)
def test_what_is_not_understood_withholds_the_whole_person(unclear):
    given = consent(deny(**unclear))
    assert {one.whole for one in refusals(given, NOW)} == {True}
    for audience in OUTSIDE:
        assert withheld(given, CONDITION, audience)
    assert not withheld(given, CONDITION, Audience.CARE)


def actor(reference: str) -> dict:
    return {"role": {"text": "who"}, "reference": {"reference": reference}}


@pytest.mark.parametrize(
    ("named", "bound"),
    [
        ({"actor": [actor("RelatedPerson/mother")]}, {FAMILY}),
        ({"actor": [actor("Organization/insurer")]}, {PROGRAM}),
        ({"actor": [actor("CareTeam/x")]}, OUTSIDE),
        ({"actor": [{"reference": {"display": "my boss"}}]}, OUTSIDE),
        ({"purpose": [{"system": "x", "code": "HRESCH"}]}, {PROGRAM}),
        ({"purpose": [{"system": "x", "code": "FAMRQT"}]}, {FAMILY}),
        ({"purpose": [{"system": "x", "code": "OTHER"}]}, OUTSIDE),
        (
            {"actor": [actor("RelatedPerson/m")], "purpose": [{"system": "x", "code": "HRESCH"}]},
            OUTSIDE,
        ),
    ],
)
def test_who_is_bound(named, bound):
    (found,) = refusals(consent(deny(**named)), NOW)
    assert found.audiences == bound


def test_what_is_not_in_force_or_not_about_sharing_withholds_nothing():
    for status in ("draft", "proposed", "rejected", "inactive", "entered-in-error"):
        assert refusals(consent(status=status), NOW) == ()
    for scope in ("treatment", "research", "adr"):
        assert refusals(consent(scope={"coding": [SCOPE | {"code": scope}]}), NOW) == ()
    assert refusals(consent(scope={"text": "Treatment"}), NOW) == ()
    assert refusals(consent({"type": "permit"}), NOW) == ()
    assert refusals(consent({}), NOW) == ()
    assert refusals(consent(deny(period={"end": "2026-11-01"})), NOW) == ()
    assert refusals(consent(deny(period={"start": "2027"})), NOW) == ()


def test_what_may_be_in_force_is():
    for period in (
        {"start": "2026-11-01", "end": "2026-12-01"},
        {"end": "2026"},
        {"end": "2026-11"},
        {"end": "2026-11-22"},
        {"start": "2026-11-22"},
        {"start": "one day", "end": "never"},
    ):
        assert refusals(consent(deny(period=period)), NOW), period
    assert refusals(consent(status="unheard"), NOW)
    assert refusals(consent(scope={"text": "what I share"}), NOW)
    assert refusals(consent("no"), NOW)


def test_a_refusal_inside_a_permission():
    inner = deny(**{"class": [{"system": TYPES, "code": "Condition"}]})
    given = consent({"type": "permit", "provision": [inner]})
    assert withheld(given, CONDITION, PROGRAM)
    assert not withheld(given, HEMOGLOBIN, PROGRAM)
