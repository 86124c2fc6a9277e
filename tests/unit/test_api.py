"""The Python interface."""

from datetime import UTC, date, datetime

import pytest

import redcell
from redcell.api import measurements
from redcell.errors import RedcellError, UnknownRuleError

AT = "2026-11-22T09:00:00Z"


@pytest.fixture(scope="module")
def review():
    return redcell.assess(redcell.read("demo::okafor"), at=AT)


def test_the_answers_are_at_hand(review):
    assert review.hemoglobin_g_dl == 7.6
    assert review.ctcae_grade == 3
    assert review.urgency == "same-day"
    assert review.decision == "recommend"
    assert next(iter(review.causes)) == "drug:capecitabine"
    assert "7.6 g/dL" in repr(review)


def test_a_moment_may_be_text_a_date_or_a_time():
    record = redcell.read("demo::okafor")
    times = [AT, datetime(2026, 11, 22, 9, tzinfo=UTC)]
    assert len({redcell.assess(record, at=at).to_json() for at in times}) == 1
    assert redcell.assess(record, at=date(2026, 11, 22)).to_dict()["at"] == "2026-11-22T00:00:00Z"
    with pytest.raises(RedcellError, match="not a FHIR date"):
        redcell.assess(record, at="yesterday")


def test_nothing_can_be_changed(review):
    with pytest.raises(AttributeError):
        review.steps.survey.grade = None
    with pytest.raises(AttributeError):
        review.urgency = "routine"


def test_findings_refuse_to_be_used_as_a_truth_value(review):
    with pytest.raises(TypeError, match=r"ask for its \.value"):
        bool(review.steps.survey.fall)


def test_frames(review):
    causes = review.to_frame()
    assert causes["probability"].sum() == pytest.approx(1.0, abs=0.01)
    table = measurements(redcell.read("demo::okafor"))
    assert table.filter(table["analyte"] == "hemoglobin")["value"].to_list()[-1] == 7.6


def test_notebooks_show_a_chart_and_an_inventory(review):
    assert "<svg" in review._repr_html_()
    assert "<table" in redcell.read("demo::okafor")._repr_html_()


def test_why_suggests_what_ran(review):
    assert "Observation/" in review.why("S-R9")
    with pytest.raises(UnknownRuleError, match="S-R"):
        review.why("S-R99")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'forecasts'"):
        _ = redcell.forecasts
