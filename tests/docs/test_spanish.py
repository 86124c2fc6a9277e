"""Spanish for the patient: everything is translated, and as easy to read as the scale asks."""

from __future__ import annotations

import re
import tomllib

import pytest

from redcell.knowledge.load import FOLDER
from redcell.outputs.readability_es import FAIRLY_EASY, inflesz, syllables

LONG = 30


def wording(name: str) -> dict[str, dict[str, str]]:
    return tomllib.loads((FOLDER / "wording" / f"{name}.toml").read_text(encoding="utf-8"))


ENGLISH, SPANISH = wording("patient"), wording("patient.es")


@pytest.mark.trust("U6")
@pytest.mark.parametrize("table", sorted(set(ENGLISH) - {"source"}))
def test_every_sentence_is_there(table):
    assert set(SPANISH[table]) == set(ENGLISH[table])


@pytest.mark.parametrize("table", sorted(set(ENGLISH) - {"source"}))
def test_the_same_values_stand_in_both(table):
    for key, text in ENGLISH[table].items():
        assert sorted(re.findall(r"{\w+}", text)) == sorted(
            re.findall(r"{\w+}", SPANISH[table][key])
        )


@pytest.mark.trust("U5")
@pytest.mark.parametrize(
    ("table", "key"), [(t, k) for t in SPANISH for k in SPANISH[t] if t != "source"]
)
def test_long_texts_are_fairly_easy(table, key):
    text = SPANISH[table][key]
    if len(text.split()) >= LONG:
        assert inflesz(text) >= FAIRLY_EASY
    assert max(len(s.split()) for s in re.split(r"(?<=[.!?])\s", text)) <= 25


def test_the_texts_together_are_fairly_easy():
    texts = [SPANISH[t][k] for t in ("self_care", "education") for k in SPANISH[t]]
    assert sum(map(inflesz, texts)) / len(texts) >= FAIRLY_EASY + 5


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("sangre", 2), ("médula", 3), ("glóbulos", 3), ("oxígeno", 4), ("anemia", 3), ("día", 2),
        ("aire", 2), ("quimioterapia", 5), ("guerra", 2), ("cuerpo", 2), ("ley", 1), ("oído", 3),
        ("leer", 2), ("transfusión", 3), ("y", 1), ("pingüino", 3), ("que", 1), ("huesos", 2),
    ],
)  # fmt: skip
def test_syllables_as_a_dictionary_has_them(word, count):
    assert syllables(word) == count
