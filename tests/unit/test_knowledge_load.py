"""Reading the knowledge base: one object, cited numbers, frozen entries, strict shapes."""

from __future__ import annotations

import msgspec
import pytest

from redcell.knowledge.entries import Analyte, Drug, NumberEntry
from redcell.knowledge.load import Cited, Knowledge, knowledge


def test_one_knowledge_base_serves_every_patient():
    assert knowledge() is knowledge()
    assert knowledge().policy is None


def test_a_number_carries_its_unit_meaning_and_citation():
    cited = knowledge().number("transfusion.restrictive_hb")
    assert (cited.value, cited.unit) == (7.0, "g/dL")
    assert "AABB" in cited.citation
    assert "T10" in cited.citation
    assert cited.mark in cited.citation
    assert not cited.site
    assert str(cited) == "7 g/dL"


def test_a_table_shows_its_rows():
    cited = knowledge().number("transfusion.target_restrictive")
    assert cited.rows == ((7.0, 9.0),)
    assert str(cited) == "7, 9"


def test_the_numbers_of_a_rule_are_the_same_objects_at_every_call():
    base = Knowledge()
    keys = {"limit": "urgency.spo2_limit"}
    assert base.numbers("a.rule", keys) is base.numbers("a.rule", keys)
    assert base.numbers("a.rule", keys)["limit"] is base.number("urgency.spo2_limit")


def test_cited_numbers_are_frozen():
    with pytest.raises(AttributeError):
        knowledge().number("urgency.spo2_limit").value = 50  # type: ignore[misc]


@pytest.mark.parametrize("key", ["urgency.nothing", "nothing.at_all"])
def test_an_unknown_number_is_an_error_not_a_zero(key):
    with pytest.raises((KeyError, OSError)):
        knowledge().number(key)


def test_every_key_can_be_read_and_is_finite_or_says_that_it_has_no_limit():
    for key in knowledge().keys():  # noqa: SIM118  (a method of Knowledge, not a mapping)
        cited = knowledge().number(key)
        assert isinstance(cited, Cited)
        assert cited.rows or cited.value == cited.value, key
        assert cited.rows or abs(cited.value) < float("inf") or key.startswith("freshness."), key


@pytest.mark.parametrize("kind", [NumberEntry, Analyte, Drug])
def test_a_misspelled_key_in_a_knowledge_file_is_refused(kind):
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"meaning": "x"}, kind)


@pytest.mark.parametrize(
    ("analyte", "sex", "limits"),
    [
        ("hemoglobin", "female", (12.0, 15.5)), ("hemoglobin", "male", (13.5, 17.5)),
        ("ferritin", "unknown", (15, 150)), ("ldh", "male", (120, 246)),
        ("folate", "female", (4, None)), ("crp", "female", (None, 5)), ("free-t4", "female", (None, None)),
    ],
)  # fmt: skip
def test_adult_limits(analyte, sex, limits):
    assert knowledge().analytes[analyte].limits(sex) == limits


def test_ambiguous_agents_are_drugs_of_their_class():
    drug = knowledge().drugs["ambiguous-her2-agent"]
    assert drug.drug_class == "antibody-drug-conjugate"
    assert drug.rate is None


def test_citations_name_source_rule_and_mark():
    said = knowledge().citations("T10")
    assert said
    assert all("T10" in text for text in said)
    assert knowledge().citations("T10") is said
    assert knowledge().setting("altitude_m") is None
