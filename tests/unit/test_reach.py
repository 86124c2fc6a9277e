"""S7: nobody who asks outside reaches what lies inside. Each attempt against each of those who ask."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import httpcore
import pytest

from redcell import reach
from redcell.clinic import deliver
from redcell.clinic.settings import Notice
from redcell.errors import RedcellError
from redcell.feeds.bulk.asking import Asker
from redcell.identity import fetch
from redcell.reach import AddressError, Allowed, AsyncGuard, Guard, origin_of, secure_origin
from redcell.web.cds.outbound import Outbound, OutboundError

pytestmark = pytest.mark.trust("S7")

URLS = [
    "http://ehr.example/",
    "ftp://ehr.example/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "data:application/json,{}",
    "javascript:alert(1)",
    "//ehr.example/",
    "/relative",
    "ehr.example",
    "",
    "https://",
    "https://user:secret@ehr.example/",
    "https://ehr.example:99999/",
    "http://[::1",
    "http://169.254.169.254/latest/meta-data/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fe80::1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://0.0.0.0/",
    "https://[::]/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "http://127.0.0.2/",
    "http://2130706433/",
    "http://localhost.evil.example/",
]
NAMES = [
    "127.0.0.1",
    "127.8.8.8",
    "169.254.169.254",
    "8.8.8.8 169.254.169.254",
    "8.8.8.8 127.0.0.1",
    "::1",
    "fe80::1%eth0",
    "0.0.0.0",  # noqa: S104
    "ff02::1",
    "240.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "64:ff9b::7f00:1",
]
PRIVATE = ["10.0.0.1", "172.16.5.4", "192.168.1.1", "100.64.0.1", "fd12::1", "::ffff:10.0.0.1"]


def ask_cds(url: str, *, open_here: bool = True) -> None:
    async def ask() -> None:
        out = Outbound(insecure_loopback=open_here, seconds=1)
        try:
            await out.get(url, {})
        finally:
            await out.close()

    asyncio.run(ask())


def ask_bulk(url: str) -> None:
    asker = Asker("https://home.example/fhir")
    try:
        asker.ask("GET", url)
    finally:
        asker.close()


def ask_notice(url: str) -> None:
    deliver.post(Notice("n", url=url), b"{}", "application/json", "k", at=1)


ASKERS = {"CDS": ask_cds, "bulk": ask_bulk, "identity": fetch.json_of, "notice": ask_notice}


@pytest.fixture
def reached(monkeypatch) -> list[str]:
    """The addresses to which a connection was opened; none is."""
    found: list[str] = []

    def connect(_self, host, *_more, **_named):
        found.append(host)
        raise httpcore.ConnectError("a test opens none")

    async def connect_async(_self, host, *_more, **_named):
        connect(_self, host)

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect_async)
    return found


def resolving(monkeypatch, *answers: str) -> None:
    """A resolver that gives one set of addresses after the other, the last one for good."""
    left = list(answers)

    def rows(_host, port, **_more):
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in found.split()]

    async def rows_async(_loop, host, port, **_more):
        return rows(host, port)

    monkeypatch.setattr(socket, "getaddrinfo", rows)
    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", rows_async)


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("url", URLS)
def test_addresses_that_are_never_asked(monkeypatch, reached, asker, url):
    host = url.partition("//")[2].split("/")[0].strip("[]")
    inside = host.replace(".", "").isdecimal() or ":" in host or host.startswith("0x")
    if host.isdecimal() or host.startswith("0x"):  # what a resolver makes of a number
        number = int(host, 0)
        resolving(monkeypatch, ".".join(str(number >> n & 255) for n in (24, 16, 8, 0)))
    elif not inside:
        resolving(monkeypatch, "8.8.8.8")
    with pytest.raises((RedcellError, OutboundError)):
        ASKERS[asker](url)
    assert reached == []


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("answer", NAMES)
def test_a_name_that_leads_inside_is_not_followed(monkeypatch, reached, asker, answer):
    resolving(monkeypatch, answer)
    with pytest.raises((RedcellError, OutboundError)):
        ASKERS[asker]("https://ehr.example/x")
    assert reached == []


@pytest.mark.parametrize("asker", ["CDS", "bulk"])
@pytest.mark.parametrize("answer", [*PRIVATE, "8.8.8.8 10.0.0.5"])
def test_what_an_answer_or_a_call_names_is_not_private(monkeypatch, reached, asker, answer):
    resolving(monkeypatch, answer)
    with pytest.raises((RedcellError, OutboundError)):
        ASKERS[asker]("https://ehr.example/x")
    assert reached == []


@pytest.mark.parametrize("asker", ["identity", "notice"])
def test_what_the_settings_name_may_be_private(monkeypatch, reached, asker):
    resolving(monkeypatch, "10.1.2.3")
    with pytest.raises(RedcellError):
        ASKERS[asker]("https://ehr.example/x")
    assert reached == ["10.1.2.3"]


@pytest.mark.parametrize("asker", ["CDS", "bulk", "identity"])
def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch, reached, asker):
    """A name that answers differently the second time leads nowhere else: it is asked once."""
    resolving(monkeypatch, "8.8.8.8", "169.254.169.254")
    with pytest.raises((RedcellError, OutboundError)):
        ASKERS[asker]("https://ehr.example/x")
    assert reached == ["8.8.8.8"]


def test_a_notice_is_not_sent_when_the_name_changed_its_mind(monkeypatch, reached):
    resolving(monkeypatch, "8.8.8.8", "169.254.169.254")
    with pytest.raises(deliver.NotDeliveredError):
        ask_notice("https://ehr.example/x")
    assert reached == []


def test_this_machine_is_asked_over_http_only_where_that_is_wanted(monkeypatch, reached):
    resolving(monkeypatch, "127.0.0.1")
    with pytest.raises(OutboundError):
        ask_cds("http://localhost/x", open_here=False)
    assert reached == []
    with pytest.raises(OutboundError):
        ask_cds("http://localhost/x")
    assert reached == ["127.0.0.1"]


# -- the guard itself ------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["8.8.8.8", "2600::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_may_be_reached(address):
    assert Allowed().fits(address, "ehr.example")


@pytest.mark.parametrize("address", PRIVATE)
def test_a_named_host_may_have_a_private_address(address):
    named = Allowed(frozenset({"ehr.internal"}))
    assert named.fits(address, "EHR.internal.")
    assert not named.fits(address, "other.internal")
    assert not named.fits("169.254.169.254", "ehr.internal")
    assert not named.fits("127.0.0.1", "ehr.internal")


def test_loopback_is_reached_by_its_own_name():
    for address, host in (("127.0.0.1", "localhost"), ("::1", "::1"), ("127.0.0.1", "127.0.0.1")):
        assert Allowed(everyone=True).fits(address, host)
        assert Allowed(reach.LOOPBACK).fits(address, host)
        assert not Allowed().fits(address, host)


def test_no_server_lives_behind_a_file():
    with pytest.raises(httpcore.ConnectError):
        Guard(Allowed()).connect_unix_socket("/run/x")
    with pytest.raises(httpcore.ConnectError):
        asyncio.run(AsyncGuard(Allowed()).connect_unix_socket("/run/x"))


def test_an_origin_is_scheme_host_and_port():
    assert origin_of("https://EHR.example./fhir") == origin_of("https://ehr.example:443/x")
    assert origin_of("https://ehr.example") != origin_of("https://ehr.example:8443")
    assert secure_origin("http://[::1]:8000/x", plain=True).port == 8000
    with pytest.raises(AddressError):
        secure_origin("http://[::1]:8000/x", plain=False)


def test_whoever_looks_at_addresses_does_it_here():
    """No second guard grows beside this one."""
    home = Path(reach.__file__).parent
    users = {
        path.relative_to(home).as_posix()
        for path in home.rglob("*.py")
        if "getaddrinfo" in path.read_text() or "is_link_local" in path.read_text()
    }
    assert users == {"reach.py", "clinic/deliver.py"}
