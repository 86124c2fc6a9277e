"""Row 25: there is one copy of the equations, and both drivers use it.

A second copy is looked for in two ways: in code that reads what only the equations need (the
model's constants, or their entries in the knowledge base), and in functions whose arithmetic is
that of the step under other names.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import redcell
from model.rows import Row
from redcell.erythropoiesis import dynamics, simulate
from redcell.erythropoiesis.dynamics import Constants

SOURCE = Path(redcell.__file__).parent
HOME, READER = "erythropoiesis/dynamics.py", "erythropoiesis/priors.py"
DRIVERS = ("erythropoiesis/simulate.py", "erythropoiesis/many.py")
EQUATIONS = "redcell.erythropoiesis.dynamics"
KEYS = {f"erythropoiesis.{name}" for name in Constants._fields} | {
    "erythropoiesis.marrow_share_of_kill",
    "erythropoiesis.reticulocyte_maturation",
    "erythropoiesis.reticulocyte_residence",
    "erythropoiesis.inflammation_effect",
}
ALIKE = 0.5
"""Share of the arithmetic of the equations that makes another function a copy of them."""


def row_25() -> Row:
    """Do the drivers share one step, and is there no other?"""
    copies = list(second_copies(SOURCE))
    shared = [d for d in DRIVERS if uses_the_step((SOURCE / d).read_text())]
    same = simulate.step is dynamics.step and len(shared) == len(DRIVERS)
    said = "; ".join(copies) or "none"
    return Row(
        25,
        "one copy of the equations: NumPy and JAX drivers import it; second copies in the source",
        "both; none",
        f"{len(shared)} of {len(DRIVERS)} drivers; {said}",
        same and not copies,
    )


def uses_the_step(text: str) -> bool:
    """Does a driver import `step` from the equations, call it, and define none of its own?"""
    tree = ast.parse(text)
    imported = any(
        isinstance(node, ast.ImportFrom)
        and node.module == EQUATIONS
        and any(name.name == "step" and name.asname is None for name in node.names)
        for node in ast.walk(tree)
    )
    calls = any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "step"
        for node in ast.walk(tree)
    )
    own = any(isinstance(node, ast.FunctionDef) and node.name == "step" for node in ast.walk(tree))
    return imported and calls and not own


def second_copies(source: Path) -> Iterator[str]:
    """Places under `source` that look like the equations once more."""
    original = _arithmetic(ast.parse((source / HOME).read_text()))
    for path in sorted(source.rglob("*.py")):
        name = path.relative_to(source).as_posix()
        if name == HOME:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if name != READER:
            yield from (f"{name} reads {word}" for word in sorted(_constants(tree)))
        if alike(tree, original) >= ALIKE:
            yield f"{name} computes the same"


def _constants(tree: ast.Module) -> set[str]:
    """Constants of the equations that are read, by attribute or by their key."""
    read = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return (read & set(Constants._fields)) | {str(t) for t in texts & KEYS}


def alike(tree: ast.Module, original: Counter[str]) -> float:
    """Share of the original's arithmetic that a module holds too, whatever it names things."""
    return (_arithmetic(tree) & original).total() / original.total()


def _arithmetic(tree: ast.Module) -> Counter[str]:
    """Every calculation of a module by its form: operators and their nesting, names left out."""
    return Counter(
        _form(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and sum(isinstance(x, ast.BinOp) for x in ast.walk(node)) > 1
    )


def _form(node: ast.AST) -> str:
    match node:
        case ast.BinOp():
            return f"({_form(node.left)}{type(node.op).__name__}{_form(node.right)})"
        case ast.UnaryOp():
            return f"{type(node.op).__name__}{_form(node.operand)}"
        case ast.Call():
            return f"f({','.join(_form(a) for a in node.args)})"
        case _:
            return "x"
