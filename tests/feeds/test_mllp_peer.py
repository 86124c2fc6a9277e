"""An independent MLLP client in another language: node-hl7-client sends, redcell keeps and answers.

Install it with `npm ci` in `tests/node`; without it these tests are skipped.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from feeds.messages import adt, cbc, obr, obx, oru, pid
from redcell import clock
from redcell.clinic import fold
from redcell.feeds.channels import Channel, Channels
from redcell.feeds.intake import StoreIntake
from redcell.feeds.mllp import Listener
from redcell.knowledge.load import knowledge
from redcell.sources.as_fhir import AUTHORITY, patient_id
from redcell.store.writer import Writer

NODE = Path(__file__).parents[1] / "node"
JANE = patient_id(f"{AUTHORITY}HOSP", "417733")
AT = clock.micros(clock.EPOCH.replace(year=2026, month=11, day=22, hour=9))

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(
        not (NODE / "node_modules" / "node-hl7-client").is_dir(),
        reason=f"node-hl7-client is not installed: run `npm ci` in {NODE.name}/ beside the tests",
    ),
]


@pytest.fixture
def send(database):
    """Send messages with the client; what it heard, a dictionary for each."""
    writer = Writer(database)

    async def main(messages):
        listener = Listener(StoreIntake(writer), Channels([Channel()]), now=lambda: AT)
        await listener.start()
        texts = [m.decode().rstrip("\r") for m in messages]
        process = await asyncio.create_subprocess_exec(
            "node", NODE / "send.cjs",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        asked = json.dumps({"port": listener.port, "messages": texts}).encode()
        try:
            out, error = await asyncio.wait_for(process.communicate(asked), 60)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            await listener.stop()
        assert process.returncode == 0, error.decode()
        return [json.loads(line) for line in out.splitlines()], listener.counts

    yield lambda *messages: asyncio.run(main(messages))
    writer.close()


def hemoglobin(database):
    with database.read() as connection:
        record = fold.fold(connection, JANE, knowledge()).record
    return [(m.value, m.status) for m in record.results.get("hemoglobin", ())]


def test_results_corrections_and_duplicates(database, send):
    first = cbc(obx("12.4"))
    other = oru(pid(), obr(filler="F2"), obx("8.8", time="20261121070000+0000"), control="M2")
    corrected = cbc(obx("8.4", status="C"), control="M3", sent="20261120090000+0000")
    heard, counts = send(first, other, first, corrected, corrected)
    assert [(h["code"], h["control"]) for h in heard] == [
        ("AA", "M1"), ("AA", "M2"), ("AA", "M1"), ("AA", "M3"), ("AA", "M3"),
    ]  # fmt: skip
    assert {(h["type"], h["sender"], h["receiver"]) for h in heard} == {("ACK", "RC", "LAB")}
    assert (counts.accepted, counts.duplicates) == (3, 2)
    assert hemoglobin(database) == [(8.4, "corrected"), (8.8, "final")]


def test_what_is_refused_is_heard_as_refused(send):
    heard, counts = send(
        cbc(obx(), mode="T"),
        cbc(obx(), control="M2", charset="KLINGON"),
        cbc(obx(), control="M3"),
        cbc(obx("6.1"), control="M3"),
        adt("A40", pid(), "MRG|9^^^HOSP^MR", control="M4"),
    )
    assert [h["code"] for h in heard] == ["AR", "AE", "AA", "AE", "AA"]
    assert heard[0]["text"].startswith("MSH-11 is T")
    assert (counts.refused, counts.held) == (2, 1)
