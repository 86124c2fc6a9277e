"""The form of a release: what can be chosen, and the release that a filled form asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime

from msgspec import Struct

from redcell.clinic.releases import IRON_CLASSES, LONGEST_LINE, MOST_LINES, Release
from redcell.knowledge.load import Knowledge
from redcell.loop import Steps
from redcell.outputs.speech import ENGLISH, SPANISH, Speech
from redcell.plan.education import iron_variant
from redcell.web.pages.me.view import ALWAYS, BY_RECORD, IRON, TITLES

NOTHING = "nothing"
"""The choice that no text about iron is shown."""
LOWEST, HIGHEST = 4.0, 15.0
"""Counts that can be meant, g/dL; others are slips of the hand."""
IRON_WORDS = {
    "untested": "Not tested",
    "lacking": "Low on iron, or may be",
    "locked": "Has iron, cannot use it well",
    "enough": "Enough iron",
    "enough_treatment": "Enough iron, and treatment slows the marrow",
    "overload": "Too much iron",
}
Problems = dict[str, str]


class Text(Struct, frozen=True):
    """A fixed text that can be released, in both of the patient's languages."""

    id: str
    title: str
    english: str
    spanish: str
    fits: bool
    """Does the assessment suggest it?"""


class Choices(Struct, frozen=True):
    """Everything fixed that can be released."""

    care: tuple[Text, ...]
    pages: tuple[Text, ...]
    iron: tuple[Text, ...]
    shown_anyway: tuple[str, ...]
    """Titles of pages that the patient has without a release."""


def choices(steps: Steps) -> Choices:
    """What can be released to this person; what the assessment suggests is marked."""
    known = steps.case.knowledge
    cares = {one.id for one in steps.self_care}
    taught = {one.id for one in steps.education}
    iron = iron_variant(steps.stores, steps.causes, steps.case)
    own = [name for name in BY_RECORD if name in taught]
    open_pages = [n for n in TITLES if n not in (*ALWAYS, IRON, *own)]
    return Choices(
        care=tuple(_texts(known, "self_care", known.wording("patient")["self_care"], cares)),
        pages=tuple(_texts(known, "education", open_pages, taught)),
        iron=tuple(_irons(known, iron)),
        shown_anyway=tuple(TITLES[name] for name in (*own, *ALWAYS)),
    )


def _texts(
    known: Knowledge, topic: str, names: Mapping[str, str] | list[str], fitting: set[str]
) -> Iterator[Text]:
    english, spanish = Speech(known, ENGLISH), Speech(known, SPANISH)
    for name in names:
        title = TITLES.get(name) or name.replace("-", " ").capitalize()
        said = english.sentence(topic, name), spanish.sentence(topic, name)
        yield Text(name, title, *said, name in fitting)


def _irons(known: Knowledge, fitting: str) -> Iterator[Text]:
    english, spanish = Speech(known, ENGLISH), Speech(known, SPANISH)
    for name in IRON_CLASSES:
        key = f"{IRON}.{name}"
        said = english.sentence("education", key), spanish.sentence("education", key)
        yield Text(name, IRON_WORDS[name], *said, name == fitting)


# -- the filled form -------------------------------------------------------------------------------


def fields_of(release: Release | None) -> dict[str, str]:
    """The form as an earlier release filled it; its iron text must be chosen anew."""
    if release is None:
        return {}
    found = {
        "lines": "\n".join(release.lines),
        "talk_at": "" if release.talk_at is None else f"{release.talk_at:g}",
    }
    for name in ("next_test", "transfusion"):
        day, _, clock = getattr(release, name).partition("T")
        found |= {f"{name}_day": day, f"{name}_time": clock[:5]}
    found |= {f"care-{name}": "on" for name in release.self_care}
    found |= {f"page-{name}": "on" for name in release.education}
    return found


def read(
    form: Mapping[str, str],
    offered: Choices,
    *,
    person: str,
    account: str,
    name: str,
    at: int,
    today: date,
) -> tuple[Release, Problems]:
    """The release that a form asks for, and what is wrong with it by field."""
    problems: Problems = {}
    assessment = form.get("assessment", "")
    made = Release(
        person=person,
        by=account,
        name=name,
        at=at,
        lines=_lines(form, problems),
        next_test=_moment(form, "next_test", today, problems),
        talk_at=_count(form, problems),
        iron=_iron(form, problems),
        self_care=tuple(one.id for one in offered.care if f"care-{one.id}" in form),
        education=tuple(one.id for one in offered.pages if f"page-{one.id}" in form),
        transfusion=_moment(form, "transfusion", today, problems),
        assessment=int(assessment) if assessment.isdecimal() else 0,
    )
    empty = not (made.lines or made.next_test or made.transfusion or made.self_care)
    if not problems and empty and not (made.education or made.iron or made.talk_at):
        problems["lines"] = "Nothing is chosen and nothing written: there is no plan to release."
    return made, problems


def _lines(form: Mapping[str, str], problems: Problems) -> tuple[str, ...]:
    lines = [" ".join(line.split()) for line in form.get("lines", "").splitlines()]
    lines = [line for line in lines if line]
    if len(lines) > MOST_LINES:
        problems["lines"] = f"At most {MOST_LINES} lines; here are {len(lines)}."
    elif any(len(line) > LONGEST_LINE for line in lines):
        problems["lines"] = f"A line has at most {LONGEST_LINE} characters."
    return tuple(lines)


def _moment(form: Mapping[str, str], name: str, today: date, problems: Problems) -> str:
    day, clock = form.get(f"{name}_day", "").strip(), form.get(f"{name}_time", "").strip()
    if not day:
        if clock:
            problems[name] = "Give the day, too."
        return ""
    try:
        found = date.fromisoformat(day)
        if clock:
            datetime.fromisoformat(f"{day}T{clock}")
    except ValueError:
        problems[name] = "This is no date and time."
        return ""
    if found < today:
        problems[name] = "This day is over."
    return f"{day}T{clock[:5]}" if clock else day


def _count(form: Mapping[str, str], problems: Problems) -> float | None:
    text = form.get("talk_at", "").strip().replace(",", ".")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not LOWEST <= value <= HIGHEST:
        problems["talk_at"] = f"A count from {LOWEST:g} to {HIGHEST:g} g/dL, or nothing."
        return None
    return round(value, 1)


def _iron(form: Mapping[str, str], problems: Problems) -> str:
    chosen = form.get("iron", "")
    if chosen not in (*IRON_CLASSES, NOTHING):
        problems["iron"] = "Choose which text about iron the patient reads, or none."
        return ""
    return "" if chosen == NOTHING else chosen
