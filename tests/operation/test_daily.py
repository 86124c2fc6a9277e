"""The daily round, the anchors, what the audit says to others, and how fresh the data are."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
import structlog
from fhir.resources.R4B.auditevent import AuditEvent
from msgspec.structs import replace

from operation.samples import BY, fill, hemoglobin, settle, take
from redcell import clock
from redcell.clinic import accounting, daily, freshness, intake
from redcell.clinic.daily import Daily
from redcell.clinic.intake import ASSESS, arrived
from redcell.clinic.settings import Audit, Feed
from redcell.errors import AuditError
from redcell.store import audit, jobs
from redcell.store.audit import Entry
from redcell.store.schema import audit as entries
from redcell.store.schema import jobs as waiting
from redcell.store.schema import one_time, sessions, used_tokens


def due(clinic, at: int) -> list[str]:
    with clinic.database.read() as connection:
        query = sa.select(waiting.c.key).where(waiting.c.kind == ASSESS, waiting.c.run_after <= at)
        return list(connection.scalars(query.order_by(waiting.c.run_after, waiting.c.id)))


@pytest.mark.trust("H2.2")
def test_everybody_is_assessed_once_a_day(clinic):
    fill(clinic)
    settle(clinic)
    now = clock.now()
    assert clinic.writer.write(lambda c: daily.assess_old(c, at=now + clock.HOUR)) == 0
    tomorrow = now + clock.DAY + clock.MINUTE
    assert clinic.writer.write(lambda c: daily.assess_old(c, at=tomorrow)) == 1
    assert due(clinic, tomorrow) == ["okafor"]
    assert clinic.writer.write(lambda c: daily.assess_old(c, at=tomorrow)) == 0, "asked already"


def test_a_few_in_each_round_and_none_before_a_new_result(clinic):
    for n in range(12):
        take(clinic, hemoglobin(f"h{n}", f"p{n}", 9), key=str(n))
    settle(clinic)
    tomorrow = clock.now() + 2 * clock.DAY
    take(clinic, hemoglobin("new", "p3", 7.1), key="new", at=tomorrow)
    asked = clinic.writer.write(lambda c: daily.assess_old(c, at=tomorrow))
    assert asked == daily.MOST
    assert due(clinic, tomorrow)[0] == "p3"
    assert len(due(clinic, tomorrow)) < asked, "spread over the time of a round"
    with clinic.database.write() as connection:
        jobs.request(connection, ASSESS, [f"x{n}" for n in range(9)], at=tomorrow)
        assert daily.assess_old(connection, at=tomorrow) == 0, "much is waiting"


def test_what_has_expired_is_removed(clinic):
    from redcell.identity import accounts

    with clinic.database.write() as c:
        account = accounts.add(c, "nurse", "N", ["nurse"], at=1)
        for until in (10, 30):
            row = {"id": str(until), "account": account.id, "made": 1, "seen": 1}
            c.execute(sa.insert(sessions).values(**row, until=until, body=b"{}"))
            kept = {"id": str(until), "kind": "k", "until": until, "body": b"{}"}
            c.execute(sa.insert(one_time).values(**kept))
            c.execute(sa.insert(used_tokens).values(issuer="i", jti=str(until), until=until))
        assert daily.clean(c, at=20) == 3
        assert daily.clean(c, at=20) == 0


@pytest.mark.trust("S12", "H9.2", "H9.3")
def test_anchors_are_written_every_so_many_entries_and_at_the_end(clinic):
    clinic.settings = replace(clinic.settings, audit=Audit(anchor="else/where.jsonl", every=5))
    path = accounting.anchor_path(clinic)
    work = Daily(clinic)
    fill(clinic)
    work.step(clock.now())
    assert not path.exists()
    for n in range(5):
        take(clinic, hemoglobin(f"h{n}", "okafor", 9), key=str(n))
    work.step(clock.now())
    work.step(clock.now())
    assert len(accounting.read_anchors(path)) == 1
    take(clinic, hemoglobin("last", "okafor", 9), key="last")
    work.start()
    work.stop()
    anchors = accounting.read_anchors(path)
    with clinic.database.read() as connection:
        assert audit.verify(connection, anchors) == anchors[-1]
    assert len(anchors) == 2
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.trust("S12", "H9.2")
def test_a_store_that_was_rolled_back_does_not_fit_its_anchors(clinic, tmp_path):
    fill(clinic)
    ahead = tmp_path / "ahead.jsonl"
    ahead.write_text('{"seq":9000,"hash":"00","at":"2026-11-22"}\n')
    with clinic.database.read() as connection, pytest.raises(AuditError, match="rolled back"):
        audit.verify(connection, accounting.read_anchors(ahead))


def test_a_line_that_was_cut_off_at_the_end_is_no_harm(clinic, tmp_path):
    path = tmp_path / "anchors.jsonl"
    path.write_text('{"seq":3,"hash":"aa","at":"2026"}\n{"seq":5,"ha')
    assert [a.seq for a in accounting.read_anchors(path)] == [3]
    path.write_text('{"seq":3\n{"seq":5,"hash":"aa","at":"2026"}\n')
    with pytest.raises(AuditError, match=":1:"):
        accounting.read_anchors(path)
    with pytest.raises(AuditError, match="No such file"):
        accounting.read_anchors(tmp_path / "none")


# -- the audit for others --------------------------------------------------------------------------


def audit_faults(clinic) -> list[str]:
    """What a round of its own says of the audit."""
    with structlog.testing.capture_logs() as logs:
        Daily(clinic).step(clock.now())
    return [line["outcome"] for line in logs if line["event"] == "audit-broken"]


@pytest.mark.trust("S12", "H9.3")
def test_the_first_round_and_each_day_walk_the_audit(clinic):
    fill(clinic)
    assert audit_faults(clinic) == []
    with clinic.database.write() as connection:
        sqlite = clinic.database.dialect == "sqlite"
        name = "audit_no_update" if sqlite else "audit_append_only ON audit"
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.execute(sa.update(entries).where(entries.c.seq == 1).values(actor="nobody"))
    (said,) = audit_faults(clinic)
    assert said.startswith("audit entry 1 does not fit the chain")
    work, at = Daily(clinic), clock.now()
    with structlog.testing.capture_logs() as logs:
        for later in (0, clock.HOUR, clock.DAY + clock.HOUR):
            work.step(at + later)
    assert [line["event"] for line in logs].count("audit-broken") == 2


@pytest.mark.trust("S12", "H9.2", "H9.3")
def test_a_round_sees_a_store_that_was_rolled_back(clinic):
    fill(clinic)
    path = accounting.anchor_path(clinic)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"seq":9000,"hash":"00","at":"2026-11-22"}\n')
    (said,) = audit_faults(clinic)
    assert "rolled back" in said


def entry(**more) -> Entry:
    given = {"at": clock.now(), "actor": "a1", "role": "nurse", "action": "R", "what": "chart"}
    return Entry(**given | more)


def audited(clinic, *found: Entry) -> None:
    clinic.writer.write(lambda c: audit.append(c, found))


def test_every_entry_is_a_valid_audit_event(clinic):
    audited(
        clinic,
        *(entry(action=a, person="okafor", origin="10.0.0.9", detail="x") for a in "CRUDE"),
        entry(actor="", role="", action="E", outcome="refused"),
    )
    with clinic.database.read() as connection:
        lines = list(accounting.export(connection))
    found = [AuditEvent.model_validate(json.loads(line)) for line in lines]
    profiles = [e.meta.profile[0].rpartition(".")[2] if e.meta.profile else "" for e in found]
    assert profiles == [
        *(f"Patient{kind}" for kind in ("Create", "Read", "Update", "Delete", "Query")),
        "",
    ]
    assert [e.outcome for e in found] == ["0"] * 5 + ["8"]


@pytest.mark.trust("P7")
def test_who_saw_a_persons_data(clinic):
    fill(clinic)
    audited(
        clinic,
        entry(person="okafor"),
        entry(person="other"),
        entry(person="okafor", action="U"),
        entry(person="okafor", outcome="refused"),
        entry(person="okafor", role="feed"),
        entry(person="okafor", role="patient", purpose="PATRQT", at=clock.now() - clock.DAY),
    )
    with clinic.database.read() as connection:
        found = accounting.disclosures(connection, "okafor")
        assert [d.role for d in found] == ["nurse", "patient"]
        recent = accounting.disclosures(connection, "okafor", since=clock.now() - clock.HOUR)
        assert [d.actor for d in recent] == ["a1"]


# -- freshness -------------------------------------------------------------------------------------


def hear(clinic, feed: str, at: int, form: str = "hl7v2") -> None:
    arrival = arrived(feed, form, f"{feed}{at}", b"x", at)
    clinic.writer.write(lambda c: intake.take(c, arrival, [], BY))


def words(clinic, at: int) -> str:
    return freshness.look(clinic, at=at).words(clinic.settings.zone)


@pytest.mark.trust("U9", "P5", "H2.4")
def test_a_feed_is_silent_after_its_time_and_speaks_again(clinic):
    now = clock.now()
    assert words(clinic, now) == "No feed has sent anything yet"
    hear(clinic, "lab", now)
    hear(clinic, "pages", now + clock.HOUR, form="entry")
    assert words(clinic, now + clock.MINUTE) == "Data as of 09:00, lab feed OK"
    later = now + 25 * clock.HOUR
    assert words(clinic, later) == "lab feed silent since 22 Nov 09:00"
    assert [f.name for f in freshness.look(clinic, at=later).silent] == ["lab"]
    hear(clinic, "lab", later)
    assert not freshness.look(clinic, at=later).silent


@pytest.mark.trust("H2.4")
def test_each_feed_of_the_settings_is_watched(clinic):
    clinic.settings = replace(clinic.settings, feeds=(Feed("lab"), Feed("ward")))
    now = clock.now()
    hear(clinic, "lab", now)
    hear(clinic, "unknown", now)
    found = freshness.look(clinic, at=now)
    assert [(f.name, f.silent) for f in found.feeds] == [("lab", False), ("ward", True)]
    assert "ward feed has sent nothing yet" in words(clinic, now)


@pytest.mark.trust("H2.4")
def test_a_feed_that_spoke_long_ago_is_found(clinic, monkeypatch):
    clinic.settings = replace(clinic.settings, feeds=(Feed("old"),))
    monkeypatch.setattr(freshness, "WINDOW", 2)
    now = clock.now()
    hear(clinic, "old", now)
    for n in range(5):
        hear(clinic, "lab", now + n + 1)
    assert freshness.look(clinic, at=now).feeds[0].last == now
