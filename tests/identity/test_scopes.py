"""S2: what SMART scopes grant, row by row. A scope that is not understood grants nothing."""

from __future__ import annotations

import pytest

from redcell.identity.caller import Caller
from redcell.identity.scopes import allows, granted

pytestmark = pytest.mark.trust("S2")

LAB = {"category": [{"coding": [{"system": "urn:cat", "code": "laboratory"}]}]}
VITAL = {"category": [{"coding": [{"system": "urn:cat", "code": "vital-signs"}]}]}
PLAIN: dict = {}
ODD = {"category": [{"text": "laboratory"}, "laboratory", {"coding": "laboratory"}]}
P, OBS = "Patient", "Observation"

# scope, type, letter, resource or none, granted?
ROWS = [
    ("patient/Observation.rs", OBS, "r", None, True),
    ("patient/Observation.rs", OBS, "s", None, True),
    ("patient/Observation.rs", OBS, "c", None, False),
    ("patient/Observation.rs", OBS, "u", None, False),
    ("patient/Observation.rs", OBS, "d", None, False),
    ("patient/Observation.rs", P, "r", None, False),
    ("patient/Observation.r", OBS, "s", None, False),
    ("patient/Observation.s", OBS, "r", None, False),
    ("patient/Observation.cruds", OBS, "d", None, True),
    ("patient/Observation.cu", OBS, "c", None, True),
    ("patient/Observation.cu", OBS, "r", None, False),
    ("patient/*.rs", P, "r", None, True),
    ("patient/*.rs", OBS, "s", None, True),
    ("patient/*.rs", OBS, "u", None, False),
    ("patient/*.cruds", OBS, "c", None, True),
    ("user/Observation.rs", OBS, "r", None, True),
    ("user/*.cruds", P, "u", None, True),
    ("system/Observation.rs", OBS, "r", None, True),
    ("system/*.rs", P, "s", None, True),
    ("system/*.rs", P, "c", None, False),
    ("system/*.cruds", P, "c", None, True),
    # version 1
    ("patient/Observation.read", OBS, "r", None, True),
    ("patient/Observation.read", OBS, "s", None, True),
    ("patient/Observation.read", OBS, "c", None, False),
    ("patient/Observation.write", OBS, "c", None, True),
    ("patient/Observation.write", OBS, "u", None, True),
    ("patient/Observation.write", OBS, "r", None, False),
    ("patient/*.read", P, "r", None, True),
    ("user/*.*", P, "d", None, True),
    ("system/*.read", OBS, "s", None, True),
    ("system/*.read", OBS, "u", None, False),
    # by category
    ("patient/Observation.rs?category=urn:cat|laboratory", OBS, "r", LAB, True),
    ("patient/Observation.rs?category=urn:cat|laboratory", OBS, "r", VITAL, False),
    ("patient/Observation.rs?category=urn:cat|laboratory", OBS, "r", PLAIN, False),
    ("patient/Observation.rs?category=urn:cat|laboratory", OBS, "r", ODD, False),
    ("patient/Observation.rs?category=urn:cat|laboratory", OBS, "r", None, True),
    ("patient/Observation.rs?category=urn:other|laboratory", OBS, "r", LAB, False),
    ("patient/Observation.rs?category=laboratory", OBS, "r", LAB, True),
    ("patient/Observation.rs?category=laboratory", OBS, "r", ODD, False),
    ("patient/Observation.rs?category=laboratory", OBS, "c", LAB, False),
    ("patient/Observation.rs?category=%6Caboratory", OBS, "r", LAB, True),
    ("patient/Observation.rs?category=", OBS, "r", None, False),
    ("patient/Observation.rs?code=718-7", OBS, "r", None, False),
    ("patient/Observation.rs?category=laboratory&code=718-7", OBS, "r", None, False),
    ("patient/Observation.rs?category=laboratory&category=vital-signs", OBS, "r", None, False),
    ("patient/Observation.rs?", OBS, "r", None, False),
    # not understood: nothing
    ("", OBS, "r", None, False),
    ("*", OBS, "r", None, False),
    ("openid", OBS, "r", None, False),
    ("launch/patient", P, "r", None, False),
    ("fhirUser", P, "r", None, False),
    ("patient/Observation", OBS, "r", None, False),
    ("patient/Observation.", OBS, "r", None, False),
    ("patient/Observation.sr", OBS, "r", None, False),
    ("patient/Observation.rr", OBS, "r", None, False),
    ("patient/Observation.rsx", OBS, "r", None, False),
    ("patient/Observation.READ", OBS, "r", None, False),
    ("patient/observation.rs", OBS, "r", None, False),
    ("patient/Obs*.rs", OBS, "r", None, False),
    ("Patient/Observation.rs", OBS, "r", None, False),
    ("admin/*.cruds", OBS, "r", None, False),
    ("patient/Observation.rs patient/Patient.rs", P, "r", None, False),
    (" patient/Observation.rs", OBS, "r", None, False),
    ("patient/Observation.rs\n", OBS, "r", None, False),
    ("patient\uff0fObservation.rs", OBS, "r", None, False),
]


@pytest.mark.parametrize(("scope", "kind", "letter", "resource", "yes"), ROWS)
def test_what_a_scope_grants(scope, kind, letter, resource, yes):
    launched = Caller("a", scopes=frozenset({scope}), launched="p")
    assert allows(launched, kind, letter, resource) is yes


def test_there_are_sixty_rows():
    assert len(ROWS) >= 60


def test_a_patient_scope_without_a_patient_grants_nothing():
    assert not allows(Caller("a", scopes=frozenset({"patient/*.rs"})), "Patient", "r")


def test_no_scopes_is_nothing_and_pages_have_none_at_all():
    assert not allows(Caller("a", scopes=frozenset()), "Patient", "r")
    assert allows(Caller("a", scopes=None), "Patient", "r")


def test_one_scope_of_several_is_enough():
    caller = Caller("a", scopes=frozenset({"nonsense", "user/Patient.r", "system/Observation.rs"}))
    assert allows(caller, "Observation", "s")
    assert allows(caller, "Patient", "r")
    assert not allows(caller, "Patient", "s")


@pytest.mark.parametrize(
    ("asked", "registered", "found"),
    [
        ("system/*.rs", "system/*.rs", ("system/*.rs",)),
        ("system/*.cruds", "system/*.rs", ("system/*.rs",)),
        ("system/*.rs", "system/Observation.rs", ("system/Observation.rs",)),
        ("system/Observation.rs", "system/*.cruds", ("system/Observation.rs",)),
        ("system/Observation.read", "system/*.rs", ("system/Observation.read",)),
        ("system/Patient.rs", "system/Observation.rs", ()),
        ("system/*.cd", "system/*.rs", ()),
        ("user/*.rs", "user/*.rs", ()),
        ("system/*.rs", "user/*.rs", ()),
        ("anything", "system/*.rs", ()),
        (
            "system/Observation.rs",
            "system/Observation.rs?category=laboratory",
            ("system/Observation.rs?category=laboratory",),
        ),
        ("system/Observation.rs?category=a", "system/Observation.rs?category=b", ()),
        (
            "system/Observation.r?category=a",
            "system/Observation.rs",
            ("system/Observation.r?category=a",),
        ),
        ("system/*.rs system/*.rs", "system/*.rs", ("system/*.rs",)),
        # the first of what is registered does not fit, the next one does
        ("system/Patient.rs", "system/Observation.rs system/Patient.rs", ("system/Patient.rs",)),
        ("system/Patient.rs", "user/Patient.rs system/Patient.rs", ("system/Patient.rs",)),
        (
            "system/Observation.r?category=a",
            "system/Observation.rs?category=b system/Observation.rs?category=a",
            ("system/Observation.r?category=a",),
        ),
    ],
)
def test_a_client_gets_no_more_than_it_is_registered_for(asked, registered, found):
    assert granted(asked.split(), registered.split(), frozenset({"system"})) == found
