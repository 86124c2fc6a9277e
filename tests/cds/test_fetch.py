"""What did not come is fetched over real HTTP, from listed servers alone, with the call's token."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from cds.servers import Fhir, LocalServer, found
from cds.world import STATUS, World, bundle, call, prefetch, resources
from redcell.web.cds.outbound import Outbound

TOKEN = "-".join(("token", "of", "this", "call"))
AUTHORIZATION = {
    "access_token": TOKEN,
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "patient/*.rs",
    "subject": "redcell",
}


def fetching(server: LocalServer, **more: Any) -> World:
    """The service in development, where this machine may be asked over http."""
    return World(servers=(f"{server.base}/fhir",), **more)


def asking(server: LocalServer, data: Any = None, **more: Any) -> dict[str, Any]:
    body = call(data={} if data is None else data, fhirServer=f"{server.base}/fhir")
    return body | {"fhirAuthorization": AUTHORIZATION} | more


def missing(card: dict[str, Any]) -> str:
    return card["detail"].partition("**Missing:** ")[2].partition("\n")[0]


@pytest.fixture
def fhir():
    server = Fhir(resources(), page=20)
    server.token = TOKEN
    return server


def test_everything_that_did_not_come_is_fetched_with_the_token(fhir):
    with LocalServer(fhir) as server:
        world = fetching(server)
        (card,) = world.cards(STATUS, asking(server))
        whole = World()
        (same,) = whole.cards(STATUS, call())
        assert card["summary"] == same["summary"]
        assert missing(card) == missing(same), "every page of every search was read"
        assert {token for _, token in server.asked} == {f"Bearer {TOKEN}"}
        assert len(server.asked) > 11, "several pages"
        world.close()
        whole.close()


def test_only_what_is_missing_is_fetched(fhir):
    data = prefetch()
    del data["procedures_v1"], data["consents_v1"]
    with LocalServer(fhir) as server:
        world = fetching(server)
        world.cards(STATUS, asking(server, data))
        asked = {path.removeprefix("/fhir/").partition("?")[0] for path, _ in server.asked}
        assert asked == {"Procedure", "Consent"}
        world.close()


def test_the_pages_after_the_first_are_fetched(fhir):
    data = prefetch()
    entries = data["hemoglobin_v1"]["entry"]
    with LocalServer(fhir) as server:
        following = f"{server.base}/fhir/Observation?patient=okafor&code=718-7&start=5"
        data["hemoglobin_v1"] |= {
            "entry": entries[:5],
            "link": [{"relation": "next", "url": following}],
        }
        world = fetching(server)
        (card,) = world.cards(STATUS, asking(server, data))
        assert f"hemoglobin values: {len(entries)} " in card["detail"]
        assert "only a part" not in card["detail"]
        world.close()


@pytest.mark.parametrize(
    "answer",
    [
        found({"resourceType": "OperationOutcome", "issue": []}, 403),
        found({"resourceType": "OperationOutcome", "issue": []}),
        (500, {}, b"<html>"),
        (200, {}, b"<html>"),
        (200, {}, b'{"resourceType":"Bundle","entry":[],"entry":[]}'),
        (302, {"Location": "http://127.0.0.1:1/"}, b""),
        (200, {}, b" " * 9_000_000),
    ],
    ids=["forbidden", "outcome", "fault", "text", "a key twice", "redirect", "too large"],
)
def test_what_cannot_be_fetched_stays_missing(fhir, answer):
    fhir.faults["Consent"] = answer
    with LocalServer(fhir) as server:
        world = fetching(server)
        (card,) = world.cards(STATUS, asking(server))
        assert "could not be read: whether red cells are declined" in missing(card)
        world.close()


def test_without_what_is_needed_the_answer_is_412(fhir):
    fhir.faults["Observation"] = (500, {}, b"")
    with LocalServer(fhir) as server:
        world = fetching(server)
        answer = world.post(STATUS, asking(server))
        assert answer.status_code == 412
        assert "could not be read from fhirServer" in answer.text
        world.close()


def test_no_more_pages_than_the_limit_are_read(fhir):
    fhir.page = 1
    with LocalServer(fhir) as server:
        world = fetching(server, pages=3)
        (card,) = world.cards(STATUS, asking(server))
        assert "only a part came" in missing(card)
        assert sum("code=" in path for path, _ in server.asked) == 3
        world.close()


def test_a_slow_server_is_not_waited_for_longer_than_the_limit(fhir):
    def slow(path: str, headers: dict[str, str]) -> Any:
        if "Observation" not in path:
            time.sleep(3)
        return fhir(path, headers)

    with LocalServer(slow) as server:
        world = fetching(server, all_seconds=0.5)
        start = time.monotonic()
        (card,) = world.cards(STATUS, asking(server))
        assert time.monotonic() - start < 2.5
        assert "not sent: sex and birth date" in missing(card)
        world.close()


# -- where nothing is fetched ----------------------------------------------------------------------


@pytest.mark.trust("S7")
def test_a_server_that_is_not_listed_is_not_asked(fhir):
    with LocalServer(fhir) as server:
        world = World(servers=("https://ehr.example/fhir",))
        assert world.post(STATUS, asking(server)).status_code == 412
        assert server.asked == []
        world.close()


@pytest.mark.parametrize("tail", ["/..", "/other", "?x", "#x", "@evil.example", "/fhir/fhir"])
def test_a_server_is_listed_letter_by_letter(fhir, tail):
    with LocalServer(fhir) as server:
        world = fetching(server)
        body = asking(server, fhirServer=f"{server.base}/fhir{tail}")
        assert world.post(STATUS, body).status_code == 412
        assert server.asked == []
        world.close()


def test_outside_development_this_machine_is_not_asked_over_http(fhir):
    with LocalServer(fhir) as server:
        world = fetching(server, outbound=Outbound(insecure_loopback=False))
        assert world.post(STATUS, asking(server)).status_code == 412
        assert server.asked == []
        world.close()


def test_a_token_of_another_patient_is_not_used(fhir):
    with LocalServer(fhir) as server:
        world = fetching(server)
        other = asking(server, fhirAuthorization=AUTHORIZATION | {"patient": "somebody-else"})
        assert world.post(STATUS, other).status_code == 412
        assert server.asked == []
        world.close()


@pytest.mark.trust("S7")
def test_a_next_page_elsewhere_gets_no_token(fhir):
    with LocalServer(fhir) as other, LocalServer(fhir) as server:
        fhir.next_base = f"{other.base}/fhir"
        world = fetching(server)
        (card,) = world.cards(STATUS, asking(server))
        assert "only a part came" in missing(card)
        assert other.asked == []
        world.close()


@pytest.mark.trust("S4")
def test_the_token_is_neither_logged_nor_shown(fhir, caplog):
    fhir.faults["Consent"] = (500, {}, TOKEN.encode())
    with LocalServer(fhir) as server, caplog.at_level(logging.DEBUG):
        world = fetching(server)
        answer = world.post(STATUS, asking(server))
        assert TOKEN not in answer.text
        world.close()
    assert TOKEN not in caplog.text
    assert "consents was not fetched: status 500" in caplog.text


def test_what_was_fetched_is_not_kept_for_the_next_call(fhir):
    fhir.faults["Consent"] = (500, {}, b"")
    with LocalServer(fhir) as server:
        world = fetching(server)
        world.cards(STATUS, asking(server))
        del fhir.faults["Consent"]
        body = asking(server)
        body["context"]["userId"] = "Practitioner/2"
        (card,) = world.cards(STATUS, body)
        assert "declined" not in missing(card)
        world.close()


def test_a_page_of_a_search_that_is_empty_is_an_answer(fhir):
    fhir.resources.pop("Consent", None)
    with LocalServer(fhir) as server:
        world = fetching(server)
        (card,) = world.cards(STATUS, asking(server, {"hemoglobin_v1": bundle()}))
        assert "declined" not in missing(card).partition("not current")[0]
        world.close()
