"""Every row of the test plan has a test or a reason, and the marks say what they mean."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import pytest

from trust import book
from trust.marks import marked, proofs
from trust.rows import HERE, ROOT, partly, rows, unproved


def test_marks_name_rows_that_exist():
    assert set(proofs()) <= set(rows())


def test_every_row_has_a_test_or_a_reason():
    without = {one for one, row in rows().items() if one not in proofs() and not row.through}
    assert without == set(unproved()), "a row without a test, or a reason for one that has a test"
    assert all(len(reason) > 40 for reason in unproved().values())


def test_what_is_shown_in_part_has_a_test_and_says_what_is_missing():
    # figures of a row without a test can be too few as well
    shown = {*proofs(), *unproved()}
    assert set(partly()) <= shown, "a row without a test belongs to unproved.toml"
    assert all(len(missing) > 40 for missing in partly().values())


def test_a_promise_or_hazard_rests_on_rows_that_exist():
    for row in rows().values():
        assert set(row.through) <= set(rows()), row.id
        if row.kind in {"promise", "hazard"}:
            assert row.through
            assert any(one in proofs() for one in row.through), row.id


def test_a_mark_of_a_module_is_of_each_of_its_tests():
    text = """
pytestmark = [pytest.mark.trust("A1"), pytest.mark.skipif(x)]

@pytest.mark.trust("A2", "H1.1")
@pytest.mark.parametrize("one", [1])
def test_one(one): ...

def test_two(): ...

def not_a_test(): ...
"""
    assert dict(marked(ast.parse(text))) == {
        "test_one": ("A2", "H1.1", "A1"),
        "test_two": ("A1",),
    }


def test_a_run_replaces_what_it_ran_and_keeps_the_rest(tmp_path):
    path = tmp_path / "out" / "trust.json"
    one = {"passed": 1, "failed": 0, "skipped": 0}
    book.keep_tests({"a": one, "b": one}, path)
    book.keep_tests({"b": {**one, "failed": 1}}, path)
    book.keep_figure("A1", "5 kills: 0 lost", by="x --kills 5", path=path)
    book.keep_figure("A1", "6 kills: 0 lost", by="x --kills 6", path=path)
    found = book.read(path)
    assert (found["tests"]["a"]["failed"], found["tests"]["b"]["failed"]) == (0, 1)
    assert found["figures"]["A1"]["x"]["says"] == "6 kills: 0 lost"
    with pytest.raises(KeyError):
        book.keep_figure("A99", "", by="x", path=path)


def test_an_unknown_row_stops_the_run(tmp_path):
    (tmp_path / "test_one.py").write_text(
        'import pytest\n\n@pytest.mark.trust("Z9")\ndef test_one(): ...\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "trust_marks", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "rows that the test plan does not have: ['Z9 (test_one.py::test_one)']" in done.stderr


def test_the_report_names_every_row():
    text = (ROOT / "docs" / "trust-report.md").read_text(encoding="utf-8")
    missing = [one for one in rows() if f"**{one} " not in text]
    assert not missing, "run: make trust-report"
