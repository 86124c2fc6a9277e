"""S5, S11: forms of other sites are refused, and every answer has its headers."""

from __future__ import annotations

import pytest
from fastapi.routing import iter_route_contexts

from identity import samples
from identity.web import Browser, account, signed_in
from redcell.clinic.settings import Settings
from redcell.errors import SettingsError, StoreError
from redcell.identity.table import TABLE
from redcell.web.app import Options, create_app
from redcell.web.security import protect

ROLES = ("patient", "nurse", "infusion", "admin", "researcher")
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


def contexts(app):
    for context in iter_route_contexts(app.router.routes):
        row = TABLE[context.original_route.name]
        path = getattr(context, "path_format", None) or context.original_route.path
        for name in getattr(context.original_route, "param_convertors", {}):
            path = path.replace(f"{{{name}}}", samples.value(row.name, name))
        yield row, path


@pytest.fixture
def browsers(small_app, small) -> list[Browser]:
    made = [signed_in(small_app, small, account(small, r, r, person="own-person")) for r in ROLES]
    return [*made, Browser(small_app)]


def one_allowed(row, browsers) -> Browser | None:
    """A caller whom the table lets pass, so that nothing but the form is refused."""
    known = dict(zip((*ROLES, ""), browsers, strict=True))
    allowed = ("",) if row.everyone else (*row.all, *row.own)
    return next((known[role] for role in allowed if role in known), None)


@pytest.mark.trust("S5")
def test_every_state_change_needs_our_own_form(small_app, browsers):
    tried = 0
    for row, path in contexts(small_app):
        browser = one_allowed(row, browsers)
        if browser is None or not row.csrf:
            continue
        token = browser.field("/sign-in")
        tries = {
            "no token": {},
            "wrong token": {"x-csrf-token": "0" * 64},
            "other site": {"x-csrf-token": token, "sec-fetch-site": "cross-site"},
            "sibling site": {"x-csrf-token": token, "sec-fetch-site": "same-site"},
            "wrong origin": {"x-csrf-token": token, "origin": "https://evil.example"},
        }
        for method in set(row.methods) & set(UNSAFE):
            for name, headers in tries.items():
                kind = samples.FHIR if path.startswith("/fhir") else {}
                answer = browser.request(method, path, headers=headers | kind)
                assert browser.state["verdict"] == "allowed", row.name
                assert answer.status_code == 403, (row.name, name, answer.status_code)
                tried += 1
    assert tried > 50


@pytest.mark.trust("S5")
def test_a_token_of_another_session_is_refused(small_app, small):
    nurse = account(small, "n", "nurse")
    one, two = signed_in(small_app, small, nurse), signed_in(small_app, small, nurse)
    stolen = two.field("/account")
    assert one.post("/sign-out", data={"csrf": stolen}).status_code == 403
    assert one.post("/sign-out", data={"csrf": one.field("/account")}).status_code == 303


@pytest.mark.trust("S5", "S9")
def test_a_visitors_token_dies_at_sign_in(small_app, small):
    browser = Browser(small_app)
    before = browser.field("/sign-in")
    nurse = signed_in(small_app, small, account(small, "n", "nurse"))
    browser.cookies.update(nurse.cookies)
    assert browser.post("/sign-out", data={"csrf": before}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin", "origin": "null"},
        {"sec-fetch-site": "none"},
        {"origin": "https://redcell.test"},
        {"origin": "null"},
        {},
    ],
)
def test_our_own_form_passes(small_app, small, headers):
    browser = signed_in(small_app, small, account(small, "n", "nurse"))
    token = browser.field("/account")
    assert browser.post("/sign-out", data={"csrf": token}, headers=headers).status_code == 303


@pytest.mark.trust("S5")
@pytest.mark.parametrize("body", [b"\xff\xfe csrf=%ff", b"csrf", b"a=1&" * 5000])
def test_an_odd_form_is_refused_and_breaks_nothing(small_app, small, body):
    browser = signed_in(small_app, small, account(small, "n", "nurse"))
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert browser.post("/account/password", content=body, headers=kind).status_code in (400, 403)
    broken = {"content-type": "multipart/form-data; boundary=x"}
    assert browser.post("/sign-out", content=body, headers=broken).status_code in (400, 403)


# -- headers ----------------------------------------------------------------------------------------


@pytest.mark.trust("S11")
def test_every_answer_has_its_headers(small_app, browsers):
    for row, path in contexts(small_app):
        browser = one_allowed(row, browsers) or browsers[-1]
        for method in set(row.methods) - set(UNSAFE):
            check_headers(browser.request(method, path), row)
    check_headers(browsers[0].get("/no/such/page"), None)
    check_headers(browsers[-1].get("/account"), TABLE["account"])


def check_headers(answer, row) -> None:
    headers, name = answer.headers, row.name if row else "404"
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy, name
    assert "unsafe" not in policy, name
    assert "frame-ancestors 'none'" in policy, name
    assert headers["x-content-type-options"] == "nosniff", name
    assert headers["referrer-policy"] == "no-referrer", name
    assert "max-age=63072000" in headers["strict-transport-security"], name
    assert "camera=()" in headers["permissions-policy"], name
    if row is None or not row.everyone:  # may hold what is somebody's own
        assert "no-store" in headers["cache-control"], name


@pytest.mark.trust("S11")
def test_frame_ancestors_come_from_the_settings(small):
    from msgspec.structs import replace

    small.settings = replace(small.settings, frame_ancestors=("https://ehr.example",))
    answer = Browser(create_app(small, Options(works=False))).get("/sign-in")
    assert "frame-ancestors https://ehr.example" in answer.headers["content-security-policy"]
    assert "x-frame-options" not in answer.headers


@pytest.mark.trust("S8")
def test_a_proxy_is_believed_only_when_it_is_listed(small):
    from msgspec.structs import replace

    forwarded = {"x-forwarded-for": "203.0.113.5", "x-forwarded-proto": "https"}
    plain = Browser(create_app(small, Options(works=False)))
    plain.get("/sign-in", headers=forwarded)
    assert plain.state["caller"].origin == "192.0.2.7"
    small.settings = replace(small.settings, proxies=("192.0.2.7",))
    behind = Browser(create_app(small, Options(works=False)))
    behind.get("/sign-in", headers=forwarded)
    assert behind.state["caller"].origin == "203.0.113.5"


@pytest.mark.trust("S3")
def test_only_a_listed_proxy_can_say_that_it_verified_a_certificate(small):
    from msgspec.structs import replace

    cds = replace(small.settings.cds, certificate_header="X-Client-Verify")
    small.settings = replace(small.settings, cds=cds, base_url="https://redcell.example.org")
    call = "/cds-services"

    def said(*proxies: str) -> str:
        small.settings = replace(small.settings, proxies=proxies)
        browser = Browser(create_app(small, Options(works=False)))
        return browser.get(call, headers={"X-Client-Verify": "SUCCESS"}).text

    assert "client certificate" in said()
    assert "client certificate" in said("192.0.2.8")
    assert "client certificate" not in said("192.0.2.7")


@pytest.mark.trust("S9")
def test_cookies_without_tls_are_for_loopback_alone(small):
    from msgspec.structs import replace

    small.settings = replace(small.settings, secure_cookies=False)
    with pytest.raises(SettingsError, match="loopback"):
        protect.protect(create_app(small, Options(works=False)), small, loopback=False)


def test_the_key_of_the_folder_is_made_once_and_is_for_its_owner(small):
    from redcell.identity import secret

    path = small.folder / secret.FILE
    key = secret.key_of(small.folder)
    assert (len(key), path.stat().st_mode & 0o777) == (32, 0o600)
    assert secret.key_of(small.folder) == key
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod"):
        secret.key_of(small.folder)
    path.chmod(0o600)
    path.write_text("not a key")
    with pytest.raises(SettingsError, match="not a key"):
        secret.key_of(small.folder)


def test_the_default_is_cookies_over_tls():
    assert Settings().secure_cookies


def test_an_address_with_a_nul_is_nowhere(small_app, small):
    nurse = signed_in(small_app, small, account(small, "n", "nurse"))
    for path in ("/patients/a%00b", "/today?q=a%00b", "/fhir/Patient/a%00b?_format=json"):
        assert nurse.get(path).status_code == 404


@pytest.mark.trust("A4")
def test_a_store_that_fails_before_the_caller_is_known_is_503(small_app, small, monkeypatch):
    nurse = signed_in(small_app, small, account(small, "n2", "nurse"))

    def fails(*_args, **_more):
        raise StoreError("down")

    monkeypatch.setattr("redcell.web.security.callers._resolve", fails)
    for accept, kind in (("text/html", "text/html"), ("application/json", "fhir+json")):
        answer = nurse.get("/today", headers={"accept": accept})
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert kind in answer.headers["content-type"]
