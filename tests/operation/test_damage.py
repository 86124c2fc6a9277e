"""A damaged store's file: refused in words or the same answer; the long form is `make torture`."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog

from operation.damage import flip, made
from operation.process import Service
from operation.samples import bundled, fill, settle, take
from redcell import clock
from redcell.clinic.daily import Daily
from redcell.clinic.fold import facts_of
from redcell.errors import StoreError
from redcell.store.database import FILE, MARK, check_at_start, open_database
from redcell.store.schema import facts


@pytest.mark.trust("A7")
def test_a_changed_byte_never_makes_another_answer(tmp_path, record_figure):
    report = flip(tmp_path, flips=100, seed=2)
    assert report.good, report.wrong
    assert report.ways["refused by whoever reads"] > 5
    assert report.ways["refused after the check, though the answer would be the same"] > 5
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


@pytest.mark.trust("A7")
def test_a_file_found_damaged_is_read_by_nobody_until_it_is_whole(tmp_path):
    file = made(tmp_path)
    whole = file.read_bytes()
    places = [place for place in range(8192, len(whole), 4096) if misses(file, whole, place)]
    assert places, "no page whose loss the check can see"
    file.write_bytes(whole[: places[0]] + whole[4096:8192] + whole[places[0] + 4096 :])
    with pytest.raises(StoreError, match="Restore a backup"):
        check_at_start(tmp_path)
    for elsewhere in (open_database(tmp_path), open_database(tmp_path)):
        with pytest.raises(StoreError, match="nothing is read from it"), elsewhere.read():
            pass
        with pytest.raises(StoreError, match="nothing is read from it"), elsewhere.write():
            pass
        elsewhere.close()
    file.write_bytes(whole)
    check_at_start(tmp_path)
    database = open_database(tmp_path)
    with database.read() as connection:
        assert facts_of(connection, "okafor")
    database.close()


def misses(file: Path, whole: bytes, place: int) -> bool:
    """Does the check see that another page lies in this place?"""
    file.write_bytes(whole[:place] + whole[4096:8192] + whole[place + 4096 :])
    database = open_database(file.parent)
    try:
        database.check()
    except StoreError:
        return True
    finally:
        database.close()
        (file.parent / MARK).unlink(missing_ok=True)
    return False


@pytest.mark.trust("A7")
def test_a_damaged_store_is_not_served(folder):
    if not (folder / FILE).exists():
        pytest.skip("PostgreSQL looks after its own files")
    (folder / FILE).write_bytes(b"not a database at all" * 500)
    service = Service(folder, "--port", "0")
    assert service.process.wait(60) != 0
    service.kill()
    assert any("Restore a backup" in line for line in service.lines)
    assert not any("Traceback" in line for line in service.lines)
