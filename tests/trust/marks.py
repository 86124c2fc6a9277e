"""Which test proves which row: the marks, read from the text of the tests without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from trust.rows import ROOT


@lru_cache
def proofs() -> dict[str, tuple[str, ...]]:
    """Ids of rows, and the tests that are marked with them as `tests/file.py::test_name`."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if "node_modules" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        if "mark.trust" in text:
            for test, ids in marked(ast.parse(text)):
                for one in ids:
                    found.setdefault(one, []).append(f"{_name(path)}::{test}")
    return {one: tuple(dict.fromkeys(tests)) for one, tests in found.items()}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def marked(module: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Tests of a module with the rows they prove; a mark of the module is of each of its tests."""
    whole: tuple[str, ...] = ()
    for node in module.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "pytestmark":
            whole += _ids(node.value)
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name[:5] == "test_":
            own = [one for decorator in node.decorator_list for one in _ids(decorator)]
            if whole or own:
                yield node.name, tuple(dict.fromkeys((*own, *whole)))
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            own = tuple(one for decorator in node.decorator_list for one in _ids(decorator))
            if whole or own:
                yield node.name, tuple(dict.fromkeys((*own, *whole)))


def _ids(node: ast.AST) -> tuple[str, ...]:
    """The rows that a decorator or the value of `pytestmark` names."""
    found: list[str] = []
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.trust":
            found += [ast.literal_eval(argument) for argument in call.args]
    return tuple(found)
