"""S7: addresses that lead inside, at each of the three doors through which other servers are asked."""

from __future__ import annotations

import asyncio

import pytest

from redcell.feeds.bulk.asking import Asker, AskingError
from redcell.identity import fetch
from redcell.web.cds.outbound import Outbound, OutboundError

INSIDE = (
    "127.0.0.2", "127.1", "0177.0.0.1", "2130706433", "0x7f000001", "0.0.0.0", "169.254.169.254",  # noqa: S104
    "2852039166", "0xa9fea9fe", "169.254.1.1", "100.100.100.200", "192.0.0.192", "224.0.0.1",
    "255.255.255.255", "[::]", "[fe80::1]", "[ff02::1]", "[::ffff:169.254.169.254]",
    "[::ffff:127.0.0.2]", "[fd00:ec2::254]", "10.0.0.1", "172.16.0.1", "192.168.0.1",
)  # fmt: skip
SCHEMES = (
    "file:///etc/passwd", "ftp://127.0.0.2/", "gopher://127.0.0.2:25/", "dict://127.0.0.2:11211/",
    "data:application/json,{}", "ldap://127.0.0.2/", "jar:http://127.0.0.2!/", "javascript:1",
    "//127.0.0.2/", "https://", "", "/relative", "https:///etc/passwd", "unix:///run/docker.sock",
    "https://user:secret@127.0.0.2/", "http://127.0.0.2#@hospital.example/",
    "http://hospital.example@127.0.0.2/",
)  # fmt: skip
ADDRESSES = tuple(f"http://{host}/latest/meta-data/" for host in INSIDE) + SCHEMES


def test_there_are_forty():
    assert len(set(ADDRESSES)) == 40


@pytest.mark.trust("S7")
@pytest.mark.parametrize("url", ADDRESSES)
def test_keys_and_providers_are_not_fetched_from_inside(url):
    with pytest.raises(fetch.FetchError):
        fetch.json_of(url)


@pytest.mark.trust("S7")
@pytest.mark.parametrize("url", ADDRESSES)
def test_prefetch_is_not_fetched_from_inside(url):
    async def ask() -> None:
        out = Outbound(insecure_loopback=True)
        try:
            await out.get(url, {})
        finally:
            await out.close()

    with pytest.raises(OutboundError):
        asyncio.run(ask())


@pytest.mark.trust("S7")
@pytest.mark.parametrize("url", ADDRESSES)
def test_a_manifest_leads_to_no_address_inside(url):
    asker = Asker("https://hospital.example/fhir")
    try:
        with pytest.raises(AskingError):
            asker.ask("GET", url)
    finally:
        asker.close()
