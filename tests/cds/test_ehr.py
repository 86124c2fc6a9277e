"""A small EHR in a real browser: discovery, prefetch, a signed call, a card, a click, feedback."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from joserfc import jwt

from cds.servers import LocalServer
from cds.test_tokens import EC, public
from cds.world import NOW, PATIENT, STATUS, resources
from redcell.clock import SECOND
from redcell.knowledge.load import knowledge
from redcell.web.cds.memory import MemoryFeedback, MemorySeen, NobodyStored
from redcell.web.cds.service import assembled
from redcell.web.cds.settings import CdsSettings, Issuer
from redcell.web.cds.simulate.templates import answer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
ISSUER = "https://ehr.example"

PAGE = """<!doctype html><meta charset="utf-8"><title>EHR</title><main></main><script>
const given = %s;
const main = document.querySelector("main");
function expand(template) {
  const left = template.replaceAll("{{context.patientId}}", given.patient);
  return left.includes("{{") ? null : left;           // a token that this client does not know
}
async function ask(path, token, body) {
  const headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"};
  const more = body ? {method: "POST", body: JSON.stringify(body)} : {};
  const response = await fetch(given.base + path, {headers, ...more});
  if (!response.ok) throw new Error(path + " " + response.status + " " + await response.text());
  return response.json();
}
async function run() {
  const list = await ask("/cds-services", given.tokens[0]);
  const service = list.services.find(s => s.hook === "patient-view");
  const prefetch = {};
  given.skipped = [];
  for (const [key, template] of Object.entries(service.prefetch)) {
    const query = expand(template);
    if (query === null) { given.skipped.push(key); continue; }
    prefetch[key] = await (await fetch("/fhir/" + query)).json();
  }
  const path = "/cds-services/" + service.id;
  const call = {hook: "patient-view", hookInstance: crypto.randomUUID(), prefetch,
                context: {userId: "Practitioner/1", patientId: given.patient}};
  const answer = await ask(path, given.tokens[1], call);
  for (const card of answer.cards) {
    const article = document.createElement("article");
    article.className = card.indicator;
    const title = document.createElement("h2");
    title.textContent = card.summary;
    const detail = document.createElement("div");
    detail.innerHTML = card.detail;                    // a client that trusts too much
    article.append(title, detail);
    for (const suggestion of card.suggestions || []) {
      const button = document.createElement("button");
      button.textContent = suggestion.label;
      button.onclick = async () => {
        const item = {card: card.uuid, outcome: "accepted", outcomeTimestamp: "2026-11-22T09:01:00Z",
                      acceptedSuggestions: [{id: suggestion.uuid}]};
        const said = await ask(path + "/feedback", given.tokens[2], {feedback: [item]});
        document.body.dataset.stored = said.stored;
        document.body.dataset.drafts = JSON.stringify(suggestion.actions.map(a => a.resource));
      };
      article.append(button);
    }
    main.append(article);
  }
  document.body.dataset.skipped = given.skipped.join(" ");
}
run().catch(error => { document.body.dataset.error = String(error); });
</script>"""


class Running:
    """The CDS service over real HTTP."""

    def __init__(self, origin: str) -> None:
        self.bound = socket.socket()
        self.bound.bind(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self.bound.getsockname()[1]}"
        issuer = Issuer(ISSUER, keys={"keys": [public(EC, "ec")]})
        settings = CdsSettings(base=self.base, issuers=(issuer,), origins=(origin,))
        self.feedback = MemoryFeedback()
        parts = (MemorySeen(), self.feedback, NobodyStored())
        app = FastAPI()
        app.include_router(assembled(settings, knowledge, *parts, now=lambda: NOW))
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self.bound]}, daemon=True
        )

    def __enter__(self) -> Running:
        self.thread.start()
        while not self.server.started:
            time.sleep(0.02)
        return self

    def __exit__(self, *_error: object) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.bound.close()


def token(audience: str) -> str:
    at = NOW // SECOND
    claims = {"iss": ISSUER, "aud": audience, "iat": at, "exp": at + 300, "jti": uuid.uuid4().hex}
    head = {"alg": "ES384", "kid": "ec", "typ": "JWT"}
    return jwt.encode(head, claims, EC, algorithms=["ES384"])


class Ehr:
    """Serves the page and the patient's data to it."""

    def __init__(self) -> None:
        self.page = b""
        self.resources = [r for rows in resources().values() for r in rows]

    def __call__(self, path: str, _headers: dict[str, str]) -> Any:
        if path.startswith("/fhir/"):
            found = answer(path.removeprefix("/fhir/"), self.resources)
            return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()
        return 200, {"Content-Type": "text/html; charset=utf-8"}, self.page


@pytest.fixture
def page() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def test_a_card_is_shown_taken_and_told_of_once(page):
    ehr = Ehr()
    with LocalServer(ehr) as served, Running(served.base) as cds:
        list_, call = f"{cds.base}/cds-services", f"{cds.base}/cds-services/{STATUS}"
        tokens = [token(list_), token(call), token(f"{call}/feedback")]
        given = {"base": cds.base, "patient": PATIENT, "tokens": tokens}
        ehr.page = (PAGE % json.dumps(given)).encode()
        page.goto(served.base)
        page.wait_for_selector("article, body[data-error]", timeout=60_000)
        assert page.get_attribute("body", "data-error") is None
        assert page.inner_text("article.warning h2").startswith("Hb 7.6 g/dL")
        page.wait_for_selector("body[data-skipped]")
        skipped = page.get_attribute("body", "data-skipped")
        assert skipped == "hemoglobin_dated_v1 laboratory_dated_v1", "tokens of 3.0"
        assert page.locator("article div *").count() == 0, "Markdown, and no HTML in it"
        page.get_by_role("button", name="1 unit of red cells, chair 1.9 to 2.75 h").click()
        page.wait_for_selector("body[data-stored]")
        assert page.get_attribute("body", "data-stored") == "1"
        (draft,) = json.loads(page.get_attribute("body", "data-drafts") or "[]")
        (heard,) = cds.feedback.everything()
    assert (draft["resourceType"], draft["status"]) == ("ServiceRequest", "draft")
    assert draft["quantityQuantity"]["value"] == 1
    assert heard.outcome == "accepted"
    assert len(heard.accepted) == 1
