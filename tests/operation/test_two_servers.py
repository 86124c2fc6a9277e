"""Two servers on one PostgreSQL, really started: one is killed in its work, the other goes on."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa

from operation.kill import CLIENT
from operation.process import Service
from operation.senders import Fhir, Ledger, Sender, transactions
from redcell import clock
from redcell.clinic import setup
from redcell.clinic.fold import fold
from redcell.identity import accounts, clients, links, tokens
from redcell.knowledge.load import knowledge
from redcell.store import assessments, audit, jobs
from redcell.store.database import Database, open_database
from redcell.store.schema import jobs as waiting
from redcell.store.schema import persons

TAKE_OVER = jobs.LEASE / clock.SECOND + 15
"""Seconds: a lease, and the work itself on a busy machine."""


@pytest.fixture
def folders(postgres_server, tmp_path):
    """Two data folders with the same settings, as the page on deployment says."""
    if postgres_server is None:
        pytest.skip("PostgreSQL is not installed; make test installs it when it may")
    address = postgres_server.new_database()
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    text = f"database = {json.dumps(address)}\nsecure_cookies = false\n[site]\nforecast = false\n"
    (first / "redcell.toml").write_text(text)
    list(setup.init(first))
    shutil.copytree(first, second)
    return first, second


@pytest.fixture
def database(folders) -> Iterator[Database]:
    from redcell.clinic.settings import load_settings

    found = open_database(load_settings(folders[0]).database)
    yield found
    found.close()


@pytest.fixture
def servers(folders) -> Iterator[list[Service]]:
    made: list[Service] = []
    try:
        made.append(Service(folders[0], "--port", "0").wait_until_ready())
        shutil.copy(folders[0] / "secret.key", folders[1] / "secret.key")
        made.append(Service(folders[1], "--port", "0").wait_until_ready())
        yield made
    finally:
        for one in made:
            if one.process.poll() is None:
                one.stop()


def link_for(database: Database) -> str:
    with database.write() as connection:
        who = accounts.add(connection, "ndiaye", "A. Ndiaye", ("nurse",), at=clock.now())
        return links.make(connection, who.id, clock.now())


def token_for(database: Database) -> str:
    key = {"kty": "EC", "crv": "P-384", "x": "x", "y": "y"}
    at = clock.now()
    with database.write() as connection:
        details = clients.Details(keys=(key,), scopes=("system/*.cruds",))
        clients.add(connection, "s", "backend", details, at=at, roles=("feed",), client=CLIENT)
        return tokens.issue(connection, tokens.Granted(CLIENT, ("system/*.cruds",)), at=at)[0]


def proof(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
    assert found
    return found[1]


def signed_in(first: str, token: str) -> httpx.Client:
    """A browser that signed in at the first server."""
    browser = httpx.Client(headers={"accept": "text/html"}, timeout=30)
    page = browser.get(f"{first}/sign-in/link", params={"token": token})
    answer = browser.post(f"{first}/sign-in/link", data={"token": token, "csrf": proof(page)})
    assert answer.status_code == 303, answer.text
    return browser


def holding(database: Database, pid: int) -> bool:
    with database.read() as connection:
        return any(f":{pid}:" in name for name in jobs.workers(connection))


def left(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(waiting)) or 0


def wait_until(claim, seconds: float) -> float:
    began = time.monotonic()
    while not claim():
        assert time.monotonic() - began < seconds, "waited in vain"
        time.sleep(0.002)
    return time.monotonic() - began


def forms_and_tries_are_those_of_both(browser: httpx.Client, first: str, second: str) -> None:
    wrong = {"csrf": proof(browser.get(f"{first}/account")), "present": "", "new": "short"}
    answer = browser.post(f"{second}/account/password", data=wrong)
    assert answer.status_code == 400, "the form of one server is taken by the other"
    with httpx.Client(headers={"accept": "text/html"}, timeout=30) as stranger:
        for n in range(6):
            at = (first, second)[n % 2]
            form = {"csrf": proof(stranger.get(f"{at}/sign-in")), "login": "x", "password": "y"}
            answer = stranger.post(f"{at}/sign-in", data=form)
        assert answer.status_code == 429


@pytest.mark.trust("A1", "L8")
def test_one_is_killed_and_the_other_goes_on(database, servers):
    first, second = servers
    browser = signed_in(first.address, link_for(database))
    forms_and_tries_are_those_of_both(browser, first.address, second.address)
    token = token_for(database)
    ledger = Ledger()
    senders = [Sender(f"f{n}", ledger, transactions(f"f{n}")) for n in range(2)]
    for sender, server in zip(senders, servers, strict=True):
        sender.aim(Fhir(server.address, token))
        sender.start()
    wait_until(lambda: holding(database, first.process.pid), 60)
    first.kill()
    senders[0].aim(Fhir(second.address, token))  # the balancer's part
    time.sleep(1)
    for sender in senders:
        sender.halt.set()
    for sender in senders:
        sender.join(30)
        sender.aim(None)
        assert not sender.refused
    wait_until(lambda: left(database) == 0, TAKE_OVER)
    everybody_assessed(database)
    page = browser.get(f"{second.address}/account")
    assert page.status_code == 200, "signed in at the first one, known at the second"
    browser.close()
    with database.read() as connection:
        audit.verify(connection)
    assert ledger.acked


def everybody_assessed(database: Database) -> None:
    known = knowledge()
    with database.read() as connection:
        everybody = set(connection.scalars(sa.select(persons.c.person)))
        for person in everybody:
            line = assessments.line_of(connection, person)
            folded = fold(connection, person, known)
            assert line is not None, person
            newest = assessments.newest(connection, person)
            assert newest is not None
            assert set(newest.facts) == {fact.id for fact in folded.facts}, person
    assert everybody
