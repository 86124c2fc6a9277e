"""The letter to the patient: own data, fixed teaching, fixed call rules, in plain language.

Nothing here is worked out for one person beyond simple arithmetic on their own counts: no
probability, no advice about treatment, and nothing about whether they should get blood. Pages that
a decision or a probability would choose are left out, or are the same for everybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from msgspec import Struct

from redcell.loop import Steps
from redcell.outputs.speech import ENGLISH, SPANISH, Speech
from redcell.outputs.templates import environment
from redcell.quantity import half_up, plain
from redcell.record.measured import Measured

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
MESES = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio",
    "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
)  # fmt: skip
MEANING = ("what-anemia-is", "treatment-and-anemia", "radiation-and-marrow")
LIVING = ("living-and-work",)
TRANSFUSION = "transfusion-what-to-expect"
IRON = "iron-and-food"
ZONES = ("very_low", "low", "bit_low", "usual")
EDGE = 4.0
"""How far the outer zones of the line reach, in g/dL."""
PAST = 3


class Line(Struct, frozen=True):
    """The number line: four zones of one width, their limits, and where the value stands (0-1)."""

    words: tuple[str, ...]
    limits: tuple[str, ...]
    place: float
    zone: str


def letter(steps: Steps) -> str:
    """The letter as one self-contained page in large print."""
    return environment().get_template("letter.html.j2").render(p=Letter(steps))


class Letter:
    """What a letter or page says to the patient; every sentence comes from the wording file."""

    def __init__(self, steps: Steps, language: str = ENGLISH) -> None:
        self.steps = steps
        self.language = language
        self.speech = Speech(steps.case.knowledge, language)

    def say(self, key: str, **values: object) -> str:
        """A sentence of the letter."""
        return self.speech.sentence("letter", key, **values)

    def call(self, prefix: str) -> list[str]:
        """The fixed call rules of one kind."""
        table = self.speech.patient["call"]
        keys = [k for k in table if k.startswith(f"{prefix}_") and k != f"{prefix}_heading"]
        return [self.speech.sentence("call", key) for key in keys]

    def call_line(self, key: str) -> str:
        """One fixed sentence about calling."""
        return self.speech.sentence("call", key)

    @property
    def day(self) -> str:
        """The day of the record."""
        return self._day(self.steps.case.at.day)

    def _day(self, day: date) -> str:
        return day_in(day, self.language)

    @property
    def in_hospice(self) -> bool:
        """Is hospice care on record?"""
        return any(care.kind == "hospice" for care in self.steps.case.record.care)

    # -- the count -------------------------------------------------------------------------------

    @property
    def shown(self) -> Measured | None:
        """The newest count, when it is usable and need not be checked first."""
        checking = self.steps.survey.status.value == "provisional"
        return None if checking else self.steps.case.hemoglobin

    def count(self) -> Iterator[str]:
        """Sentences about the newest count and how it moved."""
        count = self.shown
        if count is None:
            provisional = self.steps.survey.status.value == "provisional"
            yield self.say("checking" if provisional else "unknown")
            return
        line = self.line(count)
        limit = plain(self.steps.survey.lower_limit.value.value)
        yield self.say("count", value=_tenths(count.value), date=self._day(count.time.day))
        yield self.say("zone_is", zone=line.zone, limit=limit)
        yield from self._change(count)
        if self.steps.survey.stale.value:
            yield self.say("stale")
        if self.steps.case.transfusion_since_count is not None:
            yield self.say("transfused")
        yield self.say("unit")

    def _change(self, count: Measured) -> Iterator[str]:
        earlier = self.steps.case.earlier_hemoglobin
        if not earlier:
            return
        before = earlier[-1]
        change = half_up(count.value - before.value, 2)
        key = "fell" if change < 0 else "rose" if change > 0 else "same"
        yield self.say(key, difference=plain(abs(change)), date=self._day(before.time.day))

    def line(self, count: Measured) -> Line:
        """Where a count stands between very low and usual."""
        number = self.steps.case.knowledge.value
        top = self.steps.survey.lower_limit.value.value
        limits = (number("anemia.grade3_below"), number("anemia.grade2_below"), top)
        edges = (limits[0] - EDGE, *limits, top + EDGE)
        zone = sum(count.value >= limit for limit in limits)
        share = (count.value - edges[zone]) / (edges[zone + 1] - edges[zone])
        words = tuple(self.say(f"zone_{name}") for name in ZONES)
        place = (zone + min(max(share, 0.03), 0.97)) / len(ZONES)
        return Line(words, tuple(plain(limit) for limit in limits), place, words[zone])

    def past(self) -> list[dict[str, str]]:
        """The last counts in words, the newest first."""
        counts = [*self.steps.case.earlier_hemoglobin, self.steps.case.hemoglobin]
        known = [c for c in counts if c is not None]
        return [
            {
                "date": self._day(c.time.day),
                "value": _tenths(c.value),
                "zone": self.line(c).zone if self._used(c) else self.say("past_checking"),
            }
            for c in reversed(known[-PAST:])
        ]

    def _used(self, count: Measured) -> bool:
        return count is not self.steps.case.hemoglobin or self.shown is not None

    # -- what was said, and what to do -----------------------------------------------------------

    def felt(self) -> tuple[str, list[str]]:
        """What the patient reported last, in their words for it."""
        answers = self.steps.case.answers
        if not answers:
            return "", []
        day = max(reply.report.time for reply in answers.values()).day
        present = sorted((r for r in answers.values() if r.present), key=lambda r: -(r.grade or 0))
        said = [f"{self.speech.symptom(r.symptom)}: {self._how(r.grade)}" for r in present]
        return self.say("felt" if said else "felt_none", date=self._day(day)), said

    def _how(self, grade: int | None) -> str:
        return self.say("grade_unknown" if grade is None else f"grade_{grade}")

    def pages(self, *wanted: str) -> list[str]:
        """Fixed teaching that the record chose."""
        return [
            self.speech.sentence("education", f"{page.id}.{page.variant}".rstrip("."))
            for page in self.steps.education
            if page.id in wanted
        ]

    def meaning(self) -> list[str]:
        """What a low count is and where it can come from."""
        return self.pages(*MEANING)

    def iron(self) -> list[str]:
        """The text about iron that is true for this person."""
        return self.pages(IRON)

    def self_care(self) -> list[str]:
        """What helps at home."""
        return [self.speech.sentence("self_care", item.id) for item in self.steps.self_care]

    def living(self) -> list[str]:
        """Family and work."""
        return self.pages(*LIVING)

    def help(self) -> list[str]:
        """How teams can help: the same for everybody with a low count."""
        if not self.steps.survey.anemic:
            return []
        return [self.say("help"), self.speech.sentence("education", TRANSFUSION)]

    def questions(self) -> list[str]:
        """Questions to take along."""
        return [
            self.say(f"ask_{name}")
            for name in ("cause", "tests", "treatment", "blood", "home", "night")
        ]

    def sources(self) -> list[str]:
        """Where the texts come from, each once."""
        table: dict[str, list[str]] = self.speech.knowledge.wording("patient")["source"]
        care = [item.id for item in self.steps.self_care]
        pages = [p.id for p in self.steps.education if p.id in (*MEANING, *LIVING, IRON)]
        help_pages = [TRANSFUSION] if self.steps.survey.anemic else []
        named = [text for name in (*pages, *help_pages, *care, "call") for text in table[name]]
        return list(dict.fromkeys([*table["article"], *(n for n in named if n != "article")]))

    def drawn(self) -> tuple[Line, str] | None:
        """The number line and the value on it, when there is a count to show."""
        count = self.shown
        return (self.line(count), _tenths(count.value)) if count else None


def day_in(day: date, language: str = ENGLISH) -> str:
    """A day as people in the US write it, in English or Spanish; the same on every machine."""
    if language == SPANISH:
        return f"{day.day} de {MESES[day.month - 1]} de {day.year}"
    return f"{MONTHS[day.month - 1]} {day.day}, {day.year}"


def _tenths(value: float) -> str:
    text = plain(value)
    return text if "." in text else f"{text}.0"
