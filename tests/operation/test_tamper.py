"""Edits of the audit are found, every one; the long form is `make torture`."""

from __future__ import annotations

import pytest

from operation.tamper import EDITS, tamper


@pytest.mark.trust("S12", "H9.1", "H9.2", "P2")
def test_every_edit_of_the_audit_is_found(database, record_figure):
    report = tamper(database, edits=120, seed=1)
    assert report.good, report.missed
    assert set(report.edits) == set(EDITS)
    assert 0 < report.without_anchor < 60
    record_figure("S12", str(report))
