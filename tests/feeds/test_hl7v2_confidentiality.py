"""S14: ORC-28 becomes a label of each result under its order."""

from __future__ import annotations

import pytest

from feeds.messages import obr, obx, oru, pid
from redcell.clinic.sensitivity.labels import ACT, CONFIDENTIALITY, Level, level_of
from redcell.sources.hl7v2.to_fhir import translate

pytestmark = pytest.mark.trust("S14")


def orc(code: str) -> str:
    return "|".join(["ORC", "RE", *[""] * 26, code])


def results(*segments) -> list[dict]:
    found = translate(oru(*segments))
    assert found.refusal is None, found.refusal
    return [one for one in found.resources if one["resourceType"] == "Observation"]


@pytest.mark.parametrize(
    ("sent", "system", "code", "level"),
    [
        ("U", CONFIDENTIALITY, "N", Level.OPEN),
        ("R", CONFIDENTIALITY, "R", Level.RESTRICTED),
        ("V", CONFIDENTIALITY, "V", Level.VERY),
        ("v^very restricted^HL70177", CONFIDENTIALITY, "V", Level.VERY),
        ("EMP", CONFIDENTIALITY, "R", Level.RESTRICTED),
        ("VIP", CONFIDENTIALITY, "R", Level.RESTRICTED),
        ("UWM", CONFIDENTIALITY, "V", Level.VERY),
        ("PSY", ACT, "PSY", Level.VERY),
        ("AID", ACT, "HIV", Level.VERY),
        ("HIV", ACT, "HIV", Level.VERY),
        ("ETH", ACT, "ETH", Level.VERY),
        ("OURS^of this hospital^L", CONFIDENTIALITY, "V", Level.VERY),
        ("^in words alone", CONFIDENTIALITY, "V", Level.VERY),
    ],
)
def test_each_code(sent, system, code, level):
    (found,) = results(pid(), orc(sent), obr(), obx())
    assert found["meta"]["security"] == [{"system": system, "code": code}]
    assert level_of(found) is level


@pytest.mark.parametrize("sent", ["", '""'])
def test_without_a_code_there_is_no_label(sent):
    (found,) = results(pid(), orc(sent), obr(), obx())
    assert "security" not in found["meta"]
    assert level_of(found) is Level.OPEN


def test_it_holds_for_every_order_up_to_the_next_one_that_says_otherwise():
    second, third = obr(2, "F2"), obr(3, "F3")
    found = results(pid(), orc("R"), obr(), obx(), second, obx(), orc("U"), third, obx())
    assert [level_of(one) for one in found] == [1, 1, 0]
    other = pid("99^^^HOSP^MR")
    found = results(pid(), orc("R"), obr(), obx(), other, second, obx())
    assert [level_of(one) for one in found] == [1, 0]


def test_several_codes_are_as_strict_as_the_strictest():
    (found,) = results(pid(), orc("U~R~HIV"), obr(), obx())
    assert level_of(found) is Level.VERY
