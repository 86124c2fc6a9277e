"""One patient pulled from a FHIR server: pages, categories, what is referred to, and the command."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from feeds.bulk_server import Server
from fhir_api.resources import bundle, hemoglobin, patient
from redcell import clock
from redcell.cli.feeds import export, import_, pull
from redcell.clinic.service import Clinic, make_store
from redcell.errors import UnreadableSourceError
from redcell.feeds.bulk.asking import Asker, AskingError
from redcell.feeds.bulk.load import Loader
from redcell.feeds.pull import Pull
from redcell.store import facts

PROCEDURE = {
    "resourceType": "Procedure",
    "id": "rt",
    "status": "completed",
    "subject": {"reference": "Patient/p"},
    "extension": [{"url": "x", "valueReference": {"reference": "BodyStructure/b"}}],
}
BODY = {"resourceType": "BodyStructure", "id": "b", "patient": {"reference": "Patient/p"}}


@pytest.fixture
def clinic(tmp_path):
    make_store(tmp_path / "data")
    found = Clinic(tmp_path / "data")
    yield found
    found.close()


@pytest.fixture
def server():
    """A server with forty results on pages, that wants a category for Observations."""
    found = Server()
    results = [hemoglobin(f"h{n}", "p", 7 + n / 100) for n in range(40)]

    def observations(query, _headers):
        if "category" not in query:
            return 400, {}, {"resourceType": "OperationOutcome", "issue": []}
        if query["category"] != ["laboratory"]:
            return 200, {}, bundle("searchset")
        at = int(query.get("at", ["0"])[0])
        page = bundle("searchset", *({"resource": r} for r in results[at : at + 15]))
        if at + 15 < len(results):
            next_page = f"{found.base}/Observation?patient=p&category=laboratory&at={at + 15}"
            page["link"] = [{"relation": "next", "url": next_page}]
        return 200, {}, page

    found.routes |= {
        "/Patient/p": (200, {}, patient("p")),
        "/Observation": observations,
        "/Procedure": (200, {}, bundle("searchset", {"resource": PROCEDURE})),
        "/BodyStructure/b": (200, {}, BODY),
    }
    yield found
    found.close()


def kept(clinic) -> list[str]:
    with clinic.database.read() as connection:
        return [f"{f.kind}/{f.rid}" for f in facts.everything(connection)]


def pulled(clinic, server, **more) -> Pull:
    found = Pull(Asker(server.base, **more), Loader(clinic, "ehr", clock.now))
    found.patient("p")
    found.asker.close()
    return found


def test_everything_of_one_patient(clinic, server):
    found = pulled(clinic, server, token=lambda: "secret")
    assert len(kept(clinic)) == 43
    assert {"BodyStructure/b", "Patient/p", "Procedure/rt", "Observation/h39"} <= set(kept(clinic))
    assert "Condition: 404" in found.missing
    assert all(headers["authorization"] == "Bearer secret" for _, _, headers in server.asked)
    again = pulled(clinic, server)
    assert again.loader.tally.kept.total() == 0
    assert len(kept(clinic)) == 43


@pytest.mark.trust("S7")
def test_pages_do_not_lead_elsewhere_nor_on_forever(clinic, server):
    page = bundle("searchset", {"resource": hemoglobin("h", "p")})
    page["link"] = [{"relation": "next", "url": "https://elsewhere.test/x"}]
    server.routes["/Observation"] = (200, {}, page)
    with pytest.raises(AskingError, match="another server"):
        pulled(clinic, server)
    counter = iter(range(10**6))

    def endless(*_):
        page["link"][0]["url"] = f"{server.base}/Observation?n={next(counter)}"
        return 200, {}, page

    server.routes["/Observation"] = endless
    with pytest.raises(AskingError, match="more than"):
        pulled(clinic, server)
    page["link"][0]["url"] = f"{server.base}/Observation?patient=p&_count=100"
    server.routes["/Observation"] = (200, {}, page)
    pulled(clinic, server)


def test_a_patient_who_is_not_there(clinic, server):
    server.routes["/Patient/p"] = (404, {}, {"resourceType": "OperationOutcome"})
    with pytest.raises(UnreadableSourceError, match="404"):
        pulled(clinic, server)
    server.routes["/Patient/p"] = (401, {}, {"resourceType": "OperationOutcome"})
    with pytest.raises(AskingError, match="401"):
        pulled(clinic, server)
    with pytest.raises(UnreadableSourceError, match="id"):
        Pull(Asker(server.base), Loader(clinic, "x", clock.now)).patient("../x")


def test_the_commands(tmp_path, server, monkeypatch):
    monkeypatch.setenv("REDCELL_EHR_TOKEN", "very-secret")
    data, out = str(tmp_path / "data"), str(tmp_path / "out")
    make_store(tmp_path / "data")
    run = CliRunner().invoke
    got = run(pull, ["--ehr", server.base, "--patient", "p", "--data", data])
    assert got.exit_code == 0, got.output
    assert "43 resources kept" in got.output
    assert "very-secret" not in got.output
    written = run(export, ["--data", data, "--out", out, "--history", "--audit"])
    assert "Observation.ndjson: 40" in written.output, written.output
    again = run(import_, [out, "--data", data])
    assert "43 resources" in again.output
    assert again.exit_code == 0
    full = run(export, ["--data", data, "--out", out])
    assert isinstance(full.exception, UnreadableSourceError)
