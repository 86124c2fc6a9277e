"""How hard a text is to read: Flesch-Kincaid grade and SMOG, worked out offline."""

from __future__ import annotations

import re
from collections.abc import Collection
from math import sqrt

from msgspec import Struct

SENTENCE_END = re.compile(r"[.!?]+(?=\s|$)|\n+")
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
VOWELS = re.compile(r"[aeiouy]+")
SILENT = re.compile(r"(?:[^laeiouy]es|[^aeiouytd]ed|[^aeiouy]e|[aeiouy]le[ds])$")
SILENT_INSIDE = re.compile(r"(?<=[^aeiouyl])e(?=ly$|ment|ful|less|ness)")
SOUNDED = re.compile(r"(?:[^aeiouy]le|[cgszx]es|[sc]hes)$")
SPLIT = re.compile(
    r"(?<![ctgs])ia(?!n$)|(?<=[rvnbd])iou|io(?!n|u)|(?<!g)eo(?!u)|[^gq]ua(?!r)|iu|iet|rience"
    r"|[aeiou]ing$"
)
MANY = 3
SMOG_SENTENCES = 30

EXCEPTIONS = {
    "aches": 1,
    "anemia": 4,
    "area": 3,
    "create": 2,
    "created": 3,
    "every": 2,
    "everything": 3,
    "fatigue": 2,
    "headaches": 2,
    "idea": 3,
    "leukemia": 4,
    "nosebleed": 2,
    "people": 2,
    "reptilian": 3,
    "science": 2,
    "someone": 2,
    "something": 2,
    "sometimes": 2,
    "somewhere": 2,
    "tired": 2,
    "wheelchair": 2,
}


class Reading(Struct, frozen=True):
    """What was counted in a text; the grades follow from it."""

    sentences: int
    words: int
    syllables: int
    polysyllables: int

    @property
    def flesch_kincaid(self) -> float:
        """US school grade (Kincaid 1975)."""
        if not self.words:
            return 0.0
        return 0.39 * self.words / self.sentences + 11.8 * self.syllables / self.words - 15.59

    @property
    def smog(self) -> float:
        """US school grade from long words (McLaughlin 1969); meant for 30 sentences or more."""
        return 1.0430 * sqrt(self.polysyllables * SMOG_SENTENCES / self.sentences) + 3.1291


def syllables(word: str) -> int:
    """Syllables of one English word: its vowel groups, with the usual silent and split vowels."""
    low = word.lower().replace("’", "'")
    low = low.removesuffix("'s")
    if low in EXCEPTIONS:
        return EXCEPTIONS[low]
    count = len(VOWELS.findall(low)) + len(SPLIT.findall(low)) - len(SILENT_INSIDE.findall(low))
    if SILENT.search(low) and not SOUNDED.search(low):
        count -= 1
    return max(count, 1)


def sentences(text: str) -> list[str]:
    """The sentences of a text; a line break ends one too, as between the items of a list."""
    return [part for part in SENTENCE_END.split(text) if WORD.search(part)]


def read(text: str, skip: Collection[str] = ()) -> Reading:
    """Count a text. Words of `skip` (drug names, lower case) are not counted."""
    words = [w for w in WORD.findall(text) if w.lower() not in skip]
    counts = [syllables(w) for w in words]
    return Reading(
        sentences=max(len(sentences(text)), 1),
        words=len(words),
        syllables=sum(counts),
        polysyllables=sum(n >= MANY for n in counts),
    )
