"""A forecast in words and figures: every code has a sentence, every range is hedged."""

import json
import re
from typing import get_args

import pytest
from msgspec.structs import replace

import redcell
from builder import review
from predictions import (
    AT,
    LOSSES,
    OKAFOR_AT,
    attribution,
    cells,
    course,
    forecast_of,
    prediction,
    quiet,
    what_if,
    withheld,
)
from redcell.knowledge.load import knowledge
from redcell.outputs.assessment import to_dict, to_json
from redcell.outputs.forecast import (
    Words,
    forecast_dict,
    forecast_page,
    what_if_dict,
    what_if_json,
    what_if_page,
)
from redcell.outputs.forecast.words import share, tenths
from redcell.outputs.text import page
from redcell.prediction import Day, Flag, Loss, Withheld

WORDING = knowledge().wording("forecast")
ADVISING = re.compile(
    r"\b(should|must|recommend\w*|advise[sd]?|need(?:s|ed)? to|please|repeat|ask|give|transfuse)\b",
    re.I,
)
RANGE = re.compile(r"(about )?[−+]?\d[\d.]* to [−+]?\d[\d.]*")


@pytest.fixture(scope="module")
def okafor():
    steps = redcell.assess(redcell.read("demo::okafor"), at=OKAFOR_AT).steps
    return replace(steps, forecast=None)


def block(steps, found):
    """The forecast on the assessment's page, its lines joined."""
    text = page(forecast_of(steps, found), color=False)
    lines = text[text.index("\nFORECAST") + 1 :].split("\nTRANSFUSION")[0]
    return lines


def joined(text):
    return re.sub(r"\s+", " ", text)


# -- the wording file ------------------------------------------------------------------------------


def test_every_code_has_a_sentence_and_no_sentence_lacks_a_code():
    assert set(WORDING["flag"]) == set(WORDING["flag_label"]) == set(get_args(Flag))
    assert set(WORDING["withheld"]) == set(WORDING["brings"]) == set(get_args(Withheld))


def test_sentences_are_sentences():
    for topic in ("flag", "withheld", "brings"):
        for key, text in WORDING[topic].items():
            assert text[0].isupper(), key
            assert text.endswith("."), key
            assert "  " not in text, key


def test_nothing_recommends():
    for topic, table in WORDING.items():
        for key, text in table.items():
            assert not ADVISING.search(text), f"{topic}.{key}: {text}"


@pytest.mark.trust("H5.1")
def test_every_range_in_the_wording_is_hedged():
    for key, text in WORDING["say"].items():
        for found in re.finditer(r"(\w+) \{low\} to \{high\}", text):
            assert found[1] == "about", key


@pytest.mark.trust("H5.1")
def test_the_note_says_that_it_is_advisory_and_not_validated():
    for key in ("text", "short"):
        assert "dvisory" in WORDING["note"][key]
        assert "not validated in people with metastatic breast cancer" in WORDING["note"][key]


# -- figures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (0.0, "under 0.01"), (0.0099, "under 0.01"), (0.01, "0.01"), (0.615, "0.62"),
        (0.99, "0.99"), (0.9951, "over 0.99"), (1.0, "over 0.99"),
    ],
)  # fmt: skip
def test_a_probability_is_never_bare_zero_or_one(probability, said):
    assert share(probability) == said


@pytest.mark.parametrize(
    ("value", "said"), [(7.25, "7.3"), (-0.04, "0.0"), (-0.7, "−0.7"), (12.0, "12.0")]
)
def test_figures_have_one_decimal_and_a_minus_sign(value, said):
    assert tenths(value) == said


# -- JSON ------------------------------------------------------------------------------------------


def test_without_a_forecast_it_is_null(okafor):
    assert to_dict(replace(okafor, forecast=None))["forecast"] is None


def test_a_withheld_forecast_has_the_same_keys_as_one_that_is_not():
    made, held = forecast_dict(prediction()), forecast_dict(withheld())
    assert list(made) == list(held)
    assert set(made["p_hb_below"]) == set(held["p_hb_below"]) == {"7", "8"}


def test_losses_still_sum_to_the_deficit():
    found = json.loads(json.dumps(forecast_dict(prediction())["attribution"]))
    assert sum(loss["g_dl"] for loss in found["losses"]) == pytest.approx(
        found["deficit"], abs=1e-6
    )
    assert found["set_point"] - found["hemoglobin"] == pytest.approx(found["deficit"], abs=1e-6)


def test_courses_are_rounded_to_hundredths():
    thirds = Day(1, AT.day, 7.33333, 0.66666, 6.00499, 7.0, 7.33333, 7.66666, 8.005)
    (day,) = forecast_dict(prediction(days=(thirds,)))["days"]
    assert [day[k] for k in ("mean", "sd", "q05", "q95")] == [7.33, 0.67, 6.0, 8.01]


def test_p_transfusion_28d_only_for_28_days():
    assert forecast_dict(prediction())["p_transfusion_28d"] == 0.615
    fortnight = prediction(transfusions=cells(within_days=14))
    assert forecast_dict(fortnight)["p_transfusion_28d"] is None


@pytest.mark.trust("P9", "H5.4")
def test_a_forecast_changes_nothing_else(okafor):
    bare, beside = to_dict(okafor), to_dict(forecast_of(okafor, prediction()))
    assert {k: v for k, v in bare.items() if k != "forecast"} == {
        k: v for k, v in beside.items() if k != "forecast"
    }


def test_the_same_forecast_gives_the_same_bytes(okafor):
    assert to_json(forecast_of(okafor, prediction())) == to_json(forecast_of(okafor, prediction()))


# -- where the hemoglobin went ---------------------------------------------------------------------


def disagreement(steps, found):
    return forecast_dict(prediction(attribution=found), steps)["attribution"]["disagrees"]


def test_agreement_is_silent(okafor):
    assert okafor.causes.leading.cause == "drug:capecitabine"
    assert disagreement(okafor, attribution()) is None


def test_a_disagreement_names_both_and_ranks_neither(okafor):
    said = disagreement(okafor, attribution(leading="radiotherapy"))
    assert said.startswith("The two views differ: by the rules capecitabine comes first (0.61)")
    assert "radiotherapy is the largest cause (about 1.0 g/dL)" in said
    assert "neither replaces the other" in said


def test_a_disagreement_names_no_cause_of_which_the_rules_are_unsure():
    unsure = review(hemoglobin=9.5, therapy="exemestane")
    said = disagreement(unsure, attribution(leading="radiotherapy"))
    assert said.startswith("By the rules no single cause stands out")


@pytest.mark.parametrize("leading", [None, "drug:unheard-of"])
def test_without_a_leading_loss_there_is_nothing_to_disagree_with(okafor, leading):
    assert disagreement(okafor, attribution(leading=leading)) is None
    assert disagreement(None, attribution(leading="radiotherapy")) is None
    assert disagreement(review(hemoglobin=13.0), attribution()) is None


def test_no_leading_cause_lists_what_was_not_tested(okafor):
    said = list(Words().leader(attribution(leading=None, drift_bayes_factor=None), okafor.gaps))
    assert "names no leading cause" in said[0]
    assert said[1] == "Not tested: ferritin, transferrin saturation, C-reactive protein."


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (5.2, "capacity explains the counts about 5 times better"),
        (3.0, "capacity explains the counts about 3 times better"),
        (1000.0, "about 100 or more times"), (0.8, "do not tell"), (0.2, "Treatment alone explains"),
    ],
)  # fmt: skip
def test_the_bayes_factor_in_words(factor, said):
    sentence, _ = Words().leader(attribution(drift_bayes_factor=factor))
    assert said in sentence


def test_a_share_that_rounds_to_nothing_is_left_out_of_sentences():
    found = attribution(losses=(*LOSSES, Loss("drug:letrozole", 0.04, 0.0, 0.1)))
    assert len(Words().losses(found)) == len(LOSSES)
    assert len(forecast_dict(prediction(attribution=found))["attribution"]["losses"]) == 7


def test_a_gain_is_said_to_hold_the_count_up():
    gain = Words().loss(Loss("transfusion", -0.7, -1.0, -0.4))
    assert gain == "red cells given: held up by about 0.7 g/dL (80 % range about 0.4 to 1.0)"
    lost = Words().loss(Loss("radiotherapy", 1.0, 0.5, 1.7))
    assert lost == "radiotherapy: about 1.0 g/dL (80 % range about 0.5 to 1.7)"
    assert "not below its usual level" in Words().deficit(attribution(deficit=-0.3))


# -- the assessment's page -------------------------------------------------------------------------


def test_no_forecast_no_block(okafor):
    assert "FORECAST" not in page(replace(okafor, forecast=None), color=False)


def test_a_quiet_forecast_is_one_line(okafor):
    said = block(okafor, quiet())
    assert "\n" not in said
    assert "not validated" in said


def test_an_alerting_forecast_is_one_short_block(okafor):
    said = block(okafor, prediction())
    assert said.count("\n") <= 12
    for words in (
        "about 7.4 g/dL in 7 days (90 % range about 6.5 to 8.3)", "less than 7 g/dL: 0.56",
        "at a threshold of 7 g/dL: probability 0.61", "about 1.1 units",
        "between about 2026-11-25 and 2026-12-09", "The next count is best on 2026-11-23",
        "some doses assumed", "not validated in people with metastatic breast cancer",
    ):  # fmt: skip
        assert words in joined(said)


@pytest.mark.trust("H5.3")
@pytest.mark.parametrize("reason", get_args(Withheld))
def test_a_withheld_forecast_says_why_and_what_would_bring_one(okafor, reason):
    said = joined(block(okafor, withheld(reason)))
    assert said.startswith("FORECAST No forecast: ")
    assert WORDING["withheld"][reason][1:] in said
    assert WORDING["brings"][reason] in said


@pytest.mark.parametrize("found", [prediction(), quiet(), prediction(days=course(1))])
def test_every_range_that_is_printed_is_hedged(okafor, found):
    pages = (block(okafor, found), forecast_page(found, okafor), what_if_page(what_if()))
    for text in pages:
        for hit in RANGE.finditer(joined(text)):
            assert hit[1], hit[0]


def test_a_short_course_names_its_last_day(okafor):
    said = block(okafor, prediction(days=course(1)))
    assert "in 1 day (90 %" in said


# -- the forecast's own page -----------------------------------------------------------------------


def test_the_page_has_the_course_the_losses_and_how_it_was_made(okafor):
    text = forecast_page(prediction(), okafor)
    for day in (1, 3, 7, 14, 21, 28):
        assert re.search(rf"^ +{day} +2026-1\d-\d\d +\d", text, re.M), day
    assert not re.search(r"^ +4 +2026", text, re.M)
    assert re.search(r"capecitabine +about 2\.3 +about 1\.6 to 3\.1 +0\.61", text)
    assert re.search(r"red cells given +about −0\.7 +about −1\.0 to −0\.4 +-", text)
    assert all(Words().cause(loss.cause) in text for loss in LOSSES)
    for words in ("seed 20261122", "priors literature", WORDING["flag"]["dose-assumed"],
                  WORDING["note"]["text"], "due no later than 2026-11-23"):  # fmt: skip
        assert words in joined(text)


def test_causes_that_only_the_rules_know_stand_below(okafor):
    text = forecast_page(prediction(), okafor)
    assert text.index("not explained") < text.index("anemia expected on endocrine therapy")


def test_the_page_stands_alone(okafor):
    text = forecast_page(prediction())
    assert "by the rules  " not in text
    assert "patient" not in text.splitlines()[0]
    differs = forecast_page(prediction(attribution=attribution(leading="radiotherapy")), okafor)
    assert "The two views differ" in differs


def test_a_page_without_a_forecast_shows_no_figure(okafor):
    text = forecast_page(withheld(), okafor)
    assert "No forecast" in text
    assert "g/dL" not in text
    assert "seed" in text


@pytest.mark.parametrize("width", [80, 96, 200])
@pytest.mark.parametrize("found", [prediction(), prediction(days=course(start=11.5)), withheld()])
def test_lines_never_pass_the_margin(okafor, found, width):
    for line in forecast_page(found, okafor, width=width).splitlines():
        assert len(line) <= min(width, 96), line


def test_color_is_an_addition(okafor):
    colored = forecast_page(prediction(), okafor, color=True)
    assert re.sub(r"\x1b\[[\d;]*m", "", colored) == forecast_page(prediction(), okafor)


# -- what if ---------------------------------------------------------------------------------------


def test_what_if_shows_both_courses_and_the_differences():
    text = what_if_page(what_if())
    said = joined(text)
    assert re.search(r"7 days +7\.4 \(about 6\.5 to 8\.3\) +7\.5 \(about", text)
    assert "difference +0.6 g/dL (80 % range about +0.2 to +0.9)" in said
    assert "0.62 as planned, 0.52 changed; no clear difference" in said
    assert "The later planned doses of the drug move" in said
    assert "not advice" in said
    assert WORDING["note"]["text"] in said


def test_a_what_if_without_a_forecast_says_so():
    held = replace(what_if(), planned=withheld(), changed=withheld())
    text = joined(what_if_page(held))
    assert text.count("No forecast") == 1
    assert "DIFFERENCE" not in text


def test_what_if_as_data():
    out = json.loads(what_if_json(what_if()))
    assert out == what_if_dict(what_if())
    assert out["schema"] == "redcell.what-if/1"
    first, second = out["differences"]
    assert (first["difference"], first["clear"], second["clear"]) == (0.56, True, False)
    assert [a["code"] for a in out["assumptions"]] == list(what_if().assumptions)
    assert all(a["text"].endswith(".") for a in out["assumptions"])
