"""Whatever is sent, the answer is an OperationOutcome with a status below 500."""

from __future__ import annotations

import json
import random  # noqa: TID251  (seeded)

import pytest

from fhir_api.resources import bundle, entry, hemoglobin, patient
from redcell.clinic.worker import Worker

SEED = 20261128
CASES = 1000
"""On each of the two databases."""
WRONG = [
    None,
    True,
    -0.0,
    10**31,
    -1,
    "",
    "x" * 70_000,
    "\u0000",
    "\ud800",
    "Patient/",
    "urn:uuid:",
    "9999-99-99",
    "0000-01-01T00:00:00Z",
    "2026-11-20T25:61:61+99:99",
    "<script>",
    "%00%ff",
    [],
    {},
    [[]],
    [None],
    {"reference": 7},
    {"coding": [{"code": "y" * 9000}]},
    {"coding": "718-7"},
    {"start": "2026", "end": []},
]


def paths(value, here=()):
    yield here
    if isinstance(value, dict):
        for key, one in value.items():
            yield from paths(one, (*here, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from paths(one, (*here, number))


def changed(value, path, new):
    """The value with another one at a path."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(copy[path[0]], path[1:], new)
    return copy


def mutated(dice: random.Random, body: dict) -> bytes:
    """One or two values replaced, or the text itself damaged."""
    for _ in range(dice.randint(1, 2)):
        body = changed(body, dice.choice(list(paths(body))), dice.choice(WRONG))
    text = json.dumps(body).encode()
    match dice.randrange(8):
        case 0:
            return text[: dice.randrange(len(text) + 1)]
        case 1:
            at = dice.randrange(len(text) + 1)
            return text[:at] + bytes([dice.randrange(256)]) + text[at + 1 :]
        case 2:
            return b"\xef\xbb\xbf" + text
        case 3:
            return json.dumps(body).encode("utf-16")
        case 4:
            return text.replace(b'"value"', b'"value":1e999,"value"', 1)
    return text


def bases(who: str = "p", value: str = "1", seen: str = "h") -> list[tuple[str, str, dict]]:
    """What is sent of one person and one result before it is damaged: method, path, body."""
    one, two = patient(who, value), hemoglobin(seen, who)
    sent = bundle(
        "transaction",
        entry("POST", "Patient", one, "urn:uuid:6c5d9ca9-54d7-42f5-bfae-a7c19cd217f2"),
        entry("PUT", f"Observation/{seen}", two, ifMatch='W/"1"'),
        entry("GET", f"Observation?patient={who}&date=2026"),
    )
    return [
        ("PUT", f"Patient/{who}", one),
        ("PUT", f"Observation/{seen}", two),
        ("POST", "Observation", two),
        ("POST", "", sent),
        ("POST", "", sent | {"type": "batch"}),
        ("POST", "", bundle("collection", {"resource": one}, {"resource": two})),
    ]


@pytest.mark.trust("F1")
def test_malformed_bodies(api):
    seed = SEED + (api.clinic.database.dialect == "sqlite")
    dice = random.Random(seed)  # noqa: S311
    seen: dict[int, int] = {}
    every = bases()
    for number in range(CASES):
        method, path, body = every[number % len(every)]
        answer = api.send(method, path, mutated(dice, body))
        seen[answer.status_code] = seen.get(answer.status_code, 0) + 1
        assert answer.status_code < 500, (seed, number, answer.text)
        if answer.status_code >= 400:
            found = answer.json()
            assert found["resourceType"] == "OperationOutcome", number
            assert found["issue"][0]["diagnostics"], number
    assert min(seen[200], seen[400], seen[422]) > CASES // 20
    while Worker(api.clinic).step():
        pass
    assert api.get("Patient/p/$everything").status_code == 200


QUERIES = [
    "Observation?patient=%00",
    "Observation?patient=%ff%fe",
    "Observation?code=%00|%00",
    "Observation?code=" + "x" * 5000,
    "Observation?code=" + ",".join("x" * 300),
    "Observation?date=ge" + "9" * 40,
    "Observation?date=9999-12-31",
    "Observation?date=0001-01-01",
    "Observation?date=0000",
    "Observation?date=2026-02-30",
    "Observation?date=ap0001&patient=p",
    "Observation?_count=99999999999999999999",
    "Observation?_count=-1",
    "Observation?_after=eyJ2YWx1ZSI6OTk5OTk5OTk5OTk5OTk5OTk5OTksInJpZCI6IngifQ==",
    "Observation?_after=e30=",
    "Observation?_sort=-_lastUpdated&_after=eyJ2YWx1ZSI6IngiLCJyaWQiOiJ4In0=",
    "Observation?_id=" + "/" * 100,
    "Observation?_lastUpdated=ge9999-12-31T23:59:59.999999999Z",
    "Observation?&&&=&=x&patient",
    "Observation/%00",
    "Observation/x/_history/99999999999999999999999",
    "Observation/99999999999999999999999.x",
    "Observation/1.x/_history/1",
    "Provenance/arrival-99999999999999999999999",
    "AuditEvent/99999999999999999999999",
    "Patient/%2e%2e/$everything?_since=never",
    "Patient/p/_history?_count=x",
    "%00",
    "Foo",
    "Foo/1",
    "Foo?x=y",
    "a/b/c/d/e",
    "metadata?_format=%00",
]


@pytest.mark.trust("F1", "S8")
def test_odd_addresses(api):
    api.put("Patient/p", patient("p"))
    for query in QUERIES:
        answer = api.get(query)
        assert answer.status_code < 500, (query, answer.text)
        if answer.status_code >= 400:
            assert answer.json()["resourceType"] == "OperationOutcome", query


@pytest.mark.trust("A4")
def test_a_busy_store_is_said_to_be_busy(api, monkeypatch):
    from redcell.store.database import StoreBusyError
    from redcell.store.writer import OverloadedError

    for error in (StoreBusyError("busy"), OverloadedError("busy")):

        def refuse(_write, error=error):
            raise error

        monkeypatch.setattr(api.clinic.writer, "submit", refuse)
        for answer in (api.put("Patient/p", patient("p")), api.get("Patient?gender=female")):
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "2"
            assert answer.json()["issue"][0]["code"] == "transient"


@pytest.mark.trust("S4", "H8.2")
def test_a_fault_says_nothing_of_the_data(api, monkeypatch, capfd):
    from redcell.web.fhir import read

    def broken(*_):
        raise KeyError("Okafor")

    monkeypatch.setattr(read, "one", broken)
    answer = api.get("Patient/p")
    assert answer.status_code == 500
    assert "Okafor" not in answer.text


@pytest.mark.parametrize("fields", ["code", "category"])
def test_a_very_long_code_is_kept_but_not_found_by(api, fields):
    api.put("Patient/p", patient("p"))
    dice = random.Random(SEED)  # noqa: S311
    long = "".join(dice.choices("abcdefghijklmnop0123456789", k=60_000))
    code = {"coding": [{"system": "urn:x", "code": long}]}
    body = hemoglobin("h", "p", **{fields: [code] if fields == "category" else code})
    assert api.put("Observation/h", body).status_code == 201
    assert api.get("Observation/h").json()[fields]
