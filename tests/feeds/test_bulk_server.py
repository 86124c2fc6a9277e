"""A server's bulk export: signed assertions, waiting, counts, deletions, errors, traps."""

from __future__ import annotations

import json

import pytest
from joserfc.jwk import ECKey, RSAKey

from feeds.bulk_server import Server, ndjson
from fhir_api.resources import hemoglobin, patient
from redcell import clock
from redcell.clinic import replay
from redcell.clinic.service import Clinic
from redcell.clinic.settings import Settings
from redcell.errors import SettingsError
from redcell.feeds.bulk.asking import Asker, AskingError
from redcell.feeds.bulk.backend import Backend, read_key
from redcell.feeds.bulk.load import Loader
from redcell.feeds.bulk.server import Export, Wanted, seconds_of
from redcell.store import facts


@pytest.fixture
def clinic(store_address, database, tmp_path):
    address = store_address if "://" in store_address else ""
    found = Clinic(tmp_path / "data", Settings(database=address))
    yield found
    found.close()


@pytest.fixture
def server():
    found = Server()
    yield found
    found.close()


class Waits(list):
    """Remembers how long it was asked to wait."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def exporting(server: Server, files: dict[str, bytes], **manifest) -> None:
    """Offer an export that is ready at the third look."""
    looks = iter([(202, {"Retry-After": "7", "X-Progress": "half"}, b""), (429, {}, b"")])
    output = [
        {
            "type": name.split("-")[0],
            "url": f"{server.base}/files/{name}",
            "count": data.count(b"\n"),
        }
        for name, data in files.items()
    ]
    whole = {"transactionTime": "2026-11-27T10:00:00Z", "output": output, "error": [], **manifest}

    def began(_query, headers):
        assert headers["prefer"] == "respond-async"
        return 202, {"Content-Location": f"{server.base}/status/1"}, b""

    server.routes["GET /Patient/$export"] = began
    server.routes["GET /status/1"] = lambda *_: next(looks, (200, {}, whole))
    server.routes["DELETE /status/1"] = (202, {}, b"")
    for name, data in files.items():
        server.routes[f"GET /files/{name}"] = (200, {}, data)


def run(clinic, server, wanted=None, waits=None, asker=None):
    asker = asker or Asker(server.base)
    loader = Loader(clinic, "ehr", clock.now)
    export = Export(
        clinic, asker, wanted or Wanted(), loader, wait=Waits() if waits is None else waits
    )
    export.run()
    asker.close()
    return export


def kept(clinic) -> set[str]:
    with clinic.database.read() as connection:
        return {f"{f.kind}/{f.rid}" for f in facts.everything(connection)}


def test_the_whole_way(clinic, server):
    results = [hemoglobin(f"h{n}", "p") for n in range(30)]
    files = {
        "Patient-1": ndjson(patient("p")),
        "Observation-1": ndjson(*results[:20], packed=True),
        "Observation-2": ndjson(*results[10:]),
    }
    exporting(server, files)
    server.routes["GET /files/Observation-1"] = (200, {}, files["Observation-1"])
    waits = Waits()
    export = run(clinic, server, Wanted("Patient", ("Patient", "Observation")), waits)
    assert len(kept(clinic)) == 31
    assert waits == [7.0, 10.0]
    query = next(path for method, path, _ in server.asked if "$export" in path)
    assert "_type=Patient%2CObservation" in query
    assert ("DELETE", "/fhir/status/1") in [(m, p) for m, p, _ in server.asked]
    assert export.state.since == "2026-11-27T10:00:00Z"
    assert not any((clinic.folder / "bulk").rglob("*.ndjson"))


def test_counts_that_do_not_fit_are_told(clinic, server):
    exporting(server, {"Patient-1": ndjson(patient("p"))})
    export = run(clinic, server)
    assert [f.fits for f in export.files] == [True]
    exporting(server, {"Patient-1": ndjson(patient("p"), patient("q", "2"))})
    manifest = {
        "output": [{"type": "Patient", "url": f"{server.base}/files/Patient-1", "count": 9}]
    }
    server.routes["GET /status/1"] = (200, {}, manifest)
    export = run(clinic, server)
    assert [(f.promised, f.came, f.fits) for f in export.files] == [(9, 2, False)]


def test_deleted_and_error_files(clinic, server):
    exporting(
        server, {"Patient-1": ndjson(patient("p"), hemoglobin("h", "p"), hemoglobin("i", "p"))}
    )
    run(clinic, server)
    entries = [{"request": {"method": "DELETE", "url": u}} for u in ("Observation/h", "Patient/p")]
    gone = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    problem = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
    exporting(
        server,
        {"x-1": ndjson(gone), "x-2": ndjson(problem)},
        output=[],
        deleted=[{"type": "Bundle", "url": f"{server.base}/files/x-1"}],
        error=[{"type": "OperationOutcome", "url": f"{server.base}/files/x-2"}],
    )
    export = run(clinic, server)
    assert export.withdrawn == 1
    with clinic.database.read() as connection:
        assert b"entered-in-error" in facts.read_one(connection, "Observation", "h").body
        assert b"entered-in-error" not in facts.read_one(connection, "Observation", "i").body
        assert [one.code for one in replay.waiting(connection)] == ["reported-by-sender"]


@pytest.mark.trust("L6")
def test_a_run_that_was_killed_goes_on(clinic, server):
    files = {"Patient-1": ndjson(patient("p")), "Patient-2": ndjson(patient("q", "2"))}
    exporting(server, files)
    broken = server.routes.pop("GET /files/Patient-2")
    with pytest.raises(AskingError, match="404"):
        run(clinic, server)
    asked = len(server.asked)
    server.routes["GET /files/Patient-2"] = broken
    export = run(clinic, server)
    later = [path for _, path, _ in server.asked[asked:]]
    assert not any("$export" in path or "Patient-1" in path for path in later)
    assert export.loader.tally.kept == {"Patient": 1}
    assert len(kept(clinic)) == 2


def test_an_export_that_the_server_forgot_is_begun_again(clinic, server):
    exporting(server, {"Patient-1": ndjson(patient("p"))})
    ready = server.routes["GET /status/1"]
    server.routes["GET /status/1"] = (500, {}, b"")
    with pytest.raises(AskingError, match="busy or failing"):
        run(clinic, server)
    answers = iter([(404, {}, b"")])
    server.routes["GET /status/1"] = lambda *a: next(answers, None) or ready(*a)
    run(clinic, server)
    assert kept(clinic) == {"Patient/p"}


def test_cancel(clinic, server):
    exporting(server, {})
    server.routes["GET /status/1"] = (500, {}, b"")
    asker, loader = Asker(server.base), Loader(clinic, "ehr", clock.now)
    export = Export(clinic, asker, Wanted(), loader, wait=Waits())
    assert not export.cancel()
    with pytest.raises(AskingError):
        export.run()
    assert Export(clinic, asker, Wanted(), loader).cancel()
    assert server.asked[-1][0] == "DELETE"
    asker.close()


@pytest.mark.parametrize("key", [RSAKey.generate_key(2048), ECKey.generate_key("P-384")])
def test_a_signed_assertion_gets_the_token(clinic, server, tmp_path, key):
    file = tmp_path / "key.json"
    file.write_text(json.dumps(key.as_dict(private=True)))
    server.key = key
    exporting(server, {"Patient-1": ndjson(patient("p"))}, requiresAccessToken=True)
    asker = Backend("redcell", read_key(file), "system/*.rs").bind(Asker(server.base))
    run(clinic, server, asker=asker)
    assert kept(clinic) == {"Patient/p"}
    assert server.tokens == 1
    assert "secret" not in repr(vars(asker.token.__self__).get("_asker"))


def test_keys_that_cannot_sign(tmp_path):
    file = tmp_path / "key.json"
    for text in (
        "",
        "{}",
        "[]",
        '{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}',
        json.dumps(ECKey.generate_key("P-256").as_dict(private=True)),
        json.dumps(RSAKey.generate_key(2048).as_dict(private=False)),
    ):
        file.write_text(text)
        with pytest.raises(SettingsError):
            read_key(file)


@pytest.mark.trust("S7", "S4")
def test_the_token_goes_to_the_server_alone(clinic, server):
    other = Server()
    try:
        secret = Asker(server.base, token=lambda: "secret", trusted=[other.base])
        secret.ask("GET", f"{server.base}/x")
        secret.ask("GET", f"{other.base}/x")
        plain = Asker(server.base, token=lambda: "secret")
        with pytest.raises(AskingError, match="not https"):
            plain.ask("GET", f"{other.base}/x")
        assert [a[2].get("authorization") for a in other.asked] == ["Bearer secret"]
        server.routes["GET /away"] = (302, {"Location": f"{other.base}/x"}, b"")
        with pytest.raises(AskingError, match="not https"):
            plain.ask("GET", f"{server.base}/away")
        server.routes["GET /round"] = (302, {"Location": f"{server.base}/round"}, b"")
        with pytest.raises(AskingError, match="too often"):
            plain.ask("GET", f"{server.base}/round")
        assert len(other.asked) == 1
        secret.close()
        plain.close()
    finally:
        other.close()


BAD = [
    "file:///etc/passwd",
    "ftp://ehr.test/x",
    "http://ehr.test/x",
    "http://169.254.169.254/latest/meta-data",
    "gopher://127.0.0.1/",
    "https://user:secret@ehr.test/x",
    "https://",
    "//ehr.test/x",
    "https://[::1",
    "",
]


@pytest.mark.trust("S7")
@pytest.mark.parametrize("url", BAD)
def test_addresses_that_are_not_asked(server, url):
    asker = Asker(server.base)
    with pytest.raises(AskingError):
        asker.ask("GET", url)
    asker.close()


def test_only_https_servers_but_this_machine():
    Asker("https://ehr.test/fhir").close()
    Asker("http://localhost:1/fhir").close()
    for base in ("http://ehr.test/fhir", "http://10.0.0.1/fhir", "ehr.test"):
        with pytest.raises(AskingError):
            Asker(base)


def test_how_long_to_wait():
    assert seconds_of("", 10) == 10
    assert seconds_of("3", 10) == 3
    assert seconds_of("0", 10) == 1
    assert seconds_of("99999999", 10) == 300
    assert seconds_of("soon", 10) == 10
    assert seconds_of("Fri, 27 Nov 2026 08:00:00 GMT", 10) == 1
