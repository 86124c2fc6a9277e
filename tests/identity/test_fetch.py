"""Other servers are asked for JSON, and no more of them is believed than that."""

from __future__ import annotations

import socket

import pytest

from identity.provider import Provider, serving
from redcell.identity import fetch
from redcell.identity.fetch import FetchError

pytestmark = pytest.mark.trust("S7")


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
