"""Resources that fit a mold, read as the first of them was: only times and names are new.

The reader of single resources decides everything, once for each mold and value.
What it made of that one is taken again for every line that says the same, with the time, the id
and the version of that line. Whatever is out of the ordinary is left to the reader itself.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
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
from redcell.sources.fhir.alike import MOST, Alike, Told, Values
from redcell.sources.fhir.mold import Mold
from redcell.sources.fhir.observations import original, value_again
from redcell.sources.fhir.read import OWN, READERS, SHAPES
from redcell.sources.fhir.reading import MAX_ID, Located, Reading
from redcell.sources.fhir.resources import DECODERS
from redcell.sources.fhir.times import BadTimeError, moment
from redcell.sources.strict_json import MAX_DIGITS, RefusedJsonError
from redcell.sources.terms import Terms, terms

Again = Measured | Coded | SymptomReport
"""Facts that carry a time and the names of one resource, and nothing else of it."""
OF_NAMES = (string.ascii_letters + string.digits + "-.").encode()
"""What an id may hold that names a resource as it stands; before it stand its type and a slash."""
ANSWERS = 20_000
"""Answers that are remembered."""
MOMENTS = 8192
"""Times that are remembered."""
OWN_SOURCES = (OWN.encode(), TRANSLATED.encode())
"""Where what was made here comes from; more is asked of it than its text."""
_number = msgspec.json.Decoder(float).decode


Parts = tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]
"""The fields of a number before, between and after those that are new."""


class Answer(Struct, frozen=True):
    """What the reader made of a line: facts, or that its code is unknown."""

    facts: tuple[Again, ...] = ()
    unmapped: str = ""
    """What is told of a code that is not known."""
    numbers: tuple[Parts, ...] = ()
    """In place of facts, where each is a number."""


UNKNOWN = Answer()
"""Stands for no answer yet."""


class Known(Struct):
    """What is known of the lines of one mold."""

    answers: dict[Values, Answer | None] = field(default_factory=dict)
    """By the value that they give; none where such a line is left to the reader."""
    model: Answer | None = None
    """Of all of them, whatever their numbers."""
    seen: list[dict[bytes, Parts | None]] = field(default_factory=list)
    """What is made of each of several numbers."""


class Taken(Struct):
    """What was read, and which lines are left to the reader."""

    facts: list[Fact] = field(default_factory=list)
    aside: list[SetAside] = field(default_factory=list)
    names: list[bytes] = field(default_factory=list)
    """References of the resources that were read."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many resources of each type that were."""
    left: list[tuple[str, bytes]] = field(default_factory=list)
    """Lines with their places."""

    @property
    def unfit(self) -> set[bytes]:
        """Those that are given twice, or do not name a resource as they stand."""
        found = set[bytes]()
        if b"".join(self.names).translate(None, OF_NAMES) != b"/" * len(self.names):
            found.update(name for name in self.names if name.translate(None, OF_NAMES) != b"/")
        if self.names and max(map(len, self.names)) > MAX_ID:
            found.update(name for name in self.names if len(name.partition(b"/")[2]) > MAX_ID)
        if len(set(self.names)) != len(self.names):
            found.update(name for name, times in Counter(self.names).items() if times > 1)
        return found


class Rereader:
    """Reads lines that are alike, with what it knows of those before."""

    def __init__(self, known: Terms) -> None:
        self._terms = known
        self._known: dict[bytes, Known] = {}
        self._answers = 0
        self._moments: dict[bytes, Moment] = {}

    def take(self, patient: str, groups: Iterable[Alike], but: Collection[bytes] = ()) -> Taken:
        """Read the lines of one patient that fit a mold.

        Args:
            patient: whose lines; one that names its subject in another way is left.
            groups: the lines of each mold.
            but: references of resources that are left.
        """
        taken, own = Taken(), b"Patient/" + patient.encode("utf-8", "surrogatepass")
        for alike in groups:
            left = self._take(alike, own, but, taken)
            taken.counts[alike.mold.kind] += len(alike.numbers) - len(left)
            if left:
                lines = list(alike.lines())
                taken.left += [(alike.place(alike.numbers[at]), lines[at]) for at in left]
        return taken

    def _take(self, alike: Alike, own: bytes, but: Collection[bytes], taken: Taken) -> list[int]:
        """Read the lines of one mold; which of them are left to the reader."""
        known, moments, left = self._of(alike.mold), self._moments, list[int]()
        answers, facts, names = known.answers, taken.facts, taken.names
        prefix = alike.mold.kind.encode() + b"/"
        for at, told in enumerate(alike.told()):
            own_id, owner, when, issued_at, updated, version, source, values = told
            name = prefix + own_id
            time = moments.get(when) or self._moment(when)
            issued = (moments.get(issued_at) or self._moment(issued_at)) if issued_at else None
            if time is None or (issued is None and issued_at) or owner != own or name in but:
                left.append(at)
                continue
            answer = answers.get(values, UNKNOWN)
            if answer is UNKNOWN:
                answer = self._learned(alike, known, at, told)
            if answer is None or (source and source.startswith(OWN_SOURCES)):
                left.append(at)
                continue
            names.append(name)
            reference, stamp = name.decode(), (version or updated).decode()
            facts += _said_again(answer, time, reference, issued, stamp)
            if answer.unmapped:
                place, text = alike.place(alike.numbers[at]), f"{reference}: {answer.unmapped}"
                taken.aside.append(SetAside("unmapped-code", place, text, reference))
        return left

    def _of(self, mold: Mold) -> Known:
        """What is known of a mold."""
        found = self._known.get(mold.name)
        if found is None:
            if len(self._known) >= MOST:
                self._forget()
            found = self._known[mold.name] = Known()
        return found

    def _forget(self) -> None:
        self._known.clear()
        self._answers = 0

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

    def _learned(self, alike: Alike, known: Known, at: int, told: Told) -> Answer | None:
        """Have the reader read a line, and remember what it says if that can be said again."""
        values = told[-1]
        each = (values,) if isinstance(values, bytes) else values
        if any(len(value) > MAX_DIGITS for value in each):
            return None
        answer = self._reckoned(known, each)
        if answer is not None and len(each) > 1:
            return answer
        if answer is None:
            answer = self._asked(alike.mold.kind, told, list(alike.lines())[at])
            if answer is not None and alike.mold.is_of_numbers and known.model is None:
                self._model(known, answer, each)
        self._remember()
        known.answers[values] = answer
        return answer

    def _model(self, known: Known, answer: Answer, each: Sequence[bytes]) -> None:
        """Take an answer for the model of others, if its numbers can be reckoned."""
        if len(answer.numbers) != len(each):
            return
        known.model, known.seen = answer, [{} for _ in each]
        again = self._reckoned(known, each)
        if again is None or again.numbers != answer.numbers:
            known.model = None

    def _reckoned(self, known: Known, each: Sequence[bytes]) -> Answer | None:
        """What the reader makes of other numbers, where it makes nothing else of them."""
        if known.model is None:
            return None
        found: list[Parts] = []
        for parts, seen, value in zip(known.model.numbers, known.seen, each, strict=True):
            if value not in seen:
                self._remember()
                seen[value] = self._read(parts, value)
            read = seen[value]
            if read is None:
                return None
            found.append(read)
        return Answer(numbers=tuple(found))

    def _read(self, model: Parts, value: bytes) -> Parts | None:
        """What the reader makes of another number than that of the model."""
        (analyte, _, ucum), between, (sent, note) = model
        unit = sent.partition(" ")[2]
        try:
            number = _number(value)
        except msgspec.MsgspecError:
            return None
        read = value_again(self._terms, analyte, number, unit)
        if read is None:
            return None
        return ((analyte, read, ucum), between, (original(number, unit), note))

    def _remember(self) -> None:
        """Count what is remembered; of too much all is forgotten."""
        if self._answers >= ANSWERS:
            self._forget()
        self._answers += 1

    def _asked(self, kind: str, told: Told, line: bytes) -> Answer | None:
        own_id, _, at, issued_at, updated, version, _, _ = told
        reading, reference = Reading(self._terms), f"{kind}/{own_id.decode()}"
        try:
            resource = DECODERS[kind].decode(line)
            SHAPES.check(line)
        except (RefusedJsonError, ValueError, RecursionError):
            return None
        READERS[kind](reading, Located("", reference, "", resource, line), resource)
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
    numbers = tuple(_parts(f) for f in facts if isinstance(f, Measured))
    return Answer((), unmapped, numbers) if len(numbers) == len(facts) else Answer(facts, unmapped)


def _parts(f: Measured) -> Parts:
    between = (f.status, f.comparator, f.low, f.high)
    return (f.analyte, f.value, f.ucum), between, (f.original, f.note)


def _said_again(
    answer: Answer, time: Moment, reference: str, issued: Moment | None, version: str
) -> Sequence[Again]:
    """The facts of an answer with the time and the names of another resource."""
    if answer.numbers:
        return [
            Measured(*(*one, time, reference, *two, issued, version, *three))
            for one, two, three in answer.numbers
        ]
    return [
        replace(fact, time=time, reference=reference, issued=issued, version=version)
        for fact in answer.facts
    ]


@lru_cache(maxsize=4)
def rereader(knowledge: Knowledge) -> Rereader:
    """The reader of lines that are alike, of this process."""
    return Rereader(terms(knowledge))
