"""Independent programs: a client that works with our API, and a server that we pull from."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest
import uvicorn

from fhir_api.resources import hemoglobin
from redcell import clock
from redcell.clinic import refresh
from redcell.feeds.bulk.asking import Asker
from redcell.feeds.bulk.load import Loader
from redcell.feeds.pull import Pull
from redcell.sources.read import EXAMPLES
from redcell.store import facts

HOME = Path(__file__).parents[1] / "node_fhir"
NODE = ("node", "--experimental-websocket")
AT = clock.micros(clock.EPOCH.replace(year=2026, month=11, day=22, hour=9))

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (HOME / "node_modules").is_dir(),
    reason="Node or its packages are missing: cd tests/node_fhir && npm ci",
)


@contextlib.contextmanager
def serving(app):
    """The address of an application on loopback."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def test_a_client_that_is_not_ours(api):
    with serving(api.app) as base:
        done = subprocess.run(
            [*NODE, str(HOME / "client.mjs"), f"{base}/fhir"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-800:]
    assert json.loads(done.stdout) == {
        "same": True,
        "birthDate": "1970-05-02",
        "version": "2",
        "statuses": ["200 OK", "201 Created"],
        "found": [7.6],
        "versions": 2,
        "refused": "required",
    }


@pytest.fixture(scope="module")
def peer():
    """The other server, with Okafor's record and two pages of results."""
    command = [*NODE, str(HOME / "peer.mjs")]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    base = running.stdout.readline().strip()
    for entry in json.loads((EXAMPLES / "okafor.json").read_bytes())["entry"]:
        put(base, entry["resource"])
    more = [hemoglobin(f"more-{n}", "okafor", 9 + n / 1000, "2024-01-01") for n in range(140)]
    for one in more:
        put(base, one | {"effectiveDateTime": f"2024-01-01T{int(one['id'][5:]) % 24:02}:00:00Z"})
    yield base
    running.terminate()
    running.wait()
    running.stdout.close()


def put(base: str, resource: dict) -> None:
    where = f"{base}/{resource['resourceType']}/{resource['id']}"
    sent = {"Content-Type": "application/fhir+json"}
    answer = httpx.put(where, content=json.dumps(resource), headers=sent, timeout=30)
    assert answer.status_code in (200, 201)


def test_pulled_from_a_server_that_is_not_ours(clinic, peer):
    pull = Pull(Asker(peer), Loader(clinic, "ehr", clock.now))
    pull.patient("okafor")
    pull.asker.close()
    assert not pull.loader.tally.refused
    with clinic.database.read() as connection:
        held = {(f.kind, f.rid) for f in facts.everything(connection)}
        basis = refresh.Basis(clinic.basis().knowledge)
        found = refresh.assess(connection, "okafor", basis, at=AT)
    sent = json.loads((EXAMPLES / "okafor.json").read_bytes())["entry"]
    own = {(e["resource"]["resourceType"], e["resource"]["id"]) for e in sent}
    assert len(held - own) == 140
    assert own <= held
    assert found.out["transfusion"]["decision"] == "recommend"
    assert found.out["anemia"]["hemoglobin"]["value"] == 7.6
