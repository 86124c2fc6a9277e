"""S5 Alternatives: the eight options and what is said about each, frozen."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from redcell.rule import Finding

Advice = Literal[
    "recommended",
    "may-be-considered",
    "not-expected-to-help",
    "not-eligible",
    "contraindicated",
    "insufficient-data",
]


OPTIONS = (
    "oral-iron",
    "iv-iron",
    "diet",
    "vitamin-b12",
    "folate",
    "esa",
    "dose-change",
    "treat-cause",
)


class Counsel(Struct, frozen=True):
    """One answer about one option: the advice, and the names of the sentences that say why."""

    advice: Advice
    reasons: tuple[str, ...]
    disagreements: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.advice


class Option(Struct, frozen=True):
    """One of the eight options with its finding."""

    name: str
    counsel: Finding[Counsel]
    names: tuple[str, ...] = ()
    """Drugs or causes that the sentences name."""


class Alternatives(Struct, frozen=True):
    """The eight options, in their fixed order."""

    options: tuple[Option, ...]

    def advice(self, option: str) -> Advice:
        """The advice on one option."""
        return next(o.counsel.value.advice for o in self.options if o.name == option)
