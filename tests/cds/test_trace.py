"""Every requirement that binds a service has a test or a reason, and the page says so."""

from __future__ import annotations

import ast

import pytest

from cds.trace import HERE, PAGE, REQUIREMENTS, TRACE, named, page, requirements

needs_list = pytest.mark.skipif(
    not REQUIREMENTS.exists(), reason="the list of requirements is not beside this checkout"
)


@needs_list
def test_every_binding_requirement_has_a_row():
    rows = [int(r["ID"]) for r in requirements()]
    assert len(rows) == 73
    assert sorted(TRACE) == rows


def test_every_test_that_is_named_exists():
    written = {
        f"{path.name}::{node.name}"
        for path in HERE.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    assert set(named()) <= written, set(named()) - written


def test_a_reason_says_more_than_not_applicable():
    for row in TRACE.values():
        if isinstance(row, str):
            assert row.startswith("not applicable")
            assert len(row) > 60
        else:
            assert row


@needs_list
def test_the_page_is_as_generated():
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python tests/cds/trace.py"
