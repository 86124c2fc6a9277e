"""S7: other servers are asked at listed addresses only, never where a name or answer leads inside."""

from __future__ import annotations

import socket

import httpcore
import pytest

from identity.provider import Provider, serving
from redcell.identity import fetch
from redcell.identity.fetch import FetchError

pytestmark = pytest.mark.trust("S7")

REFUSED = [
    "http://ehr.example/",
    "ftp://ehr.example/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "data:application/json,{}",
    "//ehr.example/",
    "/relative",
    "",
    "https://",
    "https://user:secret@ehr.example/",
    "http://169.254.169.254/latest/meta-data/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fe80::1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://0.0.0.0/",
    "https://[::]/",
    "https://224.0.0.1/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "http://127.0.0.2/",
    "http://2130706433/",
    "http://localhost.evil.example/",
]


@pytest.mark.parametrize("url", REFUSED)
def test_addresses_that_are_not_asked(url):
    with pytest.raises(FetchError):
        fetch.json_of(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "169.254.169.254",
        "::1",
        "fe80::1%eth0",
        "0.0.0.0",  # noqa: S104
        "ff02::1",
        "::ffff:127.0.0.1",
    ],
)
def test_a_name_that_leads_inside_is_not_followed(monkeypatch, address):
    def answers(_host, port, **_more):
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    with pytest.raises(httpcore.ConnectError):
        fetch.allowed_address("ehr.example", 443)


def test_every_address_of_a_name_is_looked_at(monkeypatch):
    def answers(_host, port, **_more):
        places = ("203.0.113.5", "169.254.169.254")
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (p, port)) for p in places]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    with pytest.raises(httpcore.ConnectError):
        fetch.allowed_address("ehr.example", 443)


def test_the_hospitals_own_network_may_be_asked(monkeypatch):
    def answers(_host, port, **_more):
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("10.1.2.3", port))]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    assert fetch.allowed_address("ehr.example", 443) == "10.1.2.3"


@pytest.fixture
def server():
    with serving(Provider()) as made:
        yield made


def test_a_json_object_and_nothing_else(server, monkeypatch):
    assert fetch.json_of(f"{server.base}/keys")["keys"]
    with pytest.raises(FetchError, match="400"):
        fetch.json_of(f"{server.base}/nowhere")
    monkeypatch.setattr(server, "get", lambda _path: ["a", "list"])
    with pytest.raises(FetchError, match="JSON object"):
        fetch.json_of(f"{server.base}/keys")


def test_a_redirect_is_not_followed(server):
    server.status = 302
    with pytest.raises(FetchError, match="302"):
        fetch.json_of(f"{server.base}/keys")


def test_a_long_answer_is_given_up(server, monkeypatch):
    monkeypatch.setattr(server, "get", lambda _path: {"x": "y" * 1_200_000})
    with pytest.raises(FetchError, match="longer"):
        fetch.json_of(f"{server.base}/keys")


def test_a_server_that_is_not_there(server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(FetchError, match="did not answer"):
        fetch.json_of(f"http://127.0.0.1:{port}/secret?token=abc")
