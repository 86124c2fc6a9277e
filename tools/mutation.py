"""Mutation testing: small faults put into the code one by one; do the tests of that part notice?

    python tools/mutation.py --sample 400 [--part rules] [--seed 1]

Cosmic Ray finds the places and writes the mutants. A mutant never touches the disk: a process that
has the libraries loaded forks, the child imports the changed module in place of the true one and
runs the tests of its part until the first failure. What did not change is compiled once for all
children. A mutant that uses up its processor time counts as noticed. Annotations and caches are
left out: changing them changes nothing. So are the mutants of tools/equivalent.toml, a reviewed
list with a reason for each. The sample takes one mutant of each kind for a place, places by chance.
Who lives is written to out/mutation.txt.
"""

from __future__ import annotations

import argparse
import ast
import importlib.abc
import importlib.util
import os
import random  # noqa: TID251  (seeded)
import re
import resource
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

CPU = 90
"""Seconds of processor time for the tests of one mutant."""
FAMILIES = (
    "AddNot",
    "ExceptionReplacer",
    "NumberReplacer",
    "RemoveDecorator",
    "Replace",
    "ZeroIteration",
)
HEAVY = ("numpy", "msgspec", "sqlalchemy", "jinja2", "fastapi", "hypothesis", "jsonschema")
GOAL = 85


@dataclass(frozen=True)
class Part:
    """A part of the product, and the tests that are to notice a fault in it."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]


def _spec(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/spec/test_{name}.py" for name in names)


PARTS = (
    Part("units", ("quantity.py", "record/measured.py"),
         ("tests/unit/test_quantity.py", "tests/unit/test_measured.py",
          "tests/unit/test_units.py")),
    Part("record", ("record",),
         (*(f"tests/unit/test_{n}.py" for n in ("moment", "patient", "measured", "therapies",
          "transfusions", "symptoms", "fhir_reader")), "tests/properties/test_reading.py",
          *_spec("surveillance", "transfusion", "causes", "later"))),
    Part("surveillance", ("findings/surveillance",), (*_spec("surveillance", "identity", "sides",
          "vignettes"), "tests/unit/test_policy.py")),
    Part("causes", ("findings/causes",), _spec("causes", "vignettes")),
    Part("patterns", ("findings/patterns",), _spec("patterns", "causes")),
    Part("red flags", ("findings/red_flags",), _spec("red_flags")),
    Part("transfusion", ("plan/transfusion",), _spec("transfusion", "vignettes")),
    Part("alternatives", ("plan/alternatives",), _spec("alternatives")),
    Part("other plans", ("plan/bloodwork.py", "plan/conversation.py", "plan/education.py",
         "plan/fatigue.py"), _spec("bloodwork", "conversation", "fatigue")),
    Part("authorization", ("identity/table/row.py", "identity/scopes.py",
         "web/security/authorize.py"),
         ("tests/identity/test_scopes.py", "tests/identity/test_table.py",
          "tests/identity/test_edges.py", "tests/identity/test_glass.py")),
    Part("audit", ("store/audit.py",), ("tests/store/test_audit.py",
         "tests/operation/test_tamper.py", "tests/operation/test_daily.py")),
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One fault at one place."""

    part: Part
    path: Path
    operator: str
    occurrence: int
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} {self.operator.removeprefix('core/')}"

    def code(self) -> str | None:
        """The module with the fault in it."""
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator

        text = self.path.read_text(encoding="utf-8")
        done: str | None = mutate_code(text, get_operator(self.operator)(), self.occurrence)
        return done if done != text else None


def paths(part: Part) -> list[Path]:
    """The modules of a part."""
    found: list[Path] = []
    for name in part.modules:
        path = ROOT / "src" / "redcell" / name
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return [path for path in found if path.name != "__init__.py"]


def mutants(part: Part, chance: random.Random) -> list[Mutant]:
    """Mutants of a part, one of a family at a place."""
    from cosmic_ray.commands import init
    from cosmic_ray.work_db import use_db

    places: dict[tuple[Path, tuple[int, int], str], list[Mutant]] = {}
    with tempfile.TemporaryDirectory() as folder, use_db(f"{folder}/all.sqlite") as database:
        init(paths(part), database, {})
        silent = {path: _silent(path) for path in paths(part)}
        for item in database.pending_work_items:
            (one,) = item.mutations
            family = one.operator_name.removeprefix("core/")
            if not family.startswith(FAMILIES) or one.start_pos in silent[one.module_path]:
                continue
            key = (one.module_path, one.start_pos, family.partition("_")[0])
            place = Mutant(part, one.module_path, one.operator_name, one.occurrence, *one.start_pos)
            places.setdefault(key, []).append(place)
    return [chance.choice(found) for _, found in sorted(places.items(), key=lambda x: str(x[0]))]


def equivalent() -> list[dict[str, str]]:
    """Mutants that change nothing, from the reviewed list: path, line, kind, and perhaps place."""
    listed: list[dict[str, str]] = tomllib.loads(
        (ROOT / "tools" / "equivalent.toml").read_text(encoding="utf-8")
    )["mutant"]
    return listed


def _is_listed(one: Mutant, listed: list[dict[str, str]]) -> bool:
    line = one.path.read_text(encoding="utf-8").splitlines()[one.line - 1]
    path, kind = one.path.relative_to(ROOT).as_posix(), one.operator.removeprefix("core/")
    return any(
        (entry["path"], entry["line"]) == (path, line.strip())
        and kind.startswith(entry["kind"])
        and line[one.column :].startswith(entry.get("at", ""))
        for entry in listed
    )


Place = tuple[int, int]


class _Silent(set[Place]):
    """Places where a change changes nothing."""

    def __init__(
        self, lines: set[int], spans: list[tuple[tuple[int, int], tuple[int, int]]]
    ) -> None:
        self.lines, self.spans = lines, spans

    def __contains__(self, place: object) -> bool:
        if not isinstance(place, tuple):
            return False
        return place[0] in self.lines or any(a <= place < b for a, b in self.spans)


def _silent(path: Path) -> _Silent:
    text = path.read_text(encoding="utf-8")
    spans = []
    for node in ast.walk(ast.parse(text)):
        for name in ("annotation", "returns"):
            if (one := getattr(node, name, None)) is not None:
                spans.append(((one.lineno, one.col_offset), (one.end_lineno, one.end_col_offset)))
    written = list(enumerate(text.splitlines(), 1))
    for n, line in written:  # the star before arguments that are named: no product
        spans += [((n, one.start()), (n, one.end())) for one in re.finditer(r"\*(?=,)", line)]
    return _Silent({n for n, line in written if _no_effect(line)}, spans)


def _no_effect(line: str) -> bool:
    return any(sign in line for sign in ("lru_cache", "@cache", "TYPE_CHECKING", "frozen=True"))


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Gives the changed text when the module is imported."""

    def __init__(self, name: str, path: Path, text: str) -> None:
        self.name, self.path, self.text = name, path, text

    def find_spec(self, fullname, path=None, target=None):
        """Is it this module?"""
        if fullname != self.name:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(self.path))

    def get_source(self, fullname: str) -> str:
        """The changed text."""
        return self.text

    def exec_module(self, module) -> None:
        """Run it as if it stood where the true one stands."""
        module.__file__ = str(self.path)
        exec(compile(self.text, str(self.path), "exec"), module.__dict__)  # noqa: S102  (ours)


def noticed(mutant: Mutant | None, part: Part) -> bool:
    """Do the tests of the part fail with the mutant in place? Without one: do they fail at all?"""
    text = mutant.code() if mutant else ""
    if text is None:
        return True
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return status != 0
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))
    try:
        if mutant:
            dotted = ".".join(mutant.path.relative_to(ROOT / "src").with_suffix("").parts)
            sys.meta_path.insert(0, _Changed(dotted, mutant.path, text))
        import pytest

        from trust import book

        book.keep_tests = book.keep_figure = lambda *_a, **_k: None  # a mutant shows nothing
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:sides", "-k", "not postgresql"]
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        code = pytest.main([*options, *(str(ROOT / test) for test in part.tests)])
    except BaseException:  # the child must end here, whatever the mutant did
        code = 1
    os._exit(int(code))


def run(sample: int, only: str, seed: int) -> Iterator[tuple[Part, int, int, list[Mutant]]]:
    """Try a sample; of each part how many were tried, how many noticed, and who lives."""
    chance = random.Random(seed)  # noqa: S311  (a seeded sample)
    parts = [part for part in PARTS if only in ("", part.name)]
    listed = equivalent()
    every = [m for part in parts for m in mutants(part, chance) if not _is_listed(m, listed)]
    chosen = sorted(chance.sample(every, min(sample, len(every))), key=str)
    for part in PARTS:
        own = [one for one in chosen if one.part == part]
        if not own:
            continue
        if noticed(None, part):
            raise SystemExit(f"the tests of {part.name} fail without any mutant")
        living = []
        for one in own:
            if not noticed(one, part):
                living.append(one)
                sys.stdout.write(f"  lives: {one}\n")
                sys.stdout.flush()
        yield part, len(own), len(own) - len(living), living


def main() -> int:
    """Read what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sample", type=int, default=400)
    parser.add_argument("--part", default="", choices=["", *(part.name for part in PARTS)])
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as compiled:
        warm(compiled)
        return score(asked.sample, asked.part, asked.seed)


def warm(compiled: str) -> None:
    """Load what every child needs and no mutant changes; what children compile goes to a folder."""
    sys.dont_write_bytecode, sys.pycache_prefix = False, compiled
    for name in HEAVY:
        __import__(name)
    for plugin in entry_points(group="pytest11"):
        plugin.load()


def score(sample: int, only: str, seed: int) -> int:
    """Try a sample, print the scores and keep them."""
    tried = found = 0
    lines = []
    for part, count, killed, living in run(sample, only, seed):
        tried, found = tried + count, found + killed
        said = f"{part.name}: {killed} of {count} noticed ({100 * killed / count:.0f} %)"
        sys.stdout.write(f"{said}\n")
        lines += [said, *(f"  lives: {one}" for one in living)]
        _keep(part.name, said, seed, good=killed >= GOAL / 100 * count)
    percent = 100 * found / max(tried, 1)
    said = f"together {found} of {tried} mutants noticed: {percent:.0f} % (seed {seed})"
    sys.stdout.write(f"{said}\n")
    (ROOT / "out").mkdir(exist_ok=True)
    (ROOT / "out" / "mutation.txt").write_text("\n".join([*lines, said]) + "\n", encoding="utf-8")
    if not only:
        _keep("", said, seed, good=percent >= GOAL)
    return 0 if percent >= GOAL else 1


def _keep(part: str, said: str, seed: int, *, good: bool) -> None:
    """Keep a score, in a process of its own: this one must not have the product loaded."""
    by = f"python tools/mutation.py --seed {seed}" + (f" --part '{part}'" if part else "")
    child = os.fork()
    if child == 0:
        from trust import book

        book.keep_figure("Q2", said, by=by, good=good)
        os._exit(0)
    os.waitpid(child, 0)


if __name__ == "__main__":
    sys.exit(main())
