"""What the linters say of the whole code: nothing, and SQL is built of strings in one place alone."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

import pytest

from trust.rows import ROOT

CODE = ("src", "tests", "benchmarks", "tools")
OF_CONSTANTS = {"tables.py", "concepts.py"}
"""Of `sources/omop`: queries of a table in memory, over names that this program itself spells."""


def run(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A tool of the checkout's environment."""
    tool = Path(sysconfig.get_path("scripts")) / name
    if not tool.exists():
        pytest.skip(f"{name} is not installed in this environment: make setup")
    return subprocess.run([tool, *words], cwd=ROOT, check=False, capture_output=True, text=True)


@pytest.mark.trust("Q6", "Q4")
@pytest.mark.parametrize("words", [("check",), ("format", "--check")], ids=["lint", "format"])
def test_the_linter_finds_nothing(words):
    """Rules that read a clock, are random or hold bare numbers among what it looks for."""
    done = run("ruff", *words, *CODE)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.trust("Q4")
def test_modules_import_from_the_layers_below_alone():
    done = run("lint-imports")
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.trust("S8")
def test_sql_is_built_of_strings_nowhere_but_of_constants():
    """Looked for although a line may say that it is exempt."""
    words = ("--select", "S608", "--ignore-noqa", "--output-format", "json", "src")
    found = json.loads(run("ruff", "check", *words).stdout)
    places = {Path(one["filename"]).relative_to(ROOT / "src") for one in found}
    assert {place.parent.as_posix() for place in places} == {"redcell/sources/omop"}
    assert {place.name for place in places} <= OF_CONSTANTS
