"""The feeds of a clinic while it serves: the port, the drop folder, the counts for the metrics."""

from __future__ import annotations

import asyncio
import socket

import sqlalchemy as sa
from prometheus_client import REGISTRY, generate_latest

from feeds.messages import cbc, obx
from redcell.clinic.service import Clinic, make_store
from redcell.clinic.settings import Feed, Settings, Site
from redcell.feeds.mllp.framing import framed
from redcell.feeds.running import feeds_running
from redcell.sources.as_fhir import patient_id
from redcell.store.schema import arrivals, facts

SETTINGS = Settings(
    site=Site(time_zone="Europe/Vienna"),
    feeds=(
        Feed(name="HOSP", authorities={"HOSP": "urn:oid:1.2.3"}),
        Feed(name="study", folder="inbox", authority="urn:oid:1.2.3", zone="America/New_York"),
    ),
)


def test_a_message_and_a_file_of_one_hospital_are_one_person(tmp_path):
    make_store(tmp_path, SETTINGS)
    clinic = Clinic(tmp_path, SETTINGS)

    async def main() -> str:
        sock = socket.create_server(("127.0.0.1", 0))
        async with feeds_running(clinic, sock) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(framed(cbc(obx())))
            answer = await asyncio.wait_for(reader.read(1000), 10)
            assert b"\rMSA|AA|M1\r" in answer
            begun = tmp_path / "inbox" / "labs.csv.part"
            begun.write_text(
                "patient_id,date,test,value,unit\n417733,2026-11-21 08:00,Hb,8.8,g/dL\n"
            )
            await asyncio.sleep(2.5)
            begun.rename(begun.with_suffix(""))
            for _ in range(200):
                if list((tmp_path / "inbox" / "done").glob("labs-*.csv")):
                    break
                await asyncio.sleep(0.1)
            writer.close()
            return generate_latest(REGISTRY).decode()

    metrics = asyncio.run(main())
    assert 'redcell_mllp_messages_total{outcome="accepted"} 1.0' in metrics
    assert "redcell_mllp_garbage_bytes_total 0.0" in metrics
    assert "redcell_mllp" not in generate_latest(REGISTRY).decode()
    with clinic.database.read() as connection:
        rows = connection.execute(sa.select(arrivals).order_by(arrivals.c.id)).all()
        owners = set(
            connection.scalars(sa.select(facts.c.patient).where(facts.c.kind == "Observation"))
        )
    assert [(r.feed, r.form, r.outcome) for r in rows] == [
        ("HOSP", "hl7v2", "accepted"), ("study", "csv", "accepted"),
    ]  # fmt: skip
    assert owners == {patient_id("urn:oid:1.2.3", "417733")}
    clinic.close()
