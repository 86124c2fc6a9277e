"""The demonstration: made once, links that work, a feed that is not silent."""

from __future__ import annotations

import json
import time

import httpx
import msgspec
import pytest
from click.testing import CliRunner

from operation.process import Service
from redcell import clock
from redcell.cli.demo import PARTS, demo
from redcell.clinic import (
    capacity_past,
    chairs,
    demo_past,
    freshness,
    messages,
    releases,
    safety,
)
from redcell.clinic import demo as play
from redcell.clinic.background import assessor
from redcell.clinic.service import Clinic
from redcell.errors import SettingsError
from redcell.identity import accounts, links
from redcell.store import assessments, facts, jobs

COUNT = "6"


def made(folder, *options: str):
    arguments = ["--data", str(folder), "--people", COUNT, "--no-serve", *options]
    return CliRunner().invoke(demo, arguments, catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small demonstration."""
    where = tmp_path_factory.mktemp("demo") / "data"
    written = where.parent / "links.json"
    answer = made(where, "--links", str(written), "--port", "9123")
    assert answer.exit_code == 0, answer.output
    return where


def test_a_link_for_each_role_in_a_file_that_others_cannot_read(folder):
    written = folder.parent / "links.json"
    assert written.stat().st_mode & 0o077 == 0
    found = json.loads(written.read_text())
    assert list(found) == [part.login for part in PARTS]
    clinic = Clinic(folder)
    try:
        with clinic.database.write() as connection:
            for role, link in found.items():
                assert link.startswith("http://127.0.0.1:9123/")
                token = link.partition("token=")[2]
                account = links.use(connection, token, at=clock.now())
                part = next(part for part in PARTS if part.login == role)
                assert account.roles == set(part.roles)
                assert (account.person is not None) == (role == "patient")
                assert links.use(connection, token, at=clock.now()) is None, "once"
    finally:
        clinic.close()


def test_a_second_start_makes_nothing_twice(folder):
    clinic = Clinic(folder)

    def state() -> tuple[int, int, int]:
        with clinic.database.read() as c:
            people = accounts.every(c)
            return len(people), play.assessed(c), sum(1 for _ in facts.everything(c))

    try:
        before = state()
        assert made(folder).exit_code == 0
        assert state() == before
        assert before[:2] == (len(PARTS), int(COUNT))
        assert not freshness.look(clinic, at=clock.now()).silent
    finally:
        clinic.close()


def test_no_page_of_it_is_empty(folder):
    clinic = Clinic(folder)
    try:
        with clinic.database.read() as connection:
            found = messages.items(connection)
            plan = chairs.read(connection)
            shown = accounts.by_login(connection, "patient")
            assert shown is not None
            assert releases.current(connection, [shown.person]) is not None
            assert len(safety.entries(connection)) == 1
        assert {item.pressure for item in found} == {"emergency", "now", "ordinary"}
        assert found[-1].person == shown.person
        assert len(found[-1].answers) == 1
        assert plan.week.chairs
        assert plan.stock is not None
        assert sum(day.closed for day in plan.single.values()) == 1
    finally:
        clinic.close()


def test_others_come_in_the_background_and_the_laboratory_goes_on_sending(tmp_path, monkeypatch):
    from redcell.cli.demo import _prepare

    where = tmp_path / "data"
    _prepare(where)
    clinic = Clinic(where)
    try:
        cast = play.Cast(12, 5, clock.now(), months=3)
        play.make(clinic, cast, first=2)
        worker = assessor(clinic)
        now = clock.now()
        monkeypatch.setattr(clock, "now", lambda: now + clock.HOUR)
        while worker.step():
            pass
        with clinic.database.write() as connection:
            assert play.assessed(connection) == 12
            assert play.made(connection) == cast
            later = now + 2 * clock.HOUR
            kinds = (play.PULSE, play.PEOPLE)
            left = jobs.claim(connection, "test", at=later, kinds=kinds, most=9)
            assert [job.kind for job in left] == [play.PULSE], "the next message"
        assert freshness.look(clinic, at=clock.now()).as_of == now + clock.HOUR
        _they_have_a_past(clinic, now)
    finally:
        clinic.close()


def _they_have_a_past(clinic: Clinic, now: int) -> None:
    """Who came in the background was forecast on the Mondays before; the newest is today's."""
    today = clock.when(now).astimezone(clinic.settings.zone).date()
    at = demo_past.moments(today)
    assert capacity_past.check(clinic, today=today, at=clock.now(), most=len(at)) == len(at)
    with clinic.database.read() as connection:
        found = [assessments.earlier(connection, str(p)) for p in play.interesting(connection)]
        days = capacity_past.read(clinic, connection, today).days
    assert all(kept[0].at >= now for kept in found)
    assert any([one.at for one in reversed(kept)][: len(at)] == at for kept in found)
    assert len(days) == len(at) * capacity_past.WEEK
    for one in (one for kept in found for one in kept[1:]):
        count = msgspec.json.decode(one.body)["anemia"]["hemoglobin"]
        assert count is None or count["time"] < clock.iso(one.at), "nothing from after its moment"


def test_a_folder_for_real_use_is_refused(tmp_path):
    where = tmp_path / "real"
    where.mkdir()
    (where / "redcell.toml").write_text('[site]\nname = "Main Campus"\n')
    with pytest.raises(SettingsError, match="real use"):
        made(where)


def test_it_serves_its_pages(folder):
    service = Service(folder, "--port", "0", command="demo").wait_until_ready()
    try:
        deadline = time.monotonic() + 30
        while not any(line.startswith("admin ") for line in service.out):
            assert time.monotonic() < deadline, service.lines
            time.sleep(0.05)
        link = next(line.split()[1] for line in service.out if line.startswith("nurse"))
        assert link.startswith(service.address)
        assert httpx.get(f"{service.address}/healthz").status_code == 200
        assert httpx.get(link).status_code < 400
    finally:
        assert service.stop() == 0
