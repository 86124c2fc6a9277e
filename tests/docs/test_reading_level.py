"""What patients read is easy to read: grade 8 at most, 6.5 on average, short sentences."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from statistics import mean

import pytest

import redcell
from redcell.knowledge.load import knowledge
from redcell.outputs.readability import WORD, read, sentences, syllables

ROOT = Path(__file__).resolve().parents[2]
WORDING = knowledge().wording("patient")
TOPICS = ("self_care", "education", "call", "letter")
TEXTS = {f"{topic}.{key}": text for topic in TOPICS for key, text in WORDING[topic].items()}
GRADE, MEAN, SMOG, WORDS, LONG, SMOG_FROM = 8.0, 6.5, 9.0, 20, 30, 30

DRUGS = {
    part
    for drug in knowledge().drugs.values()
    for name in (drug.name, *drug.brands)
    for part in WORD.findall(name.lower())
}


# -- the measure itself, against published values ------------------------------------------------


def test_the_published_sample_sentence():
    """Published: 24 syllables, 13 words, grade 11.3 (Flesch-Kincaid, the platypus sentence)."""
    text = "The Australian platypus is seemingly a hybrid of a mammal and reptilian creature."
    counted = read(text)
    assert (counted.sentences, counted.words, counted.syllables) == (1, 13, 24)
    assert round(counted.flesch_kincaid, 1) == 11.3


def test_the_easiest_sentence():
    """Six words of one syllable: 0.39 x 6 + 11.8 - 15.59 = -1.45."""
    assert read("The cat sat on the mat.").flesch_kincaid == pytest.approx(-1.45)


@pytest.mark.parametrize(("long_words", "grade"), [(1, 4), (4, 5), (9, 6), (16, 7), (25, 8)])
def test_smog_agrees_with_mcgraws_conversion_table(long_words, grade):
    """Published table for 30 sentences: 0-2 long words are grade 4, 3-6 grade 5, 7-12 grade 6."""
    text = " ".join(["An emergency came."] * long_words + ["It came."] * (30 - long_words))
    counted = read(text)
    assert (counted.sentences, counted.polysyllables) == (30, long_words)
    assert round(counted.smog) == grade


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("blood", 1), ("cells", 1), ("tired", 2), ("people", 2), ("table", 2), ("breathe", 1),
        ("medicine", 3), ("radiation", 4), ("hemoglobin", 4), ("emergency", 4), ("being", 2),
        ("needed", 2), ("stopped", 1), ("changes", 2), ("causes", 2), ("anemia", 4), ("usual", 3),
        ("area", 3), ("quiet", 2), ("serious", 3), ("special", 2), ("safely", 2), ("movement", 2),
        ("transfusion", 3), ("seizure", 2), ("the", 1), ("it's", 1),
    ],
)  # fmt: skip
def test_syllables(word, count):
    assert syllables(word) == count


def test_an_abbreviation_or_a_number_is_no_sentence_end():
    assert len(sentences("Your count was 7.6 on that day. Ask why.")) == 2
    assert read("").flesch_kincaid == 0.0


def test_named_words_are_left_out():
    assert read("Take capecitabine now.", skip={"capecitabine"}).words == 2


# -- every sentence for patients -----------------------------------------------------------------


@pytest.mark.trust("U5", "X8")
@pytest.mark.parametrize("name", TEXTS)
def test_each_long_text_is_easy(name):
    counted = read(TEXTS[name], DRUGS)
    if counted.words >= LONG:
        assert counted.flesch_kincaid <= GRADE, counted


@pytest.mark.trust("U5", "X8")
def test_the_texts_are_easy_on_average():
    graded = [read(text, DRUGS) for text in TEXTS.values()]
    assert mean(r.flesch_kincaid for r in graded if r.words) <= MEAN


@pytest.mark.trust("U5", "X8")
@pytest.mark.parametrize("name", TEXTS)
def test_sentences_are_short(name):
    for sentence in sentences(TEXTS[name]):
        assert len(WORD.findall(sentence)) <= WORDS, sentence


def test_every_id_of_the_plan_has_a_text():
    schema = (
        "sleep", "take-breaks", "pace-yourself", "stay-active", "light-activity", "no-exercise-plan",
        "protect-bones", "bleeding-care",
    )  # fmt: skip
    assert set(schema) == set(WORDING["self_care"])
    pages = {key.partition(".")[0] for key in WORDING["education"]}
    assert pages == {
        "what-anemia-is", "treatment-and-anemia", "radiation-and-marrow", "cancer-in-marrow",
        "blood-tests", "symptoms-to-report", "transfusion-what-to-expect", "iron-and-food",
        "esa-medicines", "fatigue", "living-and-work", "palliative-care",
    }  # fmt: skip


@pytest.mark.trust("S8.1")
def test_every_page_names_its_source():
    named = set(WORDING["source"])
    ids = {*WORDING["self_care"], *(k.partition(".")[0] for k in WORDING["education"]), "call"}
    assert ids <= named


@pytest.mark.trust("H12.2", "S5.2")
def test_only_enough_iron_under_treatment_hears_that_iron_does_not_help():
    saying = [
        name
        for name, text in TEXTS.items()
        if re.search(r"not (?:been shown to )?(?:help|raise)", text)
    ]
    assert saying == ["education.iron-and-food.enough_treatment"]


# -- whole letters -------------------------------------------------------------------------------


class Prose(HTMLParser):
    """The running text of a page: one line per block; no pictures, styles or bibliography."""

    BLOCKS = ("p", "li", "h1", "h2", "dt", "dd", "th", "td", "caption")

    def __init__(self):
        super().__init__()
        self.lines, self.hidden = [""], 0

    def handle_starttag(self, tag, attrs):
        if tag in ("style", "svg", "title", "table") or dict(attrs).get("class") == "source":
            self.hidden += 1
        if tag in self.BLOCKS:
            self.lines.append("")

    def handle_endtag(self, tag):
        if tag in ("style", "svg", "title", "table") or (tag == "p" and self.hidden):
            self.hidden = max(0, self.hidden - 1)

    def handle_data(self, data):
        if not self.hidden:
            self.lines[-1] += data


def prose(page):
    parser = Prose()
    parser.feed(page)
    return "\n".join(line.strip() for line in parser.lines if line.strip())


def cases():
    found = [("demo::okafor", "2026-11-22T09:00:00Z")]
    folders = [
        *sorted((ROOT / "tests" / "vignettes").iterdir()),
        ROOT.parent / "shared/examples/vignettes",
    ]
    for folder in (f for f in folders if (f / "expected.json").is_file()):
        expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
        found += [(str(folder / case["file"]), expected["at"]) for case in expected["cases"]]
    return [pytest.param(source, at, id=source.rpartition("/")[2]) for source, at in found]


@pytest.mark.parametrize(("source", "at"), cases())
def test_the_whole_letter_is_easy(source, at):
    letter = redcell.assess(redcell.read(source), at=at).to_html(for_patient=True)
    counted = read(prose(letter), DRUGS)
    assert counted.words > 250
    assert counted.flesch_kincaid <= GRADE
    if counted.sentences >= SMOG_FROM:
        assert counted.smog <= SMOG
