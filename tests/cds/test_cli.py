"""The commands: judge a document, withhold prefetch from a real server, report feedback."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from click.testing import CliRunner, Result
from fastapi import FastAPI

from cds.servers import LocalServer
from cds.world import NOW, SHARED, cells, drafts
from redcell.cli.cds import report, simulate, validate
from redcell.clinic.service import make_store
from redcell.errors import InvalidDocumentError, RedcellError, UnreadableSourceError
from redcell.web.cds.service import stateless_router
from redcell.web.cds.settings import CdsSettings
from redcell.web.cds.simulate.templates import UnknownTokenError, answer, expanded
from redcell.web.cds.simulate.ways import WAYS, tries

VECTORS = SHARED / "data" / "cds-hooks-vectors"


def ran(command, *arguments: str, **more) -> Result:
    return CliRunner().invoke(command, arguments, **more)


# -- cds-validate ----------------------------------------------------------------------------------


@pytest.mark.skipif(not VECTORS.is_dir(), reason="the vectors are not beside this checkout")
@pytest.mark.parametrize("path", sorted(VECTORS.glob("cdshooks-*.json")), ids=lambda p: p.stem)
def test_validate_prints_the_outcome_and_ends_by_it(path):
    wanted = json.loads((VECTORS / path.name.replace("cdshooks-", "outcome-")).read_text())
    done = ran(validate, str(path))
    assert json.loads(done.stdout) == wanted
    assert isinstance(done.exception, InvalidDocumentError) == bool(wanted.get("issue"))


def test_validate_reads_standard_input():
    done = ran(validate, "-", "--as", "response", input=b"{}")
    assert json.loads(done.stdout)["issue"][0]["severity"] == "error"
    assert InvalidDocumentError.exit_code == 11


def test_validate_strictly():
    card = {"uuid": "1", "summary": "x" * 140, "indicator": "info", "source": {"label": "x"}}
    text = json.dumps({"cards": [card]}).encode()
    assert ran(validate, "-", input=text).exit_code == 0
    assert ran(validate, "-", "--strict", input=text).exit_code != 0


def test_validate_says_when_there_is_no_file():
    assert isinstance(ran(validate, "nowhere.json").exception, UnreadableSourceError)


# -- simulate --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Our own service, over real HTTP."""
    app = FastAPI()
    app.include_router(stateless_router(CdsSettings(base="", open=True), now=lambda: NOW))
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    running.should_exit = True
    thread.join()
    bound.close()


def test_simulate_withholds_each_key_in_each_way(server):
    done = ran(simulate, server, "--format", "json")
    assert done.exit_code == 0, done.output
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert {a["way"] for a in answers} == {"whole", "none", *WAYS}
    assert answers[0]["summary"].startswith("Hb 7.6 g/dL")
    assert answers[-1]["status"] == 412
    assert all(a["status"] in (200, 412) for a in answers)
    counts = {a["way"] for a in answers if a["key"] == "hemoglobin_v1" and a["status"] == 412}
    assert counts == set(), "the laboratory key still holds it"


def test_simulate_prints_a_table(server):
    done = ran(simulate, server, "demo::okafor", "--way", "outcome")
    lines = done.stdout.splitlines()
    assert "redcell-anemia (patient-view)  patient okafor" in lines[0]
    assert any(line.startswith("outcome  consents_v1") for line in lines)
    assert "today" not in done.stdout, "a key with a token that is not known is skipped"


def test_simulate_calls_order_hooks(server, tmp_path):
    file = tmp_path / "orders.json"
    file.write_text(json.dumps(drafts(cells(2))))
    arguments = (server, "--hook", "order-sign", "--orders", str(file), "--way", "absent")
    done = ran(simulate, *arguments, "--format", "json")
    assert done.exit_code == 0, done.output
    assert "2 units ordered" in json.loads(done.stdout.splitlines()[0])["summary"]


def test_simulate_finds_bad_answers():
    listed = {"services": [{"hook": "patient-view", "id": "a", "description": "b"}]}

    def bad(path, _headers):
        return 200, {"Content-Type": "application/json"}, json.dumps(listed).encode()

    with LocalServer(bad) as server:
        done = ran(simulate, server.base)
    assert isinstance(done.exception, InvalidDocumentError)
    assert "501 !" in done.stdout, "this server answers no POST"


def test_simulate_says_what_is_not_there(server):
    assert isinstance(ran(simulate, "http://127.0.0.1:1").exception, RedcellError)
    done = ran(simulate, server, "--hook", "encounter-start")
    assert "redcell-orders (order-sign)" in str(done.exception)
    assert isinstance(ran(simulate, server, __file__).exception, UnreadableSourceError)


def test_templates_are_answered_from_the_resources():
    patient = {"resourceType": "Patient", "id": "p"}
    count = {
        "resourceType": "Observation",
        "id": "1",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "category": [{"coding": [{"system": "urn:c", "code": "laboratory"}]}],
        "subject": {"reference": "Patient/p"},
    }
    context = {"patientId": "p"}
    both = [patient, count]
    assert answer(expanded("Patient/{{context.patientId}}", context), both) == patient
    assert answer("Patient/q", both) is None
    for query, found in (
        ("Observation?patient=p&code=http://loinc.org|718-7,http://loinc.org|1-1&_count=5", 1),
        ("Observation?patient=p&category=laboratory", 1),
        ("Observation?patient=p&category=vital-signs", 0),
        ("Observation?patient=q", 0),
        ("Observation?subject=Patient/p&code=urn:x|718-7", 0),
    ):
        assert answer(query, both)["total"] == found
    with pytest.raises(UnknownTokenError):
        expanded("Observation?date=ge{{today() - 90 days}}", context)


def test_every_subset_is_tried():
    found = list(tries({"a": 1, "b": 2, "c": 3}, (), subsets=True))
    assert len(found) == 2**3
    assert len({json.dumps(t.prefetch) for t in found}) == 2**3


# -- cds-report ------------------------------------------------------------------------------------


def test_report_of_an_empty_store(tmp_path):
    make_store(tmp_path)
    assert ran(report, "--data", str(tmp_path)).stdout == "No card was shown yet.\n"
    assert json.loads(ran(report, "--data", str(tmp_path), "--format", "json").stdout) == []
