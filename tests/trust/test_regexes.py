"""F7: no regular expression of the product can be made slow by what somebody sends."""

from __future__ import annotations

import ast
import re
import time
from pathlib import Path

import pytest

import redcell

PACKAGE = Path(redcell.__file__).parent
LONG = 50_000
MOST = 0.010
"""Seconds of processor time for one string."""
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


@pytest.mark.trust("F7")
def test_no_pattern_is_slow_on_a_long_string(record_figure):
    modules = sources()
    slow, strings, seen = [], 0, set()
    for name, pattern in patterns().items():
        asked = [how for how in uses(name, modules) if (pattern.pattern, how) not in seen]
        seen |= {(pattern.pattern, how) for how in asked}
        for attack in attacks(pattern):
            whole = attack.encode("utf-8", "replace") if is_bytes(pattern) else attack
            for how in asked:
                strings += 1
                for length in (LONG // 25, LONG // 5, LONG):  # what is slow shows before it hangs
                    text = whole[:length] + whole[-1:]
                    if all(took(pattern, how, text) > MOST for _ in range(TRIES)):
                        slow.append(f"{name} {how} on {length} of {attack[:6]!r}")
                        break
            if slow and slow[-1].startswith(f"{name} "):
                break
    assert len({pattern for pattern, _ in seen}) > 40
    assert not slow, slow
    record_figure(
        "F7", f"{len({p for p, _ in seen})} patterns, {strings} strings of 50 kB: none over 10 ms"
    )
