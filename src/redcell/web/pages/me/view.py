"""What the patient's page shows: no probability, no computed advice, no forecast.

The assessment is used for its facts alone: counts, limits, symptoms, and which fixed teaching fits
this record. What a decision or a probability would choose comes only from what the team released.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.engine import Connection

from redcell.clinic import people, refresh, releases
from redcell.clinic.fold import Folded, facts_of, record_of
from redcell.clinic.people import Person
from redcell.clinic.refresh import Basis
from redcell.clinic.releases import Release
from redcell.clinic.sensitivity.sight import Sight
from redcell.clock import micros, when
from redcell.identity.caller import STAFF
from redcell.loop import Steps
from redcell.outputs.html.letter import Letter, Line, day_in
from redcell.outputs.speech import Speech
from redcell.store import audit, persons

ALWAYS = ("blood-tests", "symptoms-to-report", "transfusion-what-to-expect")
BY_RECORD = (
    "what-anemia-is",
    "treatment-and-anemia",
    "radiation-and-marrow",
    "fatigue",
    "living-and-work",
)
"""Teaching that facts of the record choose; what a decision chooses must be released."""
IRON = "iron-and-food"
NEXT = {
    "what-anemia-is": "treatment-and-anemia",
    "treatment-and-anemia": "blood-tests",
    "radiation-and-marrow": "blood-tests",
    "cancer-in-marrow": "blood-tests",
    "blood-tests": "symptoms-to-report",
    "symptoms-to-report": "fatigue",
    "transfusion-what-to-expect": "symptoms-to-report",
    "iron-and-food": "treatment-and-anemia",
    "esa-medicines": "transfusion-what-to-expect",
    "fatigue": "living-and-work",
    "living-and-work": "palliative-care",
    "palliative-care": "symptoms-to-report",
}
"""The next page to read."""
TITLES = {
    "what-anemia-is": "What is anemia?",
    "treatment-and-anemia": "Why treatment can lower your count",
    "radiation-and-marrow": "Radiation and the marrow",
    "cancer-in-marrow": "Cancer in the bone marrow",
    "blood-tests": "Your blood tests",
    "symptoms-to-report": "What to tell your team",
    "transfusion-what-to-expect": "What is a blood transfusion?",
    "iron-and-food": "Would iron help me?",
    "esa-medicines": "Shots that help make red cells",
    "fatigue": "Being tired",
    "living-and-work": "Home and work",
    "palliative-care": "Palliative care",
}


class Page(Struct, frozen=True):
    """One teaching page."""

    id: str
    title: str
    text: str
    sources: tuple[str, ...]
    next: str = ""


class Count(Struct, frozen=True):
    """One hemoglobin in the list of all counts."""

    date: str
    value: str
    zone: str


class Me(Struct, frozen=True):
    """Everything about one person that their own page may show."""

    person: Person
    language: str
    speech: Speech
    letter: Letter | None
    release: Release | None
    seen: int | None = None
    """When somebody of the team first opened the chart after the newest count."""
    doses: tuple[str, ...] = ()
    withheld: bool = False
    """Is something not shown to this reader?"""

    @property
    def line(self) -> tuple[Line, str] | None:
        """The number line and the value on it."""
        return self.letter.drawn() if self.letter else None

    @property
    def sentences(self) -> list[str]:
        """The count in words."""
        if self.letter is None:
            return [self.speech.sentence("letter", "unknown")]
        return list(self.letter.count())

    def day(self, at: int | str) -> str:
        """A day in the reader's language."""
        day = when(at).date() if isinstance(at, int) else date.fromisoformat(at[:10])
        return day_in(day, self.language)

    def call(self, prefix: str) -> list[str]:
        """The fixed call rules of one kind."""
        table = self.speech.patient["call"]
        keys = [k for k in table if k.startswith(f"{prefix}_") and not k.endswith("_heading")]
        return [self.speech.sentence("call", key) for key in keys]

    def care(self) -> list[str]:
        """What helps at home, as far as the team released it."""
        wanted = self.release.self_care if self.release else ()
        return [self.speech.sentence("self_care", name) for name in wanted]

    def counts(self) -> list[Count]:
        """Every count, the newest first."""
        letter = self.letter
        if letter is None:
            return []
        rows = letter.steps.case.record.results.get("hemoglobin", ())
        return [
            Count(day_in(m.time.day, self.language), f"{m.value:.1f}", letter.line(m).zone)
            for m in reversed(rows)
            if not m.comparator
        ]

    def pages(self) -> list[Page]:
        """The teaching that fits, each once: by the record, as released, and what everybody has."""
        chosen = [p.id for p in self.letter.steps.education] if self.letter else []
        wanted = [name for name in chosen if name in BY_RECORD]
        wanted += self.release.education if self.release else ()
        ordered = dict.fromkeys([*wanted, IRON, *ALWAYS])
        return [page for name in ordered if (page := self.page(name)) is not None]

    def page(self, name: str) -> Page | None:
        """One teaching page; `None` for a name that is not there."""
        if name not in TITLES:
            return None
        key = name
        if name == IRON:
            iron = self.release.iron if self.release else ""
            key = f"{IRON}.{iron}" if iron else ""
        text = self.speech.sentence("education", key) if key else ""
        named = self.speech.knowledge.wording("patient")["source"]
        sources = tuple(t for s in named[name] for t in named.get(s, [s]))
        return Page(name, TITLES[name], text, sources, NEXT.get(name, ""))


def look(sight: Sight, person: str, basis: Basis, language: str, *, at: int) -> Me | None:
    """What a person's own page shows; `None` for somebody of whom nothing is kept.

    Where something is withheld from the reader, the page is made of the rest, and nothing that
    the team released is shown: what they chose may tell of it. Who it is stays, for reports.
    """
    connection = sight.connection
    found = facts_of(connection, person)
    if not found:
        return None
    hidden = {f.id for f in sight.hidden(found, person) if f.kind != persons.PATIENT}
    found = tuple(f for f in found if f.id not in hidden)
    folded = Folded(person, record_of(person, found, basis.knowledge), found)
    steps = refresh.assess_folded(folded, replace(basis, forecaster=None), at=at).steps
    ids = persons.patients_of(connection, person)
    return Me(
        person=people.person_in(person, found),
        language=language,
        speech=Speech(basis.knowledge, language),
        letter=Letter(steps, language) if steps else None,
        release=None if hidden else releases.current(connection, ids),
        seen=_seen(connection, ids, steps),
        withheld=bool(hidden),
    )


def _seen(connection: Connection, ids: list[str], steps: Steps | None) -> int | None:
    """When somebody of the team first opened the chart with the newest count in it."""
    count = steps.case.hemoglobin if steps else None
    if count is None:
        return None
    since = micros((count.issued or count.time).time)
    return next((e.at for e in _openings(connection, ids, since)), None)


def _openings(connection: Connection, ids: list[str], since: int) -> Iterator[audit.Entry]:
    for entry in audit.of_persons(connection, ids, after=since, what="chart"):
        if STAFF & set(entry.role.split()):
            yield entry
