"""Malformed input to a running service; the long form is `make torture`."""

from __future__ import annotations

import pytest

from operation.malformed import run


@pytest.mark.trust("F1", "F2")
def test_malformed_input_never_makes_a_fault(tmp_path, record_figure):
    for row, report in run(tmp_path / "data", "", number=200, seed=1).items():
        assert not report.wrong, report.wrong
        assert len(report.answers) > 1
        record_figure(row, str(report))
