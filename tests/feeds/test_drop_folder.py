"""The drop folder: when a file is whole, what becomes of it, and what a kill leaves behind."""

from __future__ import annotations

import asyncio
import os
import random  # noqa: TID251  (seeded)
import signal
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from feeds.messages import cbc, obx
from redcell.feeds.channels import Channel
from redcell.feeds.drop_folder import LOOKS_WITHOUT_END, DropFolder
from redcell.feeds.intake import Outcome, StoreIntake
from redcell.sources.as_fhir import AUTHORITY
from redcell.sources.csv_labs.to_fhir import PIECE
from redcell.store.database import open_database
from redcell.store.migrate import upgrade
from redcell.store.schema import arrivals, facts
from redcell.store.writer import Writer

AT = 1_795_000_000_000_000
HEADER = "patient_id,date,test,value,unit\n"
ONE = HEADER + "417733,2026-11-20,Hb,9.1,g/dL\n"


class Memory:
    def __init__(self) -> None:
        self.kept: dict[str, object] = {}
        self.failing = False

    async def submit(self, arrival):
        if self.failing:
            raise OSError("the disk is full")
        if arrival.translated.refusal:
            return Outcome("refused", arrival.translated.refusal.text)
        if arrival.key in self.kept:
            return Outcome("duplicate")
        self.kept[arrival.key] = arrival
        return Outcome("accepted")


@pytest.fixture
def drop(tmp_path):
    """A folder with an intake in memory; `look()` is one look."""
    folder = DropFolder(tmp_path / "in", Channel("lab"), Memory(), now=lambda: AT)
    folder.look = lambda times=1: [asyncio.run(folder.step()) for _ in range(times)][-1]
    folder.memory = folder._intake
    return folder


def names(folder, name="."):
    return sorted(p.name for p in (folder.folder / name).iterdir() if p.is_file())


def report(folder, name):
    (path,) = (folder.folder / name).glob("*.report.txt")
    return path.read_text().splitlines()


def test_a_file_that_rests_is_taken_and_moved_with_its_report(drop):
    (drop.folder / "labs.csv").write_text(ONE)
    assert [drop.look() for _ in range(3)] == [0, 0, 1]
    assert names(drop) == []
    assert len(names(drop, "done")) == 2
    assert names(drop, "done")[0].startswith("labs-")
    assert report(drop, "done")[:2] == ["taken", "1 results of 1 patients"]
    (arrival,) = drop.memory.kept.values()
    assert (arrival.feed, arrival.form, arrival.body) == ("lab", "csv", ONE.encode())
    assert arrival.key.startswith("sha256:")


def test_a_file_that_grows_is_left_alone(drop):
    path = drop.folder / "labs.csv"
    path.write_text(HEADER)
    for number in range(6):
        with path.open("a") as file:
            file.write(f"417733,2026-11-{10 + number},Hb,9.1,g/dL\n")
        assert drop.look() == 0
    assert drop.look(2) == 1
    assert report(drop, "done")[1] == "6 results of 1 patients"


def test_a_file_without_a_last_line_end_rests_longer(drop):
    (drop.folder / "labs.csv").write_text(ONE.rstrip("\n"))
    assert drop.look(LOOKS_WITHOUT_END - 1) == 0
    assert drop.look() == 1


def test_a_renamed_file_is_taken_at_once_and_an_unfinished_one_never(drop):
    part = drop.folder / "labs.csv.part"
    part.write_text(ONE)
    assert drop.look(6) == 0
    part.rename(drop.folder / "labs.csv")
    assert drop.look() == 1


@pytest.mark.trust("D3")
def test_the_same_content_again_has_no_second_effect(drop):
    for name in ("a.csv", "b.csv", "a.csv"):
        (drop.folder / name).write_text(ONE)
        assert drop.look(3) == 1
    assert len(drop.memory.kept) == 1
    assert len(names(drop, "done")) == 4
    assert "all of it was known already" in report_of(drop, "done", "b-")


def report_of(folder, where, start):
    (path,) = (folder.folder / where).glob(f"{start}*.report.txt")
    return path.read_text()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("a.csv", "hello\n", "no header with a date"), ("a.csv", "date,Hb (g/dL)\n2026-11-20,9\n", "whose rows"),
     ("a.pdf", "%PDF-1.4\n", "expected a table"), ("a.hl7", "hello\n", "no line begins with MSH"),
     ("a.csv", "\n", "no header")],
)  # fmt: skip
def test_what_is_not_taken_is_moved_with_its_reason(drop, name, content, said):
    (drop.folder / name).write_text(content)
    assert drop.look(3) == 1
    first = report(drop, "refused")[0]
    assert first.startswith("refused: ")
    assert said in first
    assert drop.memory.kept == {}


def test_rows_that_are_set_aside_are_in_the_report(drop):
    (drop.folder / "labs.csv").write_text(ONE + "417733,soon,Hb,9.1,g/dL\n")
    drop.look(3)
    assert any("labs.csv:3" in line for line in report(drop, "done"))


@pytest.mark.trust("A3")
def test_a_store_that_fails_leaves_the_file_to_be_tried_again(drop):
    drop.memory.failing = True
    (drop.folder / "labs.csv").write_text(ONE)
    assert drop.look(4) == 0
    assert names(drop) == ["labs.csv"]
    drop.memory.failing = False
    assert drop.look() == 1


def test_a_file_that_changes_while_it_is_taken_is_taken_again(drop):
    path = drop.folder / "labs.csv"
    path.write_text(ONE)
    submit = drop.memory.submit

    async def late(arrival):
        with path.open("a") as file:
            file.write("417733,2026-11-21,Hb,8.8,g/dL\n")
        drop.memory.submit = submit
        return await submit(arrival)

    drop.memory.submit = late
    assert drop.look(3) == 0
    assert drop.look(3) == 1
    assert report(drop, "done")[1] == "2 results of 1 patients"


def test_messages_of_a_file_are_arrivals_of_their_own(drop):
    data = cbc(obx()) + cbc(obx("8"), control="M2") + cbc(obx(), control="M3", mode="T")
    (drop.folder / "feed.hl7").write_bytes(data)
    assert drop.look(3) == 1
    assert sorted(drop.memory.kept) == ["LAB|HOSP|M1", "LAB|HOSP|M2"]
    said = report(drop, "refused")
    assert "message[1]: accepted" in said
    assert any(line.startswith("message[3]: refused: MSH-11 is T") for line in said)


def test_a_large_table_comes_in_parts(drop):
    rows = [f"{n},2026-11-20,Hb,9.1,g/dL\n" for n in range(PIECE)]
    (drop.folder / "labs.csv").write_text(HEADER + "".join(rows))
    assert drop.look(3) == 1
    parts = list(drop.memory.kept.values())
    assert [p.form for p in parts] == ["csv", "csv-part"]
    assert sum(len(p.translated.resources) for p in parts) == 2 * PIECE


def test_links_and_folders_and_hidden_files_are_not_taken(drop, tmp_path):
    outside = tmp_path / "outside.csv"
    outside.write_text(ONE)
    (drop.folder / "link.csv").symlink_to(outside)
    (drop.folder / ".hidden.csv").write_text(ONE)
    (drop.folder / "folder.csv").mkdir()
    assert drop.look(6) == 0
    assert outside.exists()


def test_the_channel_says_zone_and_identifier_system(tmp_path):
    from zoneinfo import ZoneInfo

    from redcell.sources.as_fhir import Authorities, patient_id

    channel = Channel("x", ZoneInfo("Europe/Vienna"), Authorities(default="urn:x"))
    memory = Memory()
    folder = DropFolder(tmp_path, channel, memory, looks=1)
    (tmp_path / "labs.csv").write_text(ONE.replace("2026-11-20", "2026-11-20 08:00"))
    assert asyncio.run(folder.step()) == 1
    (arrival,) = memory.kept.values()
    patient, result = arrival.translated.resources
    assert result["subject"]["reference"] == f"Patient/{patient_id('urn:x', '417733')}"
    assert result["effectiveDateTime"] == "2026-11-20T08:00:00+01:00"
    assert patient["identifier"][0]["system"] == "urn:x"


# -- kills -----------------------------------------------------------------------------------------

PROGRAM = """
import asyncio, sys
from pathlib import Path
from redcell.feeds.channels import Channel
from redcell.feeds.drop_folder import DropFolder
from redcell.feeds.intake import StoreIntake
from redcell.store.database import open_database
from redcell.store.writer import Writer

where = Path(sys.argv[1])
folder = DropFolder(where / "in", Channel("lab"), StoreIntake(Writer(open_database(where))), looks=1)
folder.channel.translate(b"")
print("ready", flush=True)
asyncio.run(folder.run(pause=0.01))
"""


@pytest.mark.trust("A1")
def test_a_kill_at_any_moment_has_no_doubled_effect(tmp_path):
    database = open_database(tmp_path)
    upgrade(database)
    inbox = tmp_path / "in"
    inbox.mkdir()
    chance = random.Random(3)  # noqa: S311
    number = 25
    for n in range(number):
        (inbox / f"f{n:02}.csv").write_text(f"{HEADER}{n},2026-11-20,Hb,9.1,g/dL\n")
    kills, deadline = 0, time.monotonic() + 120
    while any(inbox.glob("*.csv")) and time.monotonic() < deadline:
        child = subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(0.1 + chance.random() * (0.3 + kills / 10))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        kills += 1
    assert not any(inbox.glob("*.csv"))
    assert kills > 1
    with database.read() as connection:
        rows = connection.execute(sa.select(arrivals.c.key, arrivals.c.outcome)).all()
        kinds = connection.execute(sa.select(facts.c.kind, sa.func.count()).group_by(facts.c.kind))
        assert dict(kinds.all()) == {"Observation": number, "Patient": number}
    assert len(rows) == len({r.key for r in rows}) == number
    assert {r.outcome for r in rows} == {"accepted"}
    done = [
        p for p in (inbox / "done").iterdir() if p.suffix == ".csv" and not p.name.startswith(".")
    ]
    assert len(done) == number
    database.close()


def test_into_the_real_store(database, tmp_path):
    writer = Writer(database)

    async def main():
        folder = DropFolder(tmp_path / "in", Channel("lab"), StoreIntake(writer), looks=1)
        (tmp_path / "in" / "labs.csv").write_text(ONE)
        (tmp_path / "in" / "bad.csv").write_text("hello\n")
        assert await folder.step() == 2
        (tmp_path / "in" / "labs.csv").write_text(ONE)
        assert await folder.step() == 1

    asyncio.run(main())
    with database.read() as connection:
        rows = connection.execute(sa.select(arrivals).order_by(arrivals.c.id)).all()
        assert [(r.form, r.outcome) for r in rows] == [("csv", "refused"), ("csv", "accepted")]
        patient = connection.execute(
            sa.select(facts.c.body).where(facts.c.kind == "Patient")
        ).scalar()
        assert f"{AUTHORITY}default".encode() in patient
    writer.close()
