"""A damaged store's file: refused in words or the same answer; the long form is `make torture`."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
import structlog

from operation.damage import flip
from operation.samples import bundled, fill, settle, take
from redcell import clock
from redcell.clinic.daily import Daily
from redcell.clinic.fold import facts_of
from redcell.errors import StoreError
from redcell.store.schema import facts


@pytest.mark.trust("A7", "H3.2")
def test_a_changed_byte_never_makes_another_answer(tmp_path, record_figure):
    report = flip(tmp_path, flips=100, seed=2)
    assert report.good, report.wrong
    assert report.ways["refused"] > 5
    record_figure("A7", str(report))


@pytest.mark.trust("A7", "H9.4")
def test_a_number_that_was_changed_in_the_store_is_refused(clinic):
    fill(clinic)
    with clinic.database.write() as connection:
        for name in ("facts_no_update", "facts_append_only"):
            where = "" if clinic.database.dialect == "sqlite" else " ON facts"
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}{where}")
        found = connection.execute(sa.select(facts.c.id, facts.c.body))
        one = next(row for row in found if b"7.6" in row.body)
        changed = one.body.replace(b"7.6", b"9.6")
        connection.execute(sa.update(facts).where(facts.c.id == one.id).values(body=changed))
    with (
        clinic.database.read() as connection,
        pytest.raises(StoreError, match=rf"fact {one.id} .* is damaged"),
    ):
        facts_of(connection, "okafor")


@pytest.mark.trust("A7")
def test_floats_and_decimals_of_every_form_keep_their_seal(clinic):
    values = [1e22, 1e-7, 0.1, -0.0, 12345678901234567890, 7.60]
    for number, value in enumerate(values):
        one = dict(bundled()[3], id=f"v{number}", extension=[{"url": "u", "valueDecimal": value}])
        take(clinic, one, key=f"v{number}")
    with clinic.database.read() as connection:
        assert facts_of(connection, "okafor")


@pytest.mark.trust("A7")
def test_the_first_round_checks_the_file(clinic, monkeypatch):
    settle(clinic)

    def damaged() -> None:
        raise StoreError("the store's file is damaged")

    monkeypatch.setattr(clinic.database, "check", damaged)
    daily = Daily(clinic)
    with structlog.testing.capture_logs() as logs:
        daily.step(clock.now())
        daily.step(clock.now())
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["store-damaged"]
