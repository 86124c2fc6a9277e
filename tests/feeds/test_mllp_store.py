"""Messages over the line into the real store: one effect each, corrections, merges, refusals."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from feeds.messages import adt, cbc, obr, obx, oru, pid
from redcell import clock
from redcell.clinic import fold
from redcell.clinic.sensitivity.labels import Level, level_of
from redcell.clinic.versions import RESTRICTED, decode_json
from redcell.feeds.channels import Channel, Channels
from redcell.feeds.intake import StoreIntake
from redcell.feeds.mllp import Listener
from redcell.feeds.mllp.framing import Framer, framed
from redcell.knowledge.load import knowledge
from redcell.sources.as_fhir import AUTHORITY, patient_id
from redcell.store import facts, persons
from redcell.store.schema import arrivals, audit, jobs, tokens
from redcell.store.writer import Writer

JANE = patient_id(f"{AUTHORITY}HOSP", "417733")
NINE = patient_id(f"{AUTHORITY}HOSP", "9")
AT = clock.micros(clock.EPOCH.replace(year=2026, month=11, day=22, hour=9))


@pytest.fixture
def send(database):
    """Send messages on one connection; the answers' MSA-1."""
    writer = Writer(database)

    async def main(messages):
        listener = Listener(StoreIntake(writer), Channels([Channel()]), now=lambda: AT)
        await listener.start()
        reader, out = await asyncio.open_connection("127.0.0.1", listener.port)
        out.write(b"".join(framed(m) for m in messages))
        framer, found = Framer(), []
        while len(found) < len(messages):
            found += framer.feed(await asyncio.wait_for(reader.read(65536), 20))
        out.close()
        await listener.stop()
        return [answer.split(b"\rMSA|")[1][:2].decode() for answer in found]

    yield lambda *messages: asyncio.run(main(messages))
    writer.close()


def record(database, person=JANE):
    with database.read() as connection:
        return fold.fold(connection, person, knowledge()).record


def hemoglobin(found):
    return [(m.value, m.status) for m in found.results.get("hemoglobin", ())]


def rows(database, table):
    with database.read() as connection:
        return connection.execute(sa.select(table)).all()


@pytest.mark.trust("P1", "A1")
def test_a_message_is_an_arrival_facts_an_audit_entry_and_a_job(database, send):
    assert send(cbc(obx("7.60"))) == ["AA"]
    (arrival,) = rows(database, arrivals)
    assert (arrival.feed, arrival.form, arrival.key, arrival.outcome) == (
        "lab", "hl7v2", "LAB|HOSP|M1", "accepted",
    )  # fmt: skip
    assert arrival.body == cbc(obx("7.60"))
    assert [(j.kind, j.key) for j in rows(database, jobs)] == [("assess", JANE)]
    assert [(a.actor, a.role, a.person) for a in rows(database, audit)] == [("lab", "feed", JANE)]
    assert hemoglobin(record(database)) == [(7.6, "final")]
    with database.read() as connection:
        name = next(f.rid for f in facts.everything(connection) if f.kind == "Observation")
        assert b'"value":7.60' in facts.read_one(connection, "Observation", name).body


@pytest.mark.trust("D3")
def test_a_resend_changes_nothing_and_other_content_is_held_once(database, send):
    assert send(cbc(obx()), cbc(obx()), cbc(obx("6.1")), cbc(obx("6.1"))) == [
        "AA",
        "AA",
        "AE",
        "AE",
    ]
    assert [a.outcome for a in rows(database, arrivals)] == ["accepted", "held"]
    assert hemoglobin(record(database)) == [(9.1, "final")]


def test_what_is_refused_is_kept_once_with_its_reason(database, send):
    assert send(cbc(obx(), mode="T"), cbc(obx(), mode="T")) == ["AR", "AR"]
    (arrival,) = rows(database, arrivals)
    assert (arrival.outcome, arrival.code) == ("refused", "test-message")
    assert rows(database, jobs) == []
    assert send(cbc(obx())) == ["AA"]
    assert [a.outcome for a in rows(database, arrivals)] == ["refused", "accepted"]


@pytest.mark.trust("D4", "D8", "P3")
def test_corrections_replace_in_any_order_of_arrival(database, send):
    first = cbc(obx("12.4"))
    later = cbc(obx("8.4", status="C"), control="M2", sent="20261120090000+0000")
    assert send(later, first) == ["AA", "AA"]
    assert hemoglobin(record(database)) == [(8.4, "corrected")]
    assert send(cbc(obx("", status="W"), control="M3", sent="20261120100000+0000")) == ["AA"]
    assert hemoglobin(record(database)) == []


@pytest.mark.trust("L3")
def test_one_commit_serves_many(database, send):
    messages = [
        oru(pid(f"{n}^^^HOSP^MR"), obr(filler=f"F{n}"), obx(), control=f"M{n}") for n in range(60)
    ]
    commits: list[object] = []
    hear = commits.append
    sa.event.listen(database.engine, "commit", hear)
    assert send(*messages) == ["AA"] * 60
    sa.event.remove(database.engine, "commit", hear)
    assert 0 < len(commits) < 30
    assert len(rows(database, arrivals)) == 60
    assert {j.key for j in rows(database, jobs)} == {
        patient_id(f"{AUTHORITY}HOSP", str(n)) for n in range(60)
    }


@pytest.mark.trust("D6", "H1.3")
def test_a_merge_moves_results_and_a_late_result_of_the_old_number_follows(database, send):
    old = oru(
        pid("9^^^HOSP^MR"), obr(filler="F9"), obx("7.9", time="20261118070000+0000"), control="M1"
    )
    new = cbc(obx("7.6"), control="M2")
    merged = adt("A40", pid(), "MRG|9^^^HOSP^MR", control="M3", sent="20261120100000+0000")
    late = oru(
        pid("9^^^HOSP^MR"), obr(filler="F10"), obx("7.5", time="20261121070000+0000"),
        control="M4", sent="20261121080000+0000",
    )  # fmt: skip
    assert send(old, new) == ["AA", "AA"]
    assert [v for v, _ in hemoglobin(record(database))] == [7.6]
    assert send(merged, late) == ["AA", "AA"]
    with database.read() as connection:
        person = persons.person_of(connection, NINE)
        assert person == persons.person_of(connection, JANE)
    assert [v for v, _ in hemoglobin(record(database, person))] == [7.9, 7.6, 7.5]
    assert {j.key for j in rows(database, jobs)} >= {person}


def test_a_patient_who_is_known_only_in_part_is_one_person(database, send):
    poor = cbc(obx("7.9")).replace(b"|19680214|F", b"|")
    assert send(poor) == ["AA"]
    found = record(database)
    assert (found.patient.sex, hemoglobin(found)) == ("unknown", [(7.9, "final")])
    full = adt("A08", pid(sex="M"), control="M2", sent="20261101080000+0000")
    assert send(full) == ["AA"]
    found = record(database)
    assert (found.patient.sex, hemoglobin(found)) == ("male", [(7.9, "final")])


@pytest.mark.trust("F2", "A8")
@pytest.mark.parametrize("where", ["control", "patient", "code", "unit", "order"])
def test_a_nul_is_refused_once_and_holds_up_nothing(send, database, where):
    nul = {
        name: "\0" if name == where else ""
        for name in ("control", "patient", "code", "unit", "order")
    }
    bad = oru(
        pid(f"4177{nul['patient']}33^^^HOSP^MR"), obr(filler=f"F{nul['order']}1"),
        obx("9.1", f"g/dL{nul['unit']}", f"718-7{nul['code']}^Hemoglobin^LN"), control=f"M{nul['control']}1",
    )  # fmt: skip
    said = send(bad, cbc(obx("8.8"), control="M2"))
    assert said[1] == "AA"
    assert said[0] == ("AA" if where == "control" else "AE")
    kept = [(row.outcome, row.key) for row in rows(database, arrivals)]
    assert len(kept) == 2
    assert not any("\0" in key for _, key in kept)
    if where != "control":
        assert hemoglobin(record(database)) == [(8.8, "final")]


# -- labels of corrections -------------------------------------------------------------------------

LABELED = "|".join(["ORC", "RE", *[""] * 26, "HIV"])
OPEN = "|".join(["ORC", "RE", *[""] * 26, "U"])
FIRST, SECOND, THIRD = (f"2026112{day}080000+0000" for day in (0, 1, 2))


def said(database) -> list[tuple[float, Level]]:
    """Each current result with its level, by the level that is searched for too."""
    with database.read() as connection:
        found = [f for f in facts.everything(connection) if f.kind == "Observation"]
        t = tokens.c
        marked = set(connection.scalars(sa.select(t.rid).where(t.param == RESTRICTED)))
    shown = [(decode_json(f.body), f.rid) for f in found]
    levels = [(float(r["valueQuantity"]["value"]), level_of(r)) for r, _ in shown]
    assert marked == {rid for r, rid in shown if level_of(r) > Level.OPEN}
    return sorted(levels)


def result(value, sent, control, *orders, status="C", **more):
    return oru(pid(), *orders, obr(**more), obx(value, status=status), control=control, sent=sent)


@pytest.mark.trust("S14")
def test_a_correction_without_a_label_lifts_none(database, send):
    label = result("9.1", FIRST, "M1", LABELED, status="F")
    assert send(label, result("7.2", SECOND, "M2")) == ["AA", "AA"]
    assert said(database) == [(7.2, Level.VERY)]
    assert send(result("7.3", THIRD, "M3")) == ["AA"]
    assert said(database) == [(7.3, Level.VERY)]


@pytest.mark.trust("S14")
def test_a_label_that_comes_after_the_correction_covers_it(database, send):
    assert send(result("7.2", SECOND, "M2")) == ["AA"]
    assert send(result("9.1", FIRST, "M1", LABELED, status="F")) == ["AA"]
    assert said(database) == [(7.2, Level.VERY)]
    assert hemoglobin(record(database)) == [(7.2, "corrected")]
    assert send(result("7.3", THIRD, "M3")) == ["AA"]
    assert said(database) == [(7.3, Level.VERY)]


@pytest.mark.trust("S14")
def test_a_correction_that_moves_the_time_keeps_the_label(database, send):
    assert send(result("9.1", FIRST, "M1", LABELED, status="F")) == ["AA"]
    assert send(result("7.2", SECOND, "M2", time="20261120063000+0000")) == ["AA"]
    assert said(database) == [(7.2, Level.VERY), (9.1, Level.VERY)]
    assert hemoglobin(record(database)) == [(7.2, "corrected")]


@pytest.mark.trust("S14")
def test_the_sender_lifts_a_label_by_saying_so(database, send):
    assert send(result("9.1", FIRST, "M1", LABELED, status="F")) == ["AA"]
    assert send(result("7.2", SECOND, "M2", OPEN)) == ["AA"]
    assert said(database) == [(7.2, Level.OPEN)]
    assert send(result("7.3", THIRD, "M3")) == ["AA"]
    assert said(database) == [(7.3, Level.OPEN)]


@pytest.mark.trust("S14")
def test_other_results_get_no_label(database, send):
    other = result("8.8", SECOND, "M2", filler="F2", status="F")
    assert send(result("9.1", FIRST, "M1", LABELED, status="F"), other) == ["AA", "AA"]
    assert said(database) == [(8.8, Level.OPEN), (9.1, Level.VERY)]
