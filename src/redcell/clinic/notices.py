"""Notices: tells the destinations in the settings of red flags, critical values and corrections.

A job `notify` says what there is to tell and to whom; one job `notice` for each destination tells
it, and is tried again until it succeeds or is given up after a day. What was told, and what was
given up, is kept as an event. A notice holds ids and rule names: no name, no birth date, no text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic import deliver
from redcell.clinic.lines import LEVELS
from redcell.clinic.news import CORRECTION, Flag, News
from redcell.clinic.refresh import CHANGED, NOTIFY
from redcell.clinic.settings import Notice
from redcell.clock import DAY
from redcell.store import assessments, events, jobs
from redcell.store.events import Event
from redcell.store.jobs import Job

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic
    from redcell.clinic.worker import Effect, Handler

NOTICE = "notice"
"""The kind of job that tells one destination of one thing."""
TOLD, GIVEN_UP = "notice-sent", "notice-given-up"
"""Kinds of event."""
PATIENCE = DAY
"""How long a destination is tried."""
ALARMING = frozenset(LEVELS[:3])
"""Urgencies of red flags, critical values among them, that are told whatever levels were set."""


def notify(clinic: Clinic, job: Job) -> Effect | None:
    """Find out whom to tell of what the job names, and ask for one job for each destination."""
    with clinic.database.read() as connection:
        news = read_news(connection, job)
    if news is None:
        return None
    names = [n.name for n in clinic.settings.notices if wanted(n, news)]
    body = msgspec.json.encode(news)

    def effect(connection: Connection) -> None:
        keys = [f"{job.key} {name}" for name in names]
        jobs.request(connection, NOTICE, keys, at=clock.now(), body=body)

    return effect


def read_news(connection: Connection, job: Job) -> News | None:
    """What a `notify` job is about: the assessment of its key, or the correction in its body."""
    if job.key.startswith(CORRECTION):
        return msgspec.json.decode(job.body, type=News)
    made = assessments.read_one(connection, int(job.key))
    if made is None:
        return None
    out: dict[str, Any] = msgspec.json.decode(made.body)
    told = events.select(connection, CHANGED, subject=job.key)
    body = told[-1].body if told else {}
    return News(
        kind=CHANGED,
        person=made.person,
        at=clock.iso(made.at),
        assessment=made.id,
        urgency=out["urgency"]["level"] if out else LEVELS[-1],
        before=body.get("from") or "",
        rules=tuple(body.get("rules", ())),
        red_flags=tuple(Flag(f["rule"], f["urgency"]) for f in out.get("red_flags", ())),
    )


def wanted(notice: Notice, news: News) -> bool:
    """Does a destination hear of this?"""
    if news.kind == CORRECTION:
        return True
    alarming = any(flag.urgency in ALARMING for flag in news.red_flags)
    return alarming or news.urgency in notice.levels


def notice(clinic: Clinic, job: Job) -> Effect | None:
    """Tell one destination; a destination that does not take it raises, and is tried again."""
    _, _, name = job.key.partition(" ")
    found = next((n for n in clinic.settings.notices if n.name == name), None)
    news = msgspec.json.decode(job.body, type=News)
    if found is None:  # taken out of the settings meanwhile
        return _kept(GIVEN_UP, job, news, {"destination": name, "why": "not in the settings"})
    try:
        how = deliver.deliver(clinic.settings, found, news, job.key, at=clock.now())
    except Exception as error:
        if clock.now() - job.wanted < PATIENCE:
            raise
        structlog.get_logger("redcell.notices").error(
            "notice-given-up", destination=name, error=type(error).__name__
        )
        why = {"destination": name, "why": type(error).__name__, "attempts": job.attempts}
        return _kept(GIVEN_UP, job, news, why)
    return _kept(TOLD, job, news, {"destination": name, "how": how, "attempts": job.attempts})


def _kept(kind: str, job: Job, news: News, body: dict[str, Any]) -> Effect:
    subject = str(news.assessment or news.resource)
    event = Event(kind, clock.now(), "redcell", news.person, subject, job.key, body)

    def effect(connection: Connection) -> None:
        events.add(connection, [event])

    return effect


def undelivered(connection: Connection, *, most: int = 100) -> Iterator[Event]:
    """Notices that were given up, the newest first."""
    yield from events.select(connection, GIVEN_UP, newest_first=True, limit=most)


HANDLERS: Mapping[str, Handler] = {NOTIFY: notify, NOTICE: notice}
