"""The options for the team: several, side by side, in a fixed order, each with its basis.

None is marked as the one to take. What the rules do not advise is listed too, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from redcell.loop import Steps
from redcell.outputs.html import Page
from redcell.rule import Finding

CELLS, COUNT, TESTS, OTHER = "red-cells", "count", "tests", "other"
OPEN = ("recommended", "may-be-considered")
"""Advice about an alternative that makes it an option of its own."""
LETTERS = "ABCDEFGHIJKLMNOP"


class Option(Struct, frozen=True):
    """One option: what it is, what it would take, and what it rests on."""

    id: str
    letter: str
    title: str
    said: str
    figures: tuple[tuple[str, str], ...]
    points: tuple[str, ...]
    rules: tuple[str, ...]
    used: tuple[str, ...]
    """References of the resources behind it."""
    not_known: tuple[str, ...]


def options(page: Page) -> tuple[Option, ...]:
    """The options of an assessment, lettered in their fixed order."""
    found = [_cells(page), _count(page), *_tests(page), *_alternatives(page)]
    return tuple(
        Option(letter=letter, not_known=tuple(page.missing()), **one)
        for letter, one in zip(LETTERS, found, strict=False)
    )


def _used(*findings: Finding[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reference for f in findings for reference in f.evidence))


def _cells(page: Page) -> dict[str, Any]:
    plan, steps = page.transfusion(), page.steps.transfusion
    units = plan["units"]
    title = page.label("decision", plan["decision"])
    if units:
        title = f"{units} unit{'' if units == 1 else 's'} of red cells, then count again"
    return {
        "id": CELLS,
        "title": title,
        "said": plan["said"],
        "figures": tuple((name, text) for name, text, _ in plan["figures"]),
        "points": (
            *(p["text"] for p in plan["precautions"]),
            *([plan["reassess"]] if plan["reassess"] else []),
        ),
        "rules": tuple(plan["because"]),
        "used": _used(steps.verdict, steps.units),
    }


def _count(page: Page) -> dict[str, Any]:
    monitoring = page.steps.monitoring
    late = monitoring.overdue.value is True
    return {
        "id": COUNT,
        "title": f"Count on {page.due}" if not late else f"Count now; it was due {page.due}",
        "said": page.speech.statement(monitoring.due),
        "figures": (),
        "points": (),
        "rules": tuple(monitoring.due.value.because),
        "used": _used(monitoring.due, monitoring.overdue),
    }


def _tests(page: Page) -> Iterator[dict[str, Any]]:
    """The tests whose answer would change what is said here."""
    missing = page.missing()
    if missing:
        names = ", ".join(missing)
        yield {
            "id": TESTS,
            "title": f"Test first: {names}",
            "said": "Not tested or not current. A result can change the causes and the options.",
            "figures": (),
            "points": (),
            "rules": (),
            "used": (),
        }


def _alternatives(page: Page) -> Iterator[dict[str, Any]]:
    """Each alternative that is advised or may be considered, in the contract's order."""
    for said, option in _pairs(page.out, page.steps):
        if said["advice"] in OPEN:
            name = page.label("option", said["option"])
            yield {
                "id": said["option"],
                "title": f"{name}: {page.label('advice', said['advice'])}",
                "said": " ".join(said["because"]),
                "figures": (),
                "points": tuple(said["disagreements"]),
                "rules": (option.counsel.rule,),
                "used": _used(option.counsel),
            }


def _pairs(out: dict[str, Any], steps: Steps) -> Iterator[tuple[dict[str, Any], Any]]:
    yield from zip(out["alternatives"], steps.alternatives.options, strict=True)


def weighed(page: Page) -> list[dict[str, Any]]:
    """The alternatives that are not advised now, with why."""
    closed = {page.label("advice", a) for a in ADVICE if a not in OPEN}
    return [one for one in page.options() if one["advice"] in closed]


ADVICE: Sequence[str] = (
    *OPEN,
    "not-expected-to-help",
    "not-eligible",
    "contraindicated",
    "insufficient-data",
)
