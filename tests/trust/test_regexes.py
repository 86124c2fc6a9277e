"""F7: no regular expression of the product can be made slow by what somebody sends."""

from __future__ import annotations

import ast
import itertools
import re
import time
from pathlib import Path

import pytest

import redcell

PACKAGE = Path(redcell.__file__).parent
LONG = 50_000
MOST = 0.010
"""Seconds of processor time for one string."""
STEP = 5
"""Each length tried is this many times the one before."""
TRIES = 4
"""One that is fast enough shows it: what else the machine does may slow the others."""
PIECES = ("a", "0", " ", "|", ".", "-", "/", "a ", "0.")


def patterns() -> dict[str, re.Pattern]:
    """Every pattern that is written out in the code, by module and name, without importing it."""
    found: dict[str, re.Pattern] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "re.compile(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("re.compile("):
                try:
                    pattern = ast.literal_eval(node.value.args[0])
                except ValueError:
                    continue  # put together from a table of the code
                names = ast.unparse(node.value.args[1]) if node.value.args[1:] else ""
                flags = sum(getattr(re, one) for one in re.findall(r"re\.(\w+)", names))
                name = ast.unparse(node.targets[0])
                found[f"{path.relative_to(PACKAGE)}:{name}"] = re.compile(pattern, flags)
    return found


def is_bytes(pattern: re.Pattern) -> bool:
    """Is it for bytes?"""
    return isinstance(pattern.pattern, bytes)


def attacks(pattern: re.Pattern) -> list[str]:
    """Long strings of one repeated piece, with the pattern's own letters among the pieces."""
    text = (
        pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    )
    own = {c for c in re.sub(r"\\.", "", text) if c.isprintable()}
    return [
        (piece * (LONG // len(piece) + 1))[:LONG] + "!" for piece in [*PIECES, *sorted(own)[:6]]
    ]


def sources() -> dict[str, str]:
    """The text of each module, by its path inside the package."""
    return {
        str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8")
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def uses(name: str, modules: dict[str, str]) -> list[str]:
    """How the code asks a pattern (`match`, `search`, `sub`): its module, and who imports it."""
    home, _, own = name.rpartition(":")
    word = re.escape(own)
    dotted = re.escape(home.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    imported = re.compile(rf"from redcell\.{dotted} import (\([^)]*\b{word}\b|.*\b{word}\b)")
    parent, _, last = f"redcell.{dotted}".rpartition(".")
    through = re.compile(rf"from {parent} import (\([^)]*\b{last}\b|.*\b{last}\b)")
    found: set[str] = set()
    for path, text in modules.items():
        if path == home or imported.search(text) or through.search(text):
            found |= set(re.findall(rf"\b{word}\s*\.\s*(\w+)\(", text))
    asked = found & {"match", "fullmatch", "search", "finditer", "findall", "sub", "split"}
    return sorted(asked) or ["fullmatch"]  # handed on, as the judge of CDS does


def took(pattern: re.Pattern, how: str, text: str | bytes) -> float:
    """Seconds of processor time of one call."""
    began = time.thread_time()
    if how == "sub":
        pattern.sub(text[:0], text)
    elif how in ("finditer", "findall"):
        began += 1e-6 * sum(1 for _ in pattern.finditer(text))  # the matches cost what they cost
    else:
        getattr(pattern, how)(text)
    return time.thread_time() - began


def slow(pattern: re.Pattern, how: str, whole: str | bytes) -> tuple[int, float]:
    """The length at which it grows faster than its text or takes far too long (0: none), seconds.

    A linear one may take more than `MOST` on a slow machine, never `STEP` times as much for a text
    of five times the length, twice over.
    """
    before = 0.0
    for length in (LONG // 25, LONG // 5, LONG):  # what is slow shows before it hangs
        text = whole[:length] + whole[-1:]
        best = min(took(pattern, how, text) for _ in range(TRIES))
        if best > MOST and (best > 2 * STEP * before or best > 5 * MOST):
            return length, best
        before = best
    return 0, before


@pytest.mark.trust("F7")
def test_no_pattern_is_slow_on_a_long_string(record_figure):
    modules = sources()
    faults, strings, seen, slowest = [], 0, set(), 0.0
    for name, pattern in patterns().items():
        asked = [how for how in uses(name, modules) if (pattern.pattern, how) not in seen]
        seen |= {(pattern.pattern, how) for how in asked}
        for attack, how in itertools.product(attacks(pattern), asked):
            whole = attack.encode("utf-8", "replace") if is_bytes(pattern) else attack
            strings += 1
            length, seconds = slow(pattern, how, whole)
            slowest = max(slowest, seconds)
            if length:
                faults.append(f"{name} {how} on {length} of {attack[:6]!r}: {seconds:.3f} s")
                break
    number = len({pattern for pattern, _ in seen})
    assert number > 40
    assert not faults, faults
    record_figure(
        "F7", f"{number} patterns, {strings} strings of 50 kB: slowest {1e3 * slowest:.0f} ms"
    )


@pytest.mark.parametrize("pattern", [r"a*b", r"\s*x"])
def test_a_pattern_that_grows_faster_than_its_text_is_found(pattern):
    assert any(slow(re.compile(pattern), "search", c * LONG + "!")[0] for c in ("a", " "))
