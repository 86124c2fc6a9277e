"""What was acknowledged is there after a kill; the long form is `make torture`."""

from __future__ import annotations

import pytest

from operation.kill import prepare, torture


@pytest.mark.trust("A1", "P1", "H8.2", "S4", "L8")
def test_a_killed_service_loses_and_doubles_nothing(store_address, tmp_path, record_figure):
    folder = tmp_path / "kill"
    address = store_address if "://" in store_address else ""
    prepare(folder, address)
    report = torture(folder, address, kills=5, seed=1)
    assert report.good, report
    assert report.kills == 5
    record_figure("A1", str(report))
