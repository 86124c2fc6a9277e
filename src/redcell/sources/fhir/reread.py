"""Observations that fit a mold, read as the first of them was: only times and names are new.

The reader of single resources (`observations`) decides everything, once for each mold and value.
What it made of that one is taken again for every line that says the same, with the time, the id
and the version of that line. Whatever is out of the ordinary is left to the reader itself.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from redcell.knowledge.load import Knowledge
from redcell.record.measured import Coded, Measured
from redcell.record.moment import Moment
from redcell.record.record import Fact, SetAside
from redcell.record.symptoms import SymptomReport
from redcell.sources.as_fhir import TRANSLATED
from redcell.sources.fhir.alike import Mold, Molds, Told
from redcell.sources.fhir.observations import original, read_observation, value_again
from redcell.sources.fhir.read import OWN, SHAPES
from redcell.sources.fhir.reading import MAX_ID, Located, Reading
from redcell.sources.fhir.resources import DECODERS
from redcell.sources.fhir.times import BadTimeError, moment
from redcell.sources.strict_json import MAX_DIGITS, RefusedJsonError
from redcell.sources.terms import Terms, terms

Again = Measured | Coded | SymptomReport
"""Facts that carry a time and the names of one resource, and nothing else of it."""
OF_NAMES = (string.ascii_letters + string.digits + "-.").encode()
"""What an id may hold that names a resource as it stands."""
ANSWERS = 20_000
"""Answers that are remembered."""
MOMENTS = 8192
"""Times that are remembered."""
OWN_SOURCES = (OWN.encode(), TRANSLATED.encode())
"""Where what was made here comes from; more is asked of it than its text."""
_decode = DECODERS["Observation"].decode
_number = msgspec.json.Decoder(float).decode


class Answer(Struct, frozen=True):
    """What the reader made of a line: facts, or that its code is unknown."""

    facts: tuple[Again, ...] = ()
    unmapped: str = ""
    """What is told of a code that is not known."""
    number: tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]] | None = None
    """Of one number and no more its fields before, between and after those that are new."""


class Taken(Struct):
    """What was read, and which lines are left to the reader."""

    facts: list[Fact] = field(default_factory=list)
    aside: list[SetAside] = field(default_factory=list)
    names: list[bytes] = field(default_factory=list)
    """Ids of the resources that were read."""
    left: list[int] = field(default_factory=list)

    @property
    def unfit(self) -> set[bytes]:
        """Ids that are given twice, or do not name a resource as they stand."""
        found = {name for name in self.names if not 0 < len(name) <= MAX_ID}
        if b"".join(self.names).translate(None, OF_NAMES):
            found.update(name for name in self.names if name.translate(None, OF_NAMES))
        if len(set(self.names)) != len(self.names):
            found.update(name for name, times in Counter(self.names).items() if times > 1)
        return found


class Rereader:
    """Reads lines that are alike, with what it knows of those before."""

    def __init__(self, known: Terms) -> None:
        self._terms = known
        self._molds = Molds()
        self._answers = 0
        self._moments: dict[bytes, Moment] = {}

    def take(
        self, patient: str, lines: Sequence[tuple[str, bytes]], but: Collection[bytes] = ()
    ) -> Taken:
        """Read the lines of one patient that are like lines before.

        Args:
            patient: whose lines; one that names its subject in another way is left.
            lines: each with its place.
            but: ids of resources that are left.
        """
        taken, own = Taken(), b"Patient/" + patient.encode("utf-8", "surrogatepass")
        moments, left = self._moments, taken.left
        for number, fitted in enumerate(self._molds.fit([line for _, line in lines])):
            found = fitted or self._molded(lines[number][1])
            if found is None:
                left.append(number)
                continue
            mold, parts = found
            told = mold.told((*parts, b""))
            name, owner, at, issued_at, updated, version, source, value = told
            time = moments.get(at) or self._moment(at)
            issued = (moments.get(issued_at) or self._moment(issued_at)) if issued_at else None
            if time is None or (issued is None and issued_at) or owner != own or name in but:
                left.append(number)
                continue
            answer = mold.held.get(value, mold)
            if answer is mold:
                answer = self._learned(mold, told, lines[number][1])
            if answer is None or (source and source.startswith(OWN_SOURCES)):
                left.append(number)
                continue
            taken.names.append(name)
            reference, stamp = f"Observation/{name.decode()}", (version or updated).decode()
            taken.facts += _said_again(answer, time, reference, issued, stamp)
            if answer.unmapped:
                text = f"{reference}: {answer.unmapped}"
                taken.aside.append(SetAside("unmapped-code", lines[number][0], text, reference))
        return taken

    def _moment(self, text: bytes) -> Moment | None:
        """The moment that a text means, if nothing is to be said about it."""
        if len(self._moments) >= MOMENTS:
            self._moments.clear()
        try:
            found, naive = moment(text.decode())
        except BadTimeError:
            return None
        if naive:
            return None
        self._moments[text] = found
        return found

    # -- learning ----------------------------------------------------------------------------

    def _molded(self, line: bytes) -> tuple[Mold, tuple[bytes, ...]] | None:
        """A mold of a line that fits none, if the line is without faults."""
        if not self._molds.wants(line):
            return None
        try:
            _decode(line)
            SHAPES.check(line)
        except (RefusedJsonError, ValueError, RecursionError):
            return None
        mold = self._molds.learn(line)
        parts = mold.parts(line) if mold is not None else None
        return (mold, parts) if mold is not None and parts is not None else None

    def _learned(self, mold: Mold, told: Told, line: bytes) -> Answer | None:
        """Have the reader read a line, and remember what it says if that can be said again."""
        value = told[-1]
        if len(value) > MAX_DIGITS:
            return None
        answer = self._reckoned(mold.model, value) if mold.model is not None else None
        if answer is None:
            answer = self._asked(told, line)
            if answer is not None and mold.is_number and mold.model is None:
                again = self._reckoned(answer, value)
                mold.model = answer if again is not None and again.number == answer.number else None
        if self._answers >= ANSWERS:
            self._molds.forget()
            self._answers = 0
        self._answers += 1
        mold.held[value] = answer
        return answer

    def _reckoned(self, model: Answer, value: bytes) -> Answer | None:
        """What the reader makes of another number, where it makes nothing else of it."""
        if model.number is None:
            return None
        (analyte, _, ucum), between, (sent, note) = model.number
        unit = sent.partition(" ")[2]
        try:
            number = _number(value)
        except msgspec.MsgspecError:
            return None
        read = value_again(self._terms, analyte, number, unit)
        if read is None:
            return None
        fields = ((analyte, read, ucum), between, (original(number, unit), note))
        return Answer(number=fields)

    def _asked(self, told: Told, line: bytes) -> Answer | None:
        name, _, at, issued_at, updated, version, _, _ = told
        reading, reference = Reading(self._terms), f"Observation/{name.decode()}"
        try:
            resource = _decode(line)
            SHAPES.check(line)
        except (RefusedJsonError, ValueError, RecursionError):
            return None
        read_observation(reading, Located("", reference, "", resource, line), resource)
        answer = _answer(reading, reference)
        time, issued = self._moment(at), self._moment(issued_at)
        if answer is None or time is None:
            return None
        again = _said_again(answer, time, reference, issued, (version or updated).decode())
        return answer if list(again) == reading.facts else None


def _answer(reading: Reading, reference: str) -> Answer | None:
    """What can be said again: facts, and at most that the code is unknown."""
    facts = tuple(f for f in reading.facts if isinstance(f, Measured | Coded | SymptomReport))
    unmapped, begin = "", f"{reference}: "
    for aside in reading.aside:
        if aside.code != "unmapped-code" or not aside.text.startswith(begin) or unmapped:
            return None
        unmapped = aside.text.removeprefix(begin)
    if len(facts) != len(reading.facts):
        return None
    if len(facts) == 1 and isinstance(f := facts[0], Measured):
        between = (f.status, f.comparator, f.low, f.high)
        number = ((f.analyte, f.value, f.ucum), between, (f.original, f.note))
        return Answer((), unmapped, number)
    return Answer(facts, unmapped)


def _said_again(
    answer: Answer, time: Moment, reference: str, issued: Moment | None, version: str
) -> Sequence[Again]:
    """The facts of an answer with the time and the names of another line."""
    if answer.number is not None:
        one, two, three = answer.number
        fields = (*one, time, reference, *two, issued, version, *three)
        return (Measured(*fields),)
    return [
        replace(fact, time=time, reference=reference, issued=issued, version=version)
        for fact in answer.facts
    ]


@lru_cache(maxsize=4)
def rereader(knowledge: Knowledge) -> Rereader:
    """The reader of lines that are alike, of this process."""
    return Rereader(terms(knowledge))
