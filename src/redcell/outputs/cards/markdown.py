"""GitHub-flavored Markdown in which nothing foreign can become markup, a link or HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
SPACES = re.compile(r"\s+")
MARKS = re.compile(r"([\\`*_\[\]|~#!])")
LEADING = re.compile(r"[-+=]|\d+[.)](?=\s|$)")
AUTOLINK = re.compile(r"(?i)(:)(?=//)|(?<=www)\.")
ENTITIES = {":": "&#58;", ".": "&#46;"}
ANGLES = str.maketrans({"<": "\u2039", ">": "\u203a"})
ELLIPSIS = "\u2026"


def plain(text: str) -> str:
    """Text on one line, without control characters and without angle brackets."""
    return one_line(text).translate(ANGLES)


def one_line(text: str) -> str:
    """Text on one line without control or direction characters."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()  # as it is: the usual case
    return SPACES.sub(" ", CONTROL.sub(" ", text)).strip()


def escape(text: str) -> str:
    """Text that Markdown shows as it is: no emphasis, list, link, image, table or HTML."""
    said = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    said = _leading(MARKS.sub(r"\\\1", said))
    if "://" not in said and "www." not in said.lower():
        return said  # nothing that could become a link: the usual case
    return AUTOLINK.sub(lambda m: ENTITIES[m[0]], said)


def _leading(said: str) -> str:
    """A line that begins like a list or a rule does not become one."""
    found = LEADING.match(said)
    if found is None:
        return said
    mark = found[0]
    return f"{mark[:-1]}\\{mark[-1]}{said[found.end() :]}"


@lru_cache(maxsize=256)
def bold(label: str) -> str:
    """A label in bold."""
    return f"**{escape(label)}**"


def labeled(label: str, text: str) -> str:
    """A paragraph under a bold label; nothing when there is no text."""
    said = escape(text)
    return f"{bold(label + ':')} {said}" if said else ""


def listed(label: str, items: Iterable[str]) -> str:
    """A bold label above a list; nothing when the list is empty."""
    rows = [f"- {escape(item)}" for item in items if item]
    return "\n".join([bold(label), "", *rows]) if rows else ""


def paragraphs(*parts: str) -> str:
    """Paragraphs with an empty line between them; empty ones are left out."""
    return "\n\n".join(part for part in parts if part)


def short(text: str, most: int) -> str:
    """Plain text of at most `most` characters, cut at a word."""
    said = plain(text)
    if len(said) <= most:
        return said
    cut = said[: most - 1]
    words = cut.rpartition(" ")[0]
    return (words if len(words) > most // 2 else cut).rstrip(" ,;:") + ELLIPSIS
