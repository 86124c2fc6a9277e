"""The chart shows what the record holds, and its table twin holds what the chart shows."""

import re
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace

import redcell
from builder import (
    AT,
    Said,
    Value,
    doses,
    held,
    irradiated,
    new,
    red_cells,
    review,
    taken,
)
from predictions import forecast_of, prediction, withheld
from redcell.outputs.chart import NARROW, WIDE, chart_data, svg, table

BUSY = {
    "hemoglobin": [(-160, 11.9), (-90, 10.4), (-30, 7.8), (-1, 8.9)],
    "therapy": {
        "capecitabine": held(-120, -70),
        "paclitaxel": doses(-60, -39, -18),
        "letrozole": taken(None, -100),
        "exemestane": taken(-20),
    },
    "radiation": [irradiated(("pelvis", 30.0), ("sacrum", 30.0), start=-80, end=-66)],
    "transfusions": [red_cells(-29, 2.0, hours=3)],
    "symptoms": {"fatigue": [Said(1, day=-20), new(2)], "dizziness": new(None)},
}


def okafor():
    steps = redcell.assess(redcell.read("demo::okafor"), at="2026-11-22T09:00:00Z").steps
    return replace(steps, forecast=None)


CASES = {
    "okafor": okafor,
    "busy": lambda: review(**BUSY),
    "no-count": lambda: review(hemoglobin=None),
    "one-count": lambda: review(hemoglobin=9.5),
    "held": lambda: review(hemoglobin=[(-1, 12.5), (0, 8.4)]),
}


@pytest.fixture(params=CASES)
def steps(request):
    return CASES[request.param]()


def drawn(picture):
    return sorted(int(n) for n in re.findall(r'data-row="(\d+)"', picture))


@pytest.mark.trust("X2")
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_every_row_of_the_table_is_drawn_once(steps, width):
    data = chart_data(steps)
    assert drawn(svg(data, width=width)) == list(range(len(table(data))))


@pytest.mark.trust("X2")
def test_table_equals_chart_data_row_by_row(steps):
    data = chart_data(steps)
    rows = table(data)
    assert len(rows) == len(data.marks)
    for row, mark in zip(rows, data.marks, strict=True):
        assert (row.what, row.value, row.note) == (mark.lane, mark.text, mark.note)
        assert row.reference == mark.reference


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_picture_is_accessible_and_self_contained(steps, width):
    data = chart_data(steps)
    picture = svg(data, width=width, ident="x")
    root = ET.fromstring(picture)  # noqa: S314  (our own output)
    assert root.get("role") == "img"
    named = {e.get("id"): e.text for e in root.iter() if e.get("id")}
    title, desc = (root.get("aria-labelledby") or "").split()
    assert named[title]
    assert data.summary in named[desc]
    assert "<script" not in picture
    assert not re.search(r'(?:href|src)="(?!#)', picture)
    assert "NaN" not in picture


def test_marks_of_a_busy_record():
    data = chart_data(review(**BUSY))
    assert [m.text for m in data.of("hemoglobin")] == [
        "11.9 g/dL",
        "10.4 g/dL",
        "7.8 g/dL",
        "8.9 g/dL",
    ]
    assert [m.lane for m in data.of("dose")] == ["paclitaxel"] * 3
    assert [m.lane for m in data.of("hold")] == ["capecitabine"]
    unknown = next(m for m in data.of("exposure") if m.lane == "letrozole")
    assert unknown.open_start
    assert unknown.note == "start not known"
    running = next(m for m in data.of("exposure") if m.lane == "exemestane")
    assert running.open_end
    assert [m.text for m in data.of("radiation")] == ["pelvis, sacrum 30 Gy"]
    assert [(m.text, m.value) for m in data.of("transfusion")] == [("2 units", 2.0)]
    graded = [(m.lane, m.text) for m in data.of("symptom")]
    assert graded == [
        ("fatigue", "grade 1"), ("fatigue", "grade 2"), ("dizziness", "grade not known"),
    ]  # fmt: skip
    assert len(data.of("due")) == 1


def test_lines_are_the_lower_limit_and_the_two_bands():
    data = chart_data(review(hemoglobin=Value(0, 9.5, low=11.7)))
    assert next((m.lane, m.value, m.note) for m in data.of("limit")) == (
        "lower limit",
        11.7,
        "laboratory",
    )
    assert [m.value for m in data.of("limit")][1:] == [8.0, 7.0]
    assert chart_data(review(hemoglobin=9.5)).of("limit")[0].note == "WHO"


@pytest.mark.trust("D5", "H1.4")
def test_a_count_that_failed_the_delta_check_is_struck_through_not_removed():
    data = chart_data(review(hemoglobin=[(-1, 12.5), (0, 8.4)]))
    first, held_count = data.of("hemoglobin")
    assert not first.struck
    assert held_count.struck
    assert "held" in held_count.note
    assert 'text-decoration="line-through"' in svg(data)
    assert "8.4" not in data.summary


def test_a_preliminary_count_has_its_own_shape():
    plain_picture = svg(chart_data(review(hemoglobin=Value(0, 9.5))))
    data = chart_data(review(hemoglobin=Value(0, 9.5, status="preliminary")))
    assert data.of("hemoglobin")[0].note == "preliminary"
    assert "l6 6-6 6-6-6z" in svg(data)
    assert "l6 6-6 6-6-6z" not in plain_picture


def test_the_last_24_weeks_are_shown_and_more_on_request():
    steps = review(hemoglobin=[(-200, 12.0), (-168, 11.0), (0, 9.5)])
    assert [m.value for m in chart_data(steps).of("hemoglobin")] == [11.0, 9.5]
    assert [m.value for m in chart_data(steps, weeks=30).of("hemoglobin")] == [12.0, 11.0, 9.5]
    assert chart_data(steps).since == AT.time - timedelta(weeks=24)


def test_symptoms_never_present_take_no_lane():
    data = chart_data(review(symptoms={"fatigue": 2}))
    assert {m.lane for m in data.of("symptom")} == {"fatigue"}


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([(-84, 10.4), (0, 7.6)], "Hemoglobin 10.4 to 7.6 g/dL in 12 weeks; 2 counts."),
        ([(-7, 9.0), (0, 9.0)], "Hemoglobin 9.0 to 9.0 g/dL in 1 week; 2 counts."),
        (9.5, "Hemoglobin 9.5 g/dL on 20 Nov 2026; no other count in 24 weeks."),
        (None, "No usable hemoglobin in the last 24 weeks."),
    ],
)
def test_one_sentence_says_what_the_picture_shows(counts, said):
    assert chart_data(review(hemoglobin=counts)).summary == said


def test_units_of_red_cells_are_in_the_sentence():
    assert chart_data(okafor()).summary == (
        "Hemoglobin 11.9 to 7.6 g/dL in 24 weeks; 12 counts, 1 red-cell unit."
    )


def test_two_pictures_on_one_page_share_no_id():
    data = chart_data(okafor())
    ids = [set(re.findall(r' id="([^"]+)"', svg(data, ident=name))) for name in ("a", "b")]
    assert ids[0]
    assert not ids[0] & ids[1]


# -- the forecast --------------------------------------------------------------------------------


def test_without_a_forecast_nothing_is_drawn_ahead():
    data = chart_data(okafor())
    assert (data.ribbon, data.fitted, data.ahead) == ((), (), "")
    held = chart_data(forecast_of(okafor(), withheld()))
    assert (held.ribbon, held.fitted, held.ahead) == ((), (), "")
    for none in (data, held):
        assert "forecast" not in svg(none)
        assert "rc-ahead" not in svg(none)


@pytest.fixture(scope="module")
def ahead():
    return chart_data(forecast_of(okafor(), prediction()))


def test_the_band_holds_the_forecast_day_by_day(ahead):
    found = prediction()
    assert [r.ahead for r in ahead.ribbon] == list(range(1, 29))
    assert [r.day.date() for r in ahead.ribbon] == [d.date for d in found.days]
    last, day = ahead.ribbon[-1], found.days[-1]
    assert (last.q05, last.q25, last.q50, last.q75, last.q95) == (
        day.q05, day.q25, day.q50, day.q75, day.q95,
    )  # fmt: skip


@pytest.mark.trust("H5.1")
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_forecast_adds_no_row_and_no_dot(ahead, width):
    bare = svg(chart_data(okafor()), width=width)
    picture = svg(ahead, width=width)
    assert drawn(picture) == drawn(bare)
    assert picture.count("<circle") == bare.count("<circle")
    assert picture.count("rc-ahead") == 2
    assert "stroke-dasharray" in re.search(r'<path class="rc-ahead"[^>]*>', picture)[0]
    assert "url(#chart-ahead)" in picture


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_band_lies_inside_the_picture_and_after_the_assessment(ahead, width):
    root = ET.fromstring(svg(ahead, width=width))  # noqa: S314  (our own output)
    _, _, right, bottom = (float(n) for n in root.get("viewBox").split())
    band = next(g for g in root.iter("{http://www.w3.org/2000/svg}g") if g.get("class"))
    places = re.findall(r"([\d.-]+),([\d.-]+)", band[0].get("d"))
    assert len(places) == 56
    now = float(re.search(r'<path d="M([\d.]+) 16V', svg(ahead, width=width))[1])
    assert all(now < float(x) <= right and 0 < float(y) < bottom for x, y in places)
    heights = [float(y) for _, y in places]
    assert heights[:28] < heights[:27:-1]


def test_the_picture_says_that_the_band_is_no_data(ahead):
    picture = svg(ahead)
    assert "The band ahead is a forecast, not data." in picture
    assert "about 6.8 in 28 days (about 4.8 to 8.7)" in picture
    assert ">forecast</text>" in picture


def test_the_course_through_the_counts_is_faint_and_inside(ahead):
    assert len(ahead.fitted) > 50
    assert all(ahead.since <= when <= ahead.at for when, _ in ahead.fitted)
    line = re.search(r'<path class="rc-fitted"[^>]*>', svg(ahead))[0]
    assert 'stroke-opacity=".45"' in line
    wild = replace(prediction(), fitted=tuple((d, 99.0) for d, _ in prediction().fitted))
    heights = re.findall(r",([\d.-]+)", re.search(
        r'rc-fitted" d="([^"]+)"', svg(chart_data(forecast_of(okafor(), wild))))[1])  # fmt: skip
    assert all(float(y) > 0 for y in heights)
