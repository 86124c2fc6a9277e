"""Both sides of each threshold: the numbers of every rule are nudged while its tests run.

A rule is a pure function, so each call that the tests of tests/spec make is asked again with one of
its numbers a little higher, and a little lower. Where the answer changes, a case lies just on that
side. A number for which no case lies on one of the sides, and a rule that always gives the same
answer, stop the run, but for a reviewed list (tests/trust/one_sided.toml). So a number that is new
in the knowledge base without a case on each side is noticed, whoever wrote the tests.

A little is two of a hundred, and one where the number is whole: between a grade and the next, a
dose and the next, nothing lies. Tables are nudged cell by cell.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from redcell import rule
from redcell.knowledge.load import Cited, knowledge
from trust import book

HERE = Path(__file__).parent
SPEC = HERE / "spec"
FOLDER = "REDCELL_SIDES"
UP, DOWN = "up", "down"
LITTLE = 0.02
MORE = 2
"""Answers that a rule gives at least."""
ENOUGH = 3000
"""Calls of a rule after which a number without a case is looked for no more, in one process."""


class Watched(rule.Finding):  # type: ignore[type-arg]
    """A finding that is looked at when it is made."""

    def __post_init__(self) -> None:
        """Look at the call behind it."""
        WATCH.look(self)


class Watch:
    """What the calls of this process have shown: sides of numbers, answers of rules."""

    def __init__(self) -> None:
        self.sides: dict[str, set[str]] = {}
        self.answers: dict[str, set[str]] = {}
        self.files: dict[str, set[str]] = {"spec": set()}
        self.calls: dict[str, int] = {}
        self._functions: dict[str, Any] = {}
        self._busy = False

    def look(self, finding: rule.Finding[Any]) -> None:
        """Ask again with each number moved, as far as its sides are not known yet."""
        if self._busy:
            return
        self._busy = True
        try:
            self._look(finding)
        finally:
            self._busy = False

    def _look(self, finding: rule.Finding[Any]) -> None:
        name = finding.name
        seen = self.answers.setdefault(name, set())
        if len(seen) < MORE:
            seen.add(str(finding.value))
        calls = self.calls[name] = self.calls.get(name, 0) + 1
        function = self._function(name)
        if function is None or calls > ENOUGH:
            return
        for argument, cited in finding.cited.items():
            for place, number in numbers(cited):
                sides = self.sides.setdefault(place, set())
                for side in (UP, DOWN):
                    if side not in sides and self._moves(finding, argument, place, number, side):
                        sides.add(side)

    def _moves(
        self, finding: rule.Finding[Any], argument: str, place: str, number: float, side: str
    ) -> bool:
        function = self._function(finding.name)
        for other in nudged(number, side):
            moved = put(finding.cited[argument], place, other)
            with suppress(Exception):  # a number that makes no sense to the rule shows nothing
                if function(*finding.given, **finding.cited | {argument: moved}) != finding.value:
                    return True
        return False

    def _function(self, name: str) -> Any:
        if not self._functions:
            modules = [m for n, m in sys.modules.items() if n.startswith("redcell.")]
            found = (one for m in modules for one in vars(m).values() if hasattr(one, "spec"))
            self._functions = {
                one.spec.name: one.__wrapped__ for one in found if hasattr(one, "__wrapped__")
            }
        return self._functions.get(name)


def numbers(cited: Cited) -> Iterator[tuple[str, float]]:
    """Each number of an entry, with its place: the key, in a table with row and column."""
    if not cited.rows:
        yield cited.key, cited.value
    for row, cells in enumerate(cited.rows):
        for column, cell in enumerate(cells):
            yield f"{cited.key}[{row}][{column}]", cell


def put(cited: Cited, place: str, number: float) -> Cited:
    """The entry with another number at a place."""
    if not cited.rows:
        return replace(cited, value=number)
    row, column = (int(part.rstrip("]")) for part in place.split("[")[1:])
    rows = [list(cells) for cells in cited.rows]
    rows[row][column] = number
    return replace(cited, rows=tuple(map(tuple, rows)))


def nudged(number: float, side: str) -> Iterator[float]:
    """The number a little higher or lower; one, where it is whole."""
    sign = 1 if side == UP else -1
    yield number + sign * abs(number) * LITTLE
    if number == int(number):
        yield number + sign


WATCH = Watch()


def pytest_configure(config: pytest.Config) -> None:
    """A folder in which every process leaves what it saw."""
    if not hasattr(config, "workerinput"):
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="redcell-sides-")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Watch the tests of rules, and no others."""
    if SPEC not in item.path.parents:
        return (yield)
    WATCH.files["spec"].add(item.path.name)
    plain = rule.Finding
    rule.Finding = Watched  # type: ignore[misc]
    try:
        return (yield)
    finally:
        rule.Finding = plain  # type: ignore[misc]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave what was seen; the process that began looks at all of it, after a whole run."""
    folder = Path(os.environ[FOLDER])
    if WATCH.answers and folder.is_dir():
        seen = {
            name: {key: sorted(values) for key, values in getattr(WATCH, name).items()}
            for name in ("sides", "answers", "files")
        }
        (folder / f"{os.getpid()}.json").write_text(json.dumps(seen), encoding="utf-8")
    if hasattr(session.config, "workerinput"):
        return
    found = gathered(folder)
    shutil.rmtree(folder, ignore_errors=True)
    if found["files"].get("spec", set()) >= {path.name for path in SPEC.glob("test_*.py")}:
        missing = judged(found)
        session.config.stash[MISSING] = missing
        if missing:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


MISSING = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what has no case on one of its sides."""
    for line in config.stash.get(MISSING, []):
        terminalreporter.write_line(f"FAILED {line}", red=True)


def gathered(folder: Path) -> dict[str, dict[str, set[str]]]:
    """What all processes saw."""
    found: dict[str, dict[str, set[str]]] = {"sides": {}, "answers": {}, "files": {}}
    for path in folder.glob("*.json"):
        for name, seen in json.loads(path.read_text(encoding="utf-8")).items():
            for key, values in seen.items():
                found[name].setdefault(key, set()).update(values)
    return found


def judged(found: dict[str, dict[str, set[str]]]) -> list[str]:
    """What is missing, by the rules and the knowledge base; the figure goes into the book."""
    import redcell.loop  # noqa: F401  (loads every rule)

    known = knowledge()
    keys = {key for spec in rule.RULES.values() for key in spec.numbers.values()}
    places = sorted(place for key in keys for place, _ in numbers(known.number(key)))
    listed = tomllib.loads((HERE / "trust" / "one_sided.toml").read_text(encoding="utf-8"))
    one_sided = [p for p in places if len(found["sides"].get(p, ())) < len((UP, DOWN))]
    alike = [r for r in sorted(rule.RULES) if len(found["answers"].get(r, ())) < MORE]
    missing = [f"{p}: no case just on each side of it" for p in one_sided if p not in listed]
    missing += [f"{r}: one answer in all its tests" for r in alike if r not in listed]
    missing += [f"{p}: is listed and has both" for p in listed if p not in one_sided + alike]
    both = len(places) - len(one_sided)
    says = (
        f"{both} of {len(places)} numbers of rules have a case just on each side, "
        f"{len(one_sided)} are on a reviewed list; {len(rule.RULES) - len(alike)} of "
        f"{len(rule.RULES)} rules gave more than one answer"
    )
    book.keep_figure("Q3", says, by="pytest tests/spec", good=not missing)
    return missing
