"""The report and the letter as pages: complete, accessible, self-contained, two pages in print."""

import json
import re
import shutil
import subprocess
from collections import Counter
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest
from msgspec.structs import replace

import redcell
from builder import assess, irradiated, patient, red_cells, review, taken
from predictions import attribution, forecast_of, prediction, quiet, withheld
from redcell.knowledge.load import knowledge
from redcell.outputs.html import fragment, letter, report
from redcell.outputs.html.notes import short
from redcell.outputs.templates import FOLDER
from redcell.prediction import Flag

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WORDING = knowledge().wording("patient")


def cases():
    found = [("demo::okafor", "2026-11-22T09:00:00Z")]
    folders = [
        *sorted((ROOT / "tests" / "vignettes").iterdir()),
        ROOT.parent / "shared" / "examples" / "vignettes",
    ]
    for folder in (f for f in folders if (f / "expected.json").is_file()):
        expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
        found += [(str(folder / case["file"]), expected["at"]) for case in expected["cases"]]
    return [pytest.param(source, at, id=source.rpartition("/")[2]) for source, at in found]


CASES = cases()


@pytest.fixture(scope="module")
def okafor():
    steps = redcell.assess(redcell.read("demo::okafor"), at="2026-11-22T09:00:00Z").steps
    return replace(steps, forecast=None)


class Outline(HTMLParser):
    """Tags with their attributes, ids, links and headings of a page."""

    VOID = ("meta", "path", "rect", "circle", "link", "br", "img")

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.headings = [], [], []
        self.text = ""
        self.feed(page)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


# -- every page ----------------------------------------------------------------------------------


@pytest.mark.trust("U7")
@pytest.mark.parametrize(("source", "at"), CASES)
def test_pages_are_well_formed_and_complete(source, at):
    review = redcell.assess(redcell.read(source), at=at)
    for page in (review.to_html(), review.to_html(for_patient=True)):
        outline = Outline(page)
        structure(outline)
        self_contained(page, outline)
        assert "None" not in re.findall(r"\b\w+\b", outline.text)
        assert "nan" not in re.findall(r"\b\w+\b", outline.text)
    Outline(review._repr_html_())


def structure(outline):
    """Language, landmarks, one h1, no skipped level, table headers, unique ids, live labels."""
    names = Counter(name for name, _ in outline.tags)
    assert outline.all("html")[0]["lang"] == "en-US"
    assert names["main"] == names["h1"] == 1
    assert names["header"] == names["footer"] == 1
    for before, after in zip(outline.headings, outline.headings[1:], strict=False):
        assert after <= before + 1
    assert all(attrs.get("scope") for attrs in outline.all("th"))
    ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in outline.tags:
        for name in (attrs.get("aria-labelledby") or "").split():
            assert name in ids
    for attrs in outline.all("a"):
        assert attrs["href"].removeprefix("#") in ids


def self_contained(page, outline):
    """No script, no request of any kind."""
    assert not outline.all("script")
    assert not outline.all("link")
    assert not re.search(r"@import|url\((?!#)|(?:src|href)=\"(?!#)", page)
    assert not any(key.startswith("on") for _, attrs in outline.tags for key in attrs)


@pytest.mark.parametrize(("source", "at"), CASES)
def test_report_says_everything_that_the_contract_has(source, at):
    review = redcell.assess(redcell.read(source), at=at)
    page, out = review.to_html(), review.to_dict()
    text = Outline(page).text
    for heading in ("Used, not used, not known", "Options for the team (you decide)", "Next count"):
        assert heading in text
    assert "not a cleared medical device" in text
    for flag in out["red_flags"]:
        assert flag["statement"] in text
    for precaution in out["transfusion"]["precautions"]:
        assert precaution["text"] in text
    for option in out["alternatives"]:
        assert all(reason in text for reason in option["because"])
    for warning in out["warnings"]:
        assert warning["text"] in text
    for finding in out["findings"]:
        assert finding["statement"] in text
        assert f'id="n{finding["id"][1:]}"' in page


def test_sections_come_in_the_order_of_need(okafor):
    text = Outline(report(okafor)).text
    order = [
        "Anemia review: okafor, female, 62 years", "not a cleared medical device",
        "Urgency: same day", "Blood count: anemic", "CTCAE v5.0", "WHO severity",
        "Hemoglobin 11.9 to 7.6 g/dL in 24 weeks", "No forecast was asked for", "Likely causes",
        "Asked and absent", "Options for the team", "Used, not used, not known", "Findings, sources",
    ]  # fmt: skip
    places = [text.index(words) for words in order]
    assert places == sorted(places)


@pytest.mark.trust("S1.3")
def test_grade_and_who_class_stand_side_by_side_never_merged(okafor):
    page = report(okafor)
    assert re.search(r"<dt>CTCAE v5\.0.*?<b>grade 3</b>", page, re.S)
    assert re.search(r"<dt>WHO severity.*?<b>severe</b>", page, re.S)


@pytest.mark.trust("H6.3")
def test_no_single_cause_is_named_below_the_limit(okafor):
    assert "No single cause stands out" not in report(okafor)
    unsure = review(hemoglobin=9.5, therapy="exemestane")
    assert unsure.causes.leading.probability < 0.6
    assert "No single cause stands out" in report(unsure)


def test_evidence_stands_for_and_against_with_its_weight(okafor):
    page = report(okafor)
    first = page[page.index("<span>capecitabine</span>") : page.index("<span>radiotherapy</span>")]
    assert "×2" in first
    assert "Nothing on record." in first
    bleeding = report(review(hemoglobin=8.5, therapy="paclitaxel", symptoms={"melena": 2}))
    against = bleeding[bleeding.index("<h4>Against</h4><ul>") :]
    assert "×0." in against[: against.index("</ul>")]


# -- the forecast ----------------------------------------------------------------------------------

FORECASTS = {
    "full": prediction(),
    "quiet": quiet(),
    "withheld": withheld(),
    "bare": prediction(transfusions=None, attribution=None, next_count=None, p_below={}, fitted=()),
    "flags": prediction(flags=get_args(Flag), attribution=attribution(leading="radiotherapy")),
}


@pytest.fixture(params=FORECASTS)
def foreseen(request, okafor):
    return forecast_of(okafor, FORECASTS[request.param])


def test_pages_with_a_forecast_are_well_formed(foreseen):
    page = report(foreseen)
    outline = Outline(page)
    structure(outline)
    self_contained(page, outline)
    assert "No forecast was asked for" not in outline.text
    assert "not validated in people with metastatic breast cancer" in outline.text
    assert "None" not in re.findall(r"\b\w+\b", outline.text)
    Outline(fragment(foreseen))


@pytest.mark.trust("H5.1")
def test_the_forecast_stands_under_the_picture_with_numbers_and_table(okafor):
    steps = forecast_of(okafor, prediction())
    text = Outline(report(steps)).text
    order = [
        "Band to the right: a forecast, not data", "The forecast as a table",
        "in 21 days", "Hemoglobin ahead", "of less than 7 g/dL: 0.56",
        "Red cells and the next count", "probability 0.61", "between about 25 Nov 2026 and",
        "The next count is best on 23 Nov 2026", "Where the hemoglobin went, by the model",
        "capecitabine: about 2.3 g/dL (80 % range about 1.6 to 3.1)",
        "To know about this forecast", "seed 20261122", "Likely causes",
    ]  # fmt: skip
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_a_disagreement_with_the_rules_is_said(okafor):
    assert "The two views differ" not in report(forecast_of(okafor, prediction()))
    assert "The two views differ" in report(forecast_of(okafor, FORECASTS["flags"]))


def test_a_quiet_forecast_is_a_sentence_and_a_band(okafor):
    page = report(forecast_of(okafor, quiet()))
    assert "<b>Forecast:</b> About 12.9 g/dL in 28 days" in page
    assert "rc-ahead" in page
    assert 'id="h-forecast"' not in page


def test_a_withheld_forecast_is_a_sentence_without_a_band(okafor):
    steps = forecast_of(okafor, withheld())
    for page in (report(steps), fragment(steps)):
        assert "Tests on record suggest that red cells are destroyed early" in page
        assert "would bring a forecast" in page
        assert "rc-ahead" not in page


def test_the_fragment_has_the_band_its_table_and_the_note(okafor):
    page = fragment(forecast_of(okafor, prediction()))
    assert "rc-ahead" in page
    assert "The forecast, not data: measured hemoglobin" in page
    assert "not validated in people" in page


@pytest.mark.trust("X5", "P9")
def test_no_forecast_reaches_the_letter(foreseen, okafor):
    assert letter(foreseen) == letter(okafor)


def test_the_sites_policy_is_named(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text('[policy]\nname = "St. Example"\nversion = "7"\n', encoding="utf-8")
    assert "Site policy: St. Example 7" in report(assess(patient(), path))
    assert "Site policy" not in report(assess(patient()))


@pytest.mark.trust("S6")
def test_words_of_a_record_are_escaped():
    record = patient(hemoglobin=9.5)
    record = replace(record, patient=replace(record.patient, id="<script>alert(1)</script>"))
    steps = assess(record)
    for page in (report(steps), letter(steps), fragment(steps)):
        assert "<script" not in page
    assert "&lt;script&gt;" in report(steps)


@pytest.mark.trust("S1.5")
def test_asymptomatic_is_said_as_loudly():
    assert "the grade counts all the same" in report(review(hemoglobin=8.5, symptoms={}))


def test_symptoms_that_nobody_asked_about_are_not_known():
    assert "not known, not none" in report(review(hemoglobin=8.5, symptoms=None))


def test_without_a_count_the_page_says_so():
    page = report(review(hemoglobin=None))
    assert "No usable hemoglobin in the last 24 weeks" in page
    assert "No causes are weighed" in page


def test_references_are_shortened_by_their_common_beginning():
    found = short(["Observation/x-1", "Observation/x-12", "Patient/p", "Observation/y"])
    assert found == "Observation/x-1, -12; Patient/p; Observation/y"


def test_the_fragment_holds_chart_and_key_facts(okafor):
    page = fragment(okafor)
    assert "<svg" in page
    assert "Urgency: <b>same day</b>" in page
    assert "<table" in page
    other = redcell.assess(redcell.read("demo::okafor"), at="2026-11-21T09:00:00Z").steps
    ids = [set(re.findall(r' id="([^"]+)"', p)) for p in (page, fragment(other))]
    assert not ids[0] & ids[1]


# -- the letter ------------------------------------------------------------------------------------

FORBIDDEN = (
    r"\d\s?%", r"\bprobab", r"\bforecast", r"\brecommend", r"\bodds\b", r"you (?:may )?need blood",
    r"should (?:get|have) blood", r"\b0\.\d", r"\b[A-Z]-?[A-Z]?\d{1,2}[a-z]?\b(?=[\],;])",
)  # fmt: skip


@pytest.mark.trust("X5")
@pytest.mark.parametrize(("source", "at"), CASES)
def test_no_letter_holds_a_probability_or_computed_advice(source, at):
    review = redcell.assess(redcell.read(source), at=at)
    text = Outline(review.to_html(for_patient=True)).text
    body = text[: text.index(WORDING["letter"]["source_heading"])]
    body = re.sub(r"went (?:up|down) by \d\.\d+", "", body)
    for pattern in FORBIDDEN:
        assert not re.search(pattern, body, re.I), re.search(pattern, body, re.I)
    for cause in review.steps.causes.ranked:
        if cause.drug:
            assert review.steps.case.knowledge.drugs[cause.drug].name not in body


@pytest.mark.trust("H4.1")
@pytest.mark.parametrize(("source", "at"), CASES)
def test_every_letter_has_every_call_rule(source, at):
    text = Outline(redcell.assess(redcell.read(source), at=at).to_html(for_patient=True)).text
    for key, rule in WORDING["call"].items():
        if key != "hospice":
            assert rule in text
    assert "____" in text


@pytest.mark.trust("X5")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"diagnoses": {"cardiovascular-disease": True}}, {}),
        ({"refusal": "clear"}, {}),
        ({"prognosis_weeks": 2}, {}),
        ({"platelets": 60.0}, {}),
    ],
)
def test_a_decision_never_changes_the_letter(one, other):
    base = {
        "hemoglobin": [(-7, 8.0), (0, 7.5)],
        "therapy": "paclitaxel",
        "symptoms": {"headache": 1},
    }
    assert letter(review(**base, **one)) == letter(review(**base, **other))


def test_the_decisions_of_the_last_test_do_differ():
    base = {
        "hemoglobin": [(-7, 8.0), (0, 7.5)],
        "therapy": "paclitaxel",
        "symptoms": {"headache": 1},
    }
    decisions = {
        review(**base, **more).transfusion.verdict.value.decision
        for more in ({}, {"refusal": "clear"}, {"diagnoses": {"cardiovascular-disease": True}})
    }
    assert decisions == {"consider", "declined", "recommend"}


@pytest.mark.parametrize(
    ("value", "zone"),
    [
        (3.0, "very low"), (7.99, "very low"), (8.0, "low"), (9.99, "low"), (10.0, "a bit low"),
        (11.99, "a bit low"), (12.0, "usual"), (17.0, "usual"),
    ],
)  # fmt: skip
def test_the_number_line_has_words(value, zone):
    page = letter(review(hemoglobin=value))
    assert f"This is {zone}." in page
    place = float(re.search(r'<path d="M([\d.]+) 47', page)[1])
    left = 10 + ["very low", "low", "a bit low", "usual"].index(zone) * 85
    assert left < place < left + 85


def test_the_line_ends_at_the_laboratorys_own_limit():
    page = letter(review(hemoglobin=11.8, limit=11.7))
    assert "The usual range starts at 11.7." in page
    assert "This is usual." in page


def test_a_result_that_must_be_checked_is_not_shown_as_a_count():
    steps = review(hemoglobin=[(-1, 12.5), (0, 8.4)])
    page = letter(steps)
    assert "must be checked first" in page
    assert "<svg" not in page
    assert "Your hemoglobin was" not in page


def test_without_a_count_the_letter_says_so():
    assert WORDING["letter"]["unknown"] in letter(review(hemoglobin=None))


def test_what_the_patient_said_is_given_back_in_words():
    page = letter(review(hemoglobin=9.0, symptoms={"fatigue": 2, "dizziness": "present"}))
    assert "moderate" in page
    assert "you have it" in page
    assert "none of the signs" in letter(review(hemoglobin=9.0, symptoms={}))
    assert "What you told us" not in letter(review(hemoglobin=9.0, symptoms=None))


def test_changes_between_counts_are_own_data_only():
    assert "went down by 1.5" in letter(review(hemoglobin=[(-7, 10.0), (0, 8.5)]))
    assert "went up by 0.5" in letter(review(hemoglobin=[(-7, 8.0), (0, 8.5)]))
    assert "the same as on" in letter(review(hemoglobin=[(-7, 8.5), (0, 8.5)]))
    assert "more than a week old" in letter(review(hemoglobin=[(-10, 8.5)]))
    after = letter(review(hemoglobin=[(-3, 8.5)], transfusions=[red_cells(-1)]))
    assert "may be different now" in after


@pytest.mark.trust("S8.1", "S8.2")
def test_pages_follow_the_record():
    text = letter(review(hemoglobin=9.0, therapy={"paclitaxel": taken()}))
    assert "Radiation can slow" not in text
    assert "Drugs that fight cancer" in text
    text = letter(review(hemoglobin=9.0, radiation=[irradiated(("pelvis", 30.0))]))
    assert "Radiation can slow" in text
    assert "Would iron help you?" in letter(review(hemoglobin=9.0, ferritin=None, tsat=None))


def test_hospice_on_record_names_its_line():
    assert WORDING["call"]["hospice"] in letter(review(hemoglobin=9.0, hospice=True))
    assert WORDING["call"]["hospice"] not in letter(review(hemoglobin=9.0))


@pytest.mark.trust("S8.2")
def test_someone_who_is_not_anemic_gets_no_page_about_treating_it():
    page = letter(review(hemoglobin=13.0))
    assert WORDING["letter"]["help_heading"] not in page
    assert WORDING["education"]["what-anemia-is"] not in page


# -- how it looks ----------------------------------------------------------------------------------


def tokens():
    css = (FOLDER / "tokens.css").read_text(encoding="utf-8")
    light = css[: css.index("@media")]
    dark = css[css.index("(prefers-color-scheme:dark)") : css.index("(forced-colors")]
    base = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{3,6})", light))
    return {"light": base, "dark": base | dict(re.findall(r"--([\w-]+):(#[0-9a-f]{3,6})", dark))}


def luminance(color):
    digits = color.lstrip("#")
    digits = "".join(c * 2 for c in digits) if len(digits) == 3 else digits
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


TEXT = [
    ("ink", "paper"), ("ink", "card"), ("soft", "paper"), ("soft", "card"), ("link", "paper"),
    ("link", "card"), ("alarm", "alarm-paper"), ("ink", "alarm-paper"), ("warn", "warn-paper"),
    ("ink", "warn-paper"), ("link", "warn-paper"), ("link", "alarm-paper"), ("link", "calm-paper"),
    ("calm", "calm-paper"), ("ink", "calm-paper"), ("ink", "rc-drug-fill"),
]  # fmt: skip
SHAPES = [(name, "paper") for name in ("rc-hb", "rc-drug", "rc-ray", "rc-blood")]


@pytest.mark.trust("U1")
@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(("pair", "least"), [(p, 4.5) for p in TEXT] + [(p, 3.0) for p in SHAPES])
def test_contrast(mode, pair, least):
    one, other = (luminance(tokens()[mode][name]) for name in pair)
    assert (max(one, other) + 0.05) / (min(one, other) + 0.05) >= least


def chromium(*arguments):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    return subprocess.run(
        [*command, *arguments], check=True, capture_output=True, text=True, timeout=120
    )


needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@needs_chromium
@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_print_with_a_forecast_takes_two_pages_at_most(okafor, paper, tmp_path):
    assert 1 <= pages_of(report(forecast_of(okafor, prediction())), paper, tmp_path) <= 2
    made = redcell.assess(redcell.read("demo::okafor"), at="2026-11-22T09:00:00Z")
    assert 1 <= pages_of(made.to_html(), paper, tmp_path) <= 2


def pages_of(page, paper, folder):
    """How many sheets a page takes in print."""
    page = page.replace("size:auto", f"size:{paper}")
    assert f"size:{paper}" in page
    source, printed = folder / "page.html", folder / "page.pdf"
    source.write_text(page, encoding="utf-8")
    chromium("--no-pdf-header-footer", f"--print-to-pdf={printed}", str(source))
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", printed.read_bytes()))


@pytest.mark.trust("U3")
@needs_chromium
@pytest.mark.parametrize("paper", ["A4", "Letter"])
@pytest.mark.parametrize("make", [report, letter], ids=["report", "letter"])
def test_print_takes_two_pages_at_most(okafor, make, paper, tmp_path):
    assert 1 <= pages_of(make(okafor), paper, tmp_path) <= 2


@needs_chromium
@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("make", [report, letter], ids=["report", "letter"])
def test_nothing_scrolls_sideways(okafor, make, width, tmp_path):
    page = make(forecast_of(okafor, prediction())).replace(
        '<details class="onscreen">', '<details open class="onscreen">'
    )
    frame = (
        f'<iframe id="f" style="border:0;width:{width}px;height:900px" srcdoc="{escape(page)}">'
        "</iframe><script>f.onload=()=>{document.title='w'+"
        "f.contentDocument.documentElement.scrollWidth}</script>"
    )
    source = tmp_path / "frame.html"
    source.write_text(frame, encoding="utf-8")
    shown = chromium("--virtual-time-budget=3000", "--dump-dom", str(source)).stdout
    assert f"<title>w{width}</title>" in shown
