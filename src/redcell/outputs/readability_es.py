"""How hard a Spanish text is to read: the INFLESZ scale, worked out offline.

Szigriszt-Pazos 1993, graded by Barrio-Cantalejo 2008: 206.835 - 62.3 * syllables per word - words
per sentence. 65 to 80 is "bastante fácil" (fairly easy), above 80 "muy fácil".
"""

from __future__ import annotations

import re

from redcell.outputs.readability import WORD, sentences

FAIRLY_EASY = 65.0
NUCLEI = re.compile(r"[aeiouáéíóúü]+")
APART = re.compile(r"[aeoáéó](?=[aeoáéó])|[íú](?=[aeoáéó])|[aeoáéó](?=[íú])")
"""Two vowels of two syllables: both strong, or a weak one with an accent."""
SILENT_U = re.compile(r"(?<=[gq])u(?=[eiéí])")
FINAL_Y = re.compile(r"(?<=[aeou])y$|^y$")


def syllables(word: str) -> int:
    """Syllables of one Spanish word."""
    low = FINAL_Y.sub("i", SILENT_U.sub("", word.lower()))
    return max(len(NUCLEI.findall(low)) + len(APART.findall(low)), 1)


def inflesz(text: str) -> float:
    """The INFLESZ score of a text: higher is easier."""
    words = WORD.findall(text)
    if not words:
        return 100.0
    count = sum(syllables(word) for word in words)
    return 206.835 - 62.3 * count / len(words) - len(words) / max(len(sentences(text)), 1)
