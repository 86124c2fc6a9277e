"""An app that is not ours, with the SMART JavaScript client, in a real browser: it gets its token.

The app's pages lie on another site. The person signs in here, consents, and the app reads.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cds.servers import LocalServer
from identity import people
from identity.conftest import opened
from identity.test_smart import register
from identity.web import account, session
from pages.site import served
from redcell.clinic.settings import Settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LIBRARY = Path(__file__).parents[1] / "node_smart/node_modules/fhirclient/build"
SCRIPT = LIBRARY / "fhir-client.pure.min.js"

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or not SCRIPT.is_file(),
    reason="Chromium or the client is missing: cd tests/node_smart && npm ci",
)
BEGIN = """<!doctype html><meta charset="utf-8"><title>Begin</title>
<script src="/client.js"></script><script>
FHIR.oauth2.authorize(%s).catch(error => { document.title = "Failed: " + error; });
</script>"""
BACK = """<!doctype html><meta charset="utf-8"><title>App</title><main></main>
<script src="/client.js"></script><script>
async function run() {
  const client = await FHIR.oauth2.ready();
  const patient = await client.patient.read();
  const counts = await client.request("Observation?patient=" + client.patient.id + "&code=718-7",
                                      {flat: true, pageLimit: 0});
  const status = url => client.request(url).then(() => 200, error => error.status || String(error));
  const said = {
    patient: client.patient.id, name: patient.name[0].family, scope: client.getState("tokenResponse.scope"),
    banner: client.getState("tokenResponse.need_patient_banner"),
    values: counts.map(c => c.valueQuantity.value),
    other: await status("Patient/" + given.other),
    write: await client.create(counts[0]).then(() => 201, error => error.status || String(error)),
    changed: (await client.patient.request("Observation")).resourceType,
  };
  const revoked = new URLSearchParams({client_id: given.client,
                                       token: client.getState("tokenResponse.access_token")});
  await fetch(given.revoke, {method: "POST", body: revoked});
  said.after = await status("Patient/" + client.patient.id);
  return said;
}
const given = %s;
run().then(said => { document.querySelector("main").textContent = JSON.stringify(said); document.title = "Done"; },
           error => { document.querySelector("main").textContent = String(error); document.title = "Failed"; });
</script>"""


class App:
    """The app's own site: where it is opened, where people come back to, and its script."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}

    def __call__(self, path: str, _headers: dict[str, str]) -> Any:
        name = path.partition("?")[0]
        if name == "/client.js":
            return 200, {"Content-Type": "text/javascript"}, SCRIPT.read_bytes()
        found = self.pages.get(name)
        status = 200 if found is not None else 404
        return status, {"Content-Type": "text/html; charset=utf-8"}, (found or "").encode()


class World:
    """Our service, the app's site, and the client registered between them."""

    def __init__(self, clinic: Any, ours: str, theirs: str, app: App) -> None:
        self.clinic, self.ours, self.theirs, self.app = clinic, ours, theirs, app
        self.client = register(
            clinic,
            "public",
            redirects=(f"{theirs}/back",),
            scopes=("patient/*.rs",),
            launch=f"{theirs}/launch",
        )

    def app_asks(self, scope: str, **more: str) -> None:
        asks = {"clientId": self.client.id, "scope": scope, "redirectUri": "/back"} | more
        self.app.pages["/launch"] = BEGIN % json.dumps(asks)
        given = {
            "other": people.OTHER if scope.startswith("launch/") else people.OWN,
            "client": self.client.id,
            "revoke": f"{self.ours}/smart/revoke",
        }
        self.app.pages["/back"] = BACK % json.dumps(given)


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    clinic = opened(tmp_path / "data", replace(Settings(), secure_cookies=False))
    app = App()
    with served(clinic) as ours, LocalServer(app) as site:
        yield World(clinic, ours, site.base, app)
    clinic.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def page_of(chromium, world: World, who) -> Any:
    context = chromium.new_context()
    value = session(world.clinic, who)
    context.add_cookies([{"name": "redcell", "value": value, "url": world.ours}])
    return context.new_page()


def allowed(page) -> dict[str, Any]:
    """The person says yes; what the app then says."""
    page.get_by_role("button", name="Allow", exact=True).click()
    page.wait_for_url("**/back*")
    page.wait_for_selector("main:not(:empty)")
    text = page.inner_text("main")
    assert page.title() == "Done", text
    found: dict[str, Any] = json.loads(text)
    return found


READS = {"values": [8.4], "other": 404, "write": 403, "changed": "Bundle", "after": 401}


def test_a_person_uses_an_app_for_their_own_record(chromium, world):
    world.app_asks("launch/patient patient/*.rs openid fhirUser", iss=f"{world.ours}/fhir")
    who = account(world.clinic, "p", "patient", person=people.OWN)
    page = page_of(chromium, world, who)
    page.goto(f"{world.theirs}/launch")
    page.get_by_label("OWNSWORTH, Ada").check()
    said = allowed(page)
    page.context.close()
    assert said == READS | {
        "patient": people.OWN,
        "name": people.OWN_NAME,
        "scope": "patient/*.rs launch/patient",
        "banner": True,
    }


def test_a_nurse_opens_an_app_from_the_page_of_a_person(chromium, world):
    world.app_asks("launch patient/Patient.rs patient/Observation.rs")
    page = page_of(chromium, world, account(world.clinic, "n", "nurse"))
    page.goto(f"{world.ours}/patients/{people.OTHER}/apps")
    page.get_by_role("button", name="An app").click()
    page.get_by_text("OTHERFIELD, Ada").first.wait_for()
    said = allowed(page)
    page.context.close()
    assert said == READS | {
        "patient": people.OTHER,
        "name": people.OTHER_NAME,
        "scope": "patient/Patient.rs patient/Observation.rs launch",
        "banner": True,
    }


def test_who_says_no_is_sent_back_without_a_token(chromium, world):
    world.app_asks("launch/patient patient/*.rs", iss=f"{world.ours}/fhir")
    who = account(world.clinic, "p", "patient", person=people.OWN)
    page = page_of(chromium, world, who)
    page.goto(f"{world.theirs}/launch")
    page.get_by_role("button", name="Do not allow").click()
    page.wait_for_url("**/back*")
    page.wait_for_selector("main:not(:empty)")
    assert page.title() == "Failed"
    assert "access_denied" in page.inner_text("main")
    page.context.close()
