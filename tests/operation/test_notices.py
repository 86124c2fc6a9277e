"""Who is told of what: destinations, retries, one effect each, corrections to those who acted."""

from __future__ import annotations

import json
import socket
import threading
import time
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from msgspec.structs import replace

from feeds.messages import obr, obx, oru, pid
from operation.samples import fill, hemoglobin, settle, take
from redcell import clock
from redcell.clinic import accounting, corrected, corrections, deliver, fold, notices
from redcell.clinic.background import Background
from redcell.clinic.news import CORRECTION, Flag, News
from redcell.clinic.refresh import CHANGED
from redcell.clinic.settings import Mail, Notice
from redcell.errors import SettingsError
from redcell.sources.hl7v2.to_fhir import translate
from redcell.store import assessments, audit, events, jobs, schema
from redcell.store.events import Event

SECRET = "open sesame"  # noqa: S105


class Hook:
    """A destination on loopback that remembers what it got."""

    def __init__(self) -> None:
        self.got: list[tuple[dict, bytes]] = []
        self.answers: list[int] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append((dict(self.headers), body))
                status = hook.answers.pop(0) if hook.answers else 200
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", hook.url)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


def destinations(clinic, *found: Notice) -> None:
    clinic.settings = replace(
        clinic.settings, notices=found, base_url="https://redcell.example.org"
    )


def told(clinic, kind: str) -> list[Event]:
    with clinic.database.read() as connection:
        return events.select(connection, kind)


@pytest.mark.trust("D8")
def test_a_change_of_state_is_told_once_and_signed(clinic, hook):
    destinations(clinic, Notice("pager", url=hook.url, secret=SECRET))
    fill(clinic)
    settle(clinic)
    assert len(hook.got) == 1
    headers, body = hook.got[0]
    said = json.loads(body)
    assert (said["kind"], said["person"], said["urgency"]) == (CHANGED, "okafor", "same-day")
    assert said["red_flags"] == [{"rule": "S-R9", "urgency": "same-day"}]
    seconds = headers["X-Redcell-Timestamp"]
    assert headers["X-Redcell-Signature"] == deliver.signature(SECRET, seconds, body)
    assert headers["Idempotency-Key"] == said["id"]
    sent = told(clinic, notices.TOLD)
    assert [(e.person, e.body["destination"]) for e in sent] == [("okafor", "pager")]
    settle(clinic)
    assert len(hook.got) == 1


@pytest.mark.trust("S4", "H8.2")
def test_no_name_birth_date_or_text_leaves(clinic, hook):
    destinations(clinic, Notice("a", url=hook.url), Notice("b", url=hook.url, fhir=True))
    fill(clinic)
    settle(clinic)
    for _, body in hook.got:
        for word in (b"OKAFOR", b"Joy", b"1982-03", b"Low count", b"00417733"):
            assert word not in body, word


def test_each_destination_is_its_own_job(clinic, hook):
    down = Notice("down", url="http://127.0.0.1:9/none")
    destinations(clinic, Notice("up", url=hook.url), down)
    fill(clinic)
    settle(clinic)
    assert len(hook.got) == 1
    with clinic.database.read() as connection:
        left = jobs.backlog(connection, at=clock.now() + clock.DAY)
    assert (left.waiting, left.failing) == (1, 1)


@pytest.mark.trust("L8")
def test_a_refusal_is_tried_again_with_the_same_key_and_given_up_after_a_day(clinic, hook):
    destinations(clinic, Notice("pager", url=hook.url))
    hook.answers = [500, 302, 200]
    fill(clinic)
    now = clock.now()
    settle(clinic, at=now + clock.MINUTE)
    settle(clinic, at=now + clock.HOUR)
    assert told(clinic, notices.TOLD) == []
    settle(clinic, at=now + 2 * clock.HOUR)
    assert len(hook.got) == 3
    assert len({headers["Idempotency-Key"] for headers, _ in hook.got}) == 1
    assert told(clinic, notices.TOLD)[0].body["attempts"] == 3


def test_a_destination_that_never_answers_is_given_up(clinic, monkeypatch):
    destinations(clinic, Notice("down", url="http://127.0.0.1:9/none"))
    fill(clinic)
    settle(clinic)
    later = clock.now() + 2 * clock.DAY
    monkeypatch.setattr(clock, "now", lambda: later)
    settle(clinic, at=later)
    assert [e.body["destination"] for e in told(clinic, notices.GIVEN_UP)] == ["down"]
    with clinic.database.read() as connection:
        assert jobs.backlog(connection, at=later + clock.DAY).waiting == 0


def test_a_fhir_destination_gets_a_bundle(clinic, hook):
    destinations(clinic, Notice("ehr", url=hook.url, fhir=True))
    fill(clinic)
    settle(clinic)
    headers, body = hook.got[0]
    assert headers["Content-Type"] == "application/fhir+json"
    found = json.loads(body)
    kinds = [entry["resource"]["resourceType"] for entry in found["entry"]]
    assert (found["type"], kinds) == ("collection", ["Communication", "DetectedIssue"])
    from fhir.resources.R4B.bundle import Bundle

    Bundle.model_validate(found)


def test_mail_holds_an_id_and_a_link(clinic):
    got = []

    class Box:
        async def handle_DATA(self, _server, _session, envelope):
            got.append(envelope)
            return "250 OK"

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    box = Controller(Box(), hostname="127.0.0.1", port=port)
    box.start()
    try:
        destinations(clinic, Notice("desk", email="desk@example.org"))
        clinic.settings = replace(clinic.settings, mail=Mail(host="127.0.0.1", port=port))
        fill(clinic)
        settle(clinic)
    finally:
        box.stop()
    assert [e.rcpt_tos for e in got] == [["desk@example.org"]]
    text = message_from_bytes(got[0].content, policy=default).get_content()
    assert text.split() == [
        *("redcell:", "now", "same-day", "Patient", "okafor"),
        "https://redcell.example.org/patients/okafor",
    ]


# -- to whom ---------------------------------------------------------------------------------------

ROUTINE = News(CHANGED, "p", "2026-11-28", urgency="routine")


@pytest.mark.parametrize(
    ("levels", "news", "expected"),
    [
        (("same-day",), replace(ROUTINE, urgency="same-day"), True),
        (("same-day",), ROUTINE, False),
        ((), replace(ROUTINE, red_flags=(Flag("S-R9", "same-day"),)), True),
        ((), replace(ROUTINE, red_flags=(Flag("S-R20", "within-7-days"),)), False),
        ((), News(CORRECTION, "p", "2026-11-28"), True),
    ],
)
def test_whom_to_tell(levels, news, expected):
    assert notices.wanted(Notice("n", levels=levels), news) is expected


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "https://user:secret@example.org/",
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "http://192.0.2.7/",
        "https:///path",
        "https://[::ffff:169.254.169.254]/",
    ],
)
def test_where_nothing_is_sent(url):
    with pytest.raises(SettingsError):
        deliver.check_address(url)


# -- corrections -----------------------------------------------------------------------------------


def acted(
    clinic, actor: str, body: dict | None = None, kind: str = "decided", person: str = "okafor"
) -> None:
    found = Event(kind, clock.now(), actor, person, "A", body=body or {})
    clinic.writer.write(lambda c: events.add(c, [found]))


@pytest.mark.trust("D8", "H7.2")
def test_who_acted_on_a_value_hears_that_it_was_corrected_once(clinic, hook):
    destinations(clinic, Notice("pager", url=hook.url))
    take(clinic, hemoglobin("hb-x", "okafor", 7.4))
    fill(clinic)
    settle(clinic)
    acted(clinic, "dr-rao")
    take(clinic, hemoglobin("hb-x", "okafor", 7.4, note=[{"text": "seen"}]), key="2")
    settle(clinic)
    first = told(clinic, CORRECTION)
    assert [(e.body["to"], e.body["resource"]) for e in first] == [("dr-rao", "Observation/hb-x")]
    take(clinic, hemoglobin("hb-x", "okafor", 9.4, status="corrected"), key="3")
    settle(clinic)
    take(clinic, hemoglobin("hb-y", "okafor", 9.4), key="4")
    settle(clinic)
    assert len(told(clinic, CORRECTION)) == 2
    kinds = [json.loads(body)["kind"] for _, body in hook.got]
    assert kinds.count(CORRECTION) == 2


def test_a_final_result_after_a_preliminary_one_is_no_correction(clinic):
    take(clinic, hemoglobin("hb-x", "okafor", 7.4, status="preliminary"))
    fill(clinic)
    settle(clinic)
    acted(clinic, "dr-rao", kind="acknowledged")
    take(clinic, hemoglobin("hb-x", "okafor", 7.4), key="2")
    settle(clinic)
    assert told(clinic, CORRECTION) == []


@pytest.mark.trust("D8", "H7.2")
def test_a_withdrawn_result_is_told_for_the_assessment_that_was_acted_on(clinic):
    take(clinic, hemoglobin("hb-x", "okafor", 7.4))
    fill(clinic)
    settle(clinic)
    with clinic.database.read() as connection:
        number = assessments.newest(connection, "okafor").id
    acted(clinic, "nurse", {"assessment": number})
    acted(clinic, "other", {"assessment": 999_999})
    take(clinic, hemoglobin("hb-x", "okafor", 7.4, status="entered-in-error"), key="2")
    settle(clinic)
    assert [e.body["to"] for e in told(clinic, CORRECTION)] == ["nurse"]


def test_acts_of_long_ago_are_left_alone(clinic):
    take(clinic, hemoglobin("hb-x", "okafor", 7.4))
    settle(clinic)
    acted(clinic, "dr-rao")
    take(clinic, hemoglobin("hb-x", "okafor", 9.4, status="corrected"), key="2")
    later = clock.now() + 91 * clock.DAY
    assert clinic.writer.write(lambda c: corrections.tell(c, "okafor", at=later)) == 0


def test_background_work_starts_and_stops(clinic):
    work = Background(clinic)
    work.start()
    fill(clinic)
    time.sleep(0.1)
    work.stop()
    with clinic.database.read() as connection:
        assert audit.head(connection).seq > 0
    assert accounting.anchor_path(clinic).is_file()


@pytest.mark.trust("D8", "H7.2")
def test_a_correction_that_moves_the_time_is_told_too(clinic):
    def result(value, at, letter, control):
        line = obx(str(value), time=f"{day}{at}00+0000", status=letter)
        sent = f"{day}{control}0000+0000"
        found = translate(oru(pid(), obr(), line, control=control, sent=sent))
        take(clinic, *found.resources, key=control)
        settle(clinic)

    day = clock.iso(clock.now() - 2 * clock.DAY)[:10].replace("-", "")
    result(7.4, "0600", "F", "08")
    result(9.4, "1200", "F", "13")
    with clinic.database.read() as connection:
        (person,) = connection.scalars(sa.select(schema.persons.c.person).distinct())
        (early, _) = sorted(
            (f for f in fold.facts_of(connection, person) if f.kind == "Observation"),
            key=lambda f: b"T06" not in f.body,
        )
    acted(clinic, "dr-rao", person=person)
    result(8.4, "0630", "C", "14")
    (event,) = told(clinic, CORRECTION)
    assert event.body["resource"] == f"Observation/{early.rid}"
    with clinic.database.read() as connection:
        (shown,) = corrected.waiting_for(connection, "dr-rao")
        kept = [f.rid for f in fold.facts_of(connection, person) if f.kind == "Observation"]
    assert shown.before.startswith("7.4 g/dL")
    assert shown.after.startswith("8.4 g/dL")
    assert early.rid not in kept
    assert len(kept) == 2
