"""Files and folders taken in: each format, resumed without doubles, rejected lines kept, and out again."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from fhir_api.resources import bundle, hemoglobin, patient
from redcell import clock
from redcell.clinic import refresh, replay
from redcell.clinic.intake import Sender
from redcell.clinic.service import Clinic, make_store
from redcell.clinic.settings import Settings
from redcell.feeds.bulk.load import Loader
from redcell.feeds.bulk.write import write_out
from redcell.sources.read import EXAMPLES
from redcell.store import facts, search

AT = clock.micros(clock.EPOCH.replace(year=2026, month=11, day=22, hour=9))
ADMIN = Sender("admin1", "admin")


@pytest.fixture
def clinic(store_address, database, tmp_path):
    address = store_address if "://" in store_address else ""
    found = Clinic(tmp_path / "data", Settings(database=address))
    yield found
    found.close()


def load(clinic, source, feed: str = "import"):
    return Loader(clinic, feed, clock.now).folder(source)


def ndjson(path, *resources) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = b"".join(json.dumps(r).encode() + b"\n" for r in resources)
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def everything(clinic) -> dict[tuple[str, str], bytes]:
    with clinic.database.read() as connection:
        return {(f.kind, f.rid): f.body for f in facts.everything(connection)}


def arrivals(clinic) -> int:
    with clinic.database.read() as connection:
        count = 0
        while search.arrival(connection, count + 1):
            count += 1
        return count


def assess(clinic, person: str) -> dict:
    with clinic.database.read() as connection:
        basis = refresh.Basis(clinic.basis().knowledge)
        return refresh.assess(connection, person, basis, at=AT).out


def test_a_folder_of_ndjson(clinic, tmp_path):
    source = tmp_path / "export"
    ndjson(source / "Patient.ndjson", patient("p", "1"), patient("q", "2"))
    results = [hemoglobin(f"h{n}", "p" if n % 2 else "q", 8 + n / 1000) for n in range(1203)]
    ndjson(source / "sub" / "Observation.000.ndjson.gz", *results)
    (source / "empty.ndjson").write_bytes(b"")
    tally = load(clinic, source)
    assert tally.kept == {"Patient": 2, "Observation": 1203}
    assert not tally.refused
    assert len(everything(clinic)) == 1205
    count = arrivals(clinic)
    again = load(clinic, source)
    assert (again.known, again.kept.total()) == (1205, 0)
    assert arrivals(clinic) == count


@pytest.mark.trust("F3", "P2")
def test_rejected_lines_are_kept_counted_and_can_be_replayed(clinic, tmp_path):
    source = tmp_path / "x.ndjson"
    good, odd = patient("p"), hemoglobin("h", "p", valueQuantity={"value": "much"})
    nobody = hemoglobin("n", "p")
    del nobody["subject"]
    claim = {"resourceType": "Claim", "id": "c"}
    lines = [json.dumps(one).encode() for one in (good, odd, nobody, claim)]
    source.write_bytes(b"\n".join([*lines, b'{"a":1,"a":2}', b"{broken", b""]))
    tally = load(clinic, source)
    assert tally.kept == {"Patient": 1}
    assert tally.left_out == {"Claim": 1}
    assert tally.refused == {"value": 1, "required": 1, "structure": 2}
    load(clinic, source)
    with clinic.database.read() as connection:
        held = replay.waiting(connection)
    assert len(held) == 4
    assert {one.code for one in held} == {"value", "required", "structure"}
    with clinic.database.read() as connection:
        bodies = {search.body_of(connection, one.number) for one in held}
    assert bodies == {lines[1], lines[2], b'{"a":1,"a":2}', b"{broken"}
    again = replay.replay(clinic, held[0].number, ADMIN, at=AT)
    assert again.outcome == "refused"


def test_replay_after_the_code_was_mended(clinic, tmp_path, monkeypatch):
    from redcell.clinic import resources
    from redcell.clinic.versions import RefusedResourceError

    source = tmp_path / "x.ndjson"
    ndjson(source, patient("p"), hemoglobin("h", "p"))
    whole = resources.kept

    def fussy(resource, at):
        if resource["resourceType"] == "Observation":
            raise RefusedResourceError("value", "Observation", "not understood yet.")
        return whole(resource, at)

    monkeypatch.setattr("redcell.feeds.bulk.load.kept", fussy)
    assert load(clinic, source).refused == {"value": 1}
    with clinic.database.read() as connection:
        (held,) = replay.waiting(connection)
    taken = replay.replay(clinic, held.number, ADMIN, at=clock.now())
    assert (taken.outcome, taken.names) == ("accepted", (("Observation", "h"),))
    with clinic.database.read() as connection:
        assert replay.waiting(connection) == []
        assert search.arrival(connection, taken.arrival).replay_of == held.number
    with pytest.raises(replay.NothingToReplayError):
        replay.replay(clinic, held.number, ADMIN, at=clock.now())
    with pytest.raises(replay.NothingToReplayError):
        replay.replay(clinic, 1, ADMIN, at=clock.now())


def test_bundles_messages_tables_and_odd_files(clinic, tmp_path, shared):
    source = tmp_path / "mixed"
    source.mkdir()
    (source / "okafor.json").write_bytes((EXAMPLES / "okafor.json").read_bytes())
    (source / "one.json").write_text(json.dumps(patient("p", "77")))
    for name in ("LAB-ORU-2.hl7", "ORU-R01-RMGEAD.hl7"):
        (source / name).write_bytes((shared / "data" / "hl7v2-oru" / name).read_bytes())
    (source / "labs.csv").write_text(
        "patient_id,date,test,value,unit\n17,2026-11-20T08:00:00Z,Hemoglobin,7.6,g/dL\n"
    )
    (source / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (source / "cut.ndjson.gz").write_bytes(gzip.compress(b"{}\n" * 999)[:40])
    (source / "claims.json").write_text(json.dumps(bundle("document")))
    tally = load(clinic, source)
    assert tally.refused["file of a form that is not read"] == 1
    assert tally.refused["value"] >= 1
    found = everything(clinic)
    assert ("Patient", "okafor") in found
    assert ("Patient", "p") in found
    assert any(b"translated:hl7v2" in body for body in found.values())
    assert any(b"translated:csv" in body for body in found.values())
    count = arrivals(clinic)
    assert load(clinic, source).kept.total() == 0
    assert arrivals(clinic) == count


@pytest.mark.trust("A8")
def test_the_file_and_the_store_give_the_same_assessment(clinic, tmp_path):
    import redcell

    source = tmp_path / "okafor.json"
    source.write_bytes((EXAMPLES / "okafor.json").read_bytes())
    load(clinic, source)
    wanted = redcell.assess(redcell.read(source), at="2026-11-22T09:00:00Z", forecast=False)
    assert assess(clinic, "okafor") == wanted.to_dict()


def test_out_and_in_again_gives_the_same(clinic, tmp_path):
    source = tmp_path / "in"
    ndjson(source / "a.ndjson", patient("p"), hemoglobin("h", "p", 7.6))
    ndjson(source / "b.ndjson", hemoglobin("h", "p", 7.9, status="corrected"))
    ndjson(
        source / "c.ndjson",
        hemoglobin("h", "p", 7.1, meta={"lastUpdated": "2026-11-20T08:00:00.5Z"}),
    )
    (source / "okafor.json").write_bytes((EXAMPLES / "okafor.json").read_bytes())
    load(clinic, source)
    for person in ("okafor", "p"):
        with clinic.database.read() as connection:
            basis = refresh.Basis(clinic.basis().knowledge)
            made = refresh.assess(connection, person, basis, at=AT)
        with clinic.database.write() as connection:
            refresh.keep(connection, made, basis)
    for history in (False, True):
        out = tmp_path / f"out-{history}"
        counts = write_out(clinic, out, history=history, concluded=True, audited=True)
        assert counts["conclusions-RiskAssessment"] == 0
        assert counts["conclusions-CarePlan"] == 2
        assert counts["AuditEvent"] > 2
        lines = (out / "Observation.ndjson").read_bytes().splitlines()
        mine = [json.loads(line) for line in lines if b'"id":"h"' in line]
        assert len(mine) == (3 if history else 1)
        make_store(tmp_path / f"other-{history}", Settings())
        other = Clinic(tmp_path / f"other-{history}", Settings())
        try:
            tally = load(other, out)
            assert tally.own == sum(
                n
                for k, n in counts.items()
                if k.startswith("conclusions-") and not k.endswith(("DetectedIssue", "Provenance"))
            )
            assert not tally.refused
            assert everything(other) == everything(clinic)
            for person in ("okafor", "p"):
                assert assess(other, person) == assess(clinic, person)
        finally:
            other.close()


SCRIPT = """
import sys
from pathlib import Path
from redcell import clock
from redcell.clinic.service import Clinic
from redcell.feeds.bulk import load

load.BATCH = 20
clinic = Clinic(Path(sys.argv[1]))
print("begun", flush=True)
load.Loader(clinic, "import", clock.now).folder(Path(sys.argv[2]))
clinic.close()
"""


@pytest.mark.trust("A1", "L6")
def test_killed_at_any_moment_it_goes_on_without_doubles(tmp_path):
    source = tmp_path / "export"
    ndjson(source / "Patient.ndjson", *(patient(f"p{n}", str(n)) for n in range(20)))
    ndjson(source / "z.ndjson", *(hemoglobin(f"h{n}", f"p{n % 20}") for n in range(2000)))
    make_store(tmp_path / "data")
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "data"), str(source)]
    for delay in (0.1, 0.3, 0.6):
        running = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert running.stdout.readline()
        time.sleep(delay)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        running.stdout.close()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    clinic = Clinic(tmp_path / "data")
    try:
        with clinic.database.read() as connection:
            versions = search.all_versions(connection, limit=9999)
        assert len(versions) == 2020
        assert {v.version for v in versions} == {1}
        assert arrivals(clinic) == 101
    finally:
        clinic.close()
