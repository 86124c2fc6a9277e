"""One assessment with its words, for the cards about it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from redcell.loop import Steps
from redcell.outputs.assessment import Parts
from redcell.outputs.cards.asked import Asked
from redcell.outputs.fhir.parts import Context, Json
from redcell.outputs.fhir.requests import blood
from redcell.outputs.speech import Speech


class Talk:
    """What the cards are made from: the assessment, its sentences, and the question."""

    def __init__(self, steps: Steps, asked: Asked) -> None:
        self.steps, self.asked = steps, asked
        self.case = steps.case
        self.knowledge = steps.case.knowledge
        self.words: dict[str, dict[str, str]] = self.knowledge.wording("cards")

    @cached_property
    def fhir(self) -> Context:
        """The writer of FHIR drafts, with the parts of the assessment that cards speak from."""
        return Context(self.steps, Parts(self.steps, self.speech), self.speech, narrative=False)

    @cached_property
    def blood(self) -> tuple[Json, ...]:
        """Drafts of type and screen and of red cells; none where no red cells are advised."""
        return tuple(blood(self.fhir))

    @cached_property
    def speech(self) -> Speech:
        """Sentences of findings."""
        return Speech(self.knowledge)

    @property
    def out(self) -> dict[str, Any]:
        """Parts of the assessment as the output contract has them, made when they are asked for."""
        return self.fhir.out

    def say(self, topic: str, key: str, **values: object) -> str:
        """One sentence of the cards, filled."""
        return self.words[topic][key].format(**values)

    def head(self, key: str) -> str:
        """The label of a part of the card."""
        return self.words["head"][key]

    def needs(self, names: Iterable[str]) -> str:
        """Names of inputs in words."""
        return ", ".join(self.words["need"].get(name, name) for name in names)

    def units(self, number: float) -> str:
        """A number of red-cell units."""
        return f"{number:g} unit{'' if number == 1 else 's'}"
