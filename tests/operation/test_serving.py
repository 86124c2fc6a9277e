"""Processes: what is refused, what is said, how it stops, what the admin port tells."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from operation.process import Service
from redcell.clinic.settings import Mllp, Settings, Site, Tls
from redcell.errors import SettingsError
from redcell.web.exposure import check, is_loopback
from redcell.web.serving import Serving, listen

OUTSIDE = "0.0.0.0"  # noqa: S104


def test_a_service_says_what_it_does_and_stops_gently(start):
    service = start("--mllp-port", "0")
    assert httpx.get(f"{service.address}/healthz").json() == {"status": "ok"}
    ready = httpx.get(f"{service.admin}/readyz")
    assert (ready.status_code, set(ready.json()["checks"].values())) == (200, {"ok"})
    text = httpx.get(f"{service.admin}/metrics").text
    for name in (
        "redcell_up 1.0",
        "redcell_jobs_waiting",
        'route="healthz"',
        "redcell_feed_silent",
    ):
        assert name in text, name
    with socket.create_connection(service.mllp):
        pass
    assert service.stop() == 0
    assert service.lines[-1].startswith("Stopped")


@pytest.mark.trust("L8")
def test_several_processes_share_the_port_and_one_that_dies_comes_back(start):
    service = start("--workers", "2")
    assert any(line.startswith("Processes: 2") for line in service.lines)
    before = children(service)
    assert len(before) >= 3
    for _ in range(10):
        assert httpx.get(f"{service.address}/healthz").status_code == 200
    assert 'redcell_http_requests_total{method="GET",route="healthz"' in metrics_of(service)
    victim = web_child(service)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: web_child(service) not in (None, victim), 60)
    wait_until(lambda: answers(service.address), 60)
    everybody = children(service)
    assert service.stop() == 0
    wait_until(lambda: not any(alive(pid) for pid in everybody), 20)


@pytest.mark.trust("L8")
def test_a_killed_main_process_leaves_nothing_behind(start):
    service = start("--workers", "2")
    everybody = children(service)
    service.kill()
    wait_until(lambda: not any(alive(pid) for pid in everybody), 20)
    assert not answers(service.address)


def metrics_of(service: Service) -> str:
    return httpx.get(f"{service.admin}/metrics").text


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def children(service: Service) -> list[int]:
    pid = service.process.pid
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(one) for one in text.split()]


def web_child(service: Service) -> int | None:
    """The first process of the crew: they start with those for pages."""
    found = [p for p in children(service) if "spawn_main" in command(p)]
    return found[0] if found else None


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def alive(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def wait_until(claim, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


# -- what is refused -------------------------------------------------------------------------------


def refused(clinic, settings: Settings, **options) -> str:
    clinic.settings = settings
    with pytest.raises(SettingsError) as caught:
        check(clinic, Serving(clinic.folder, host=OUTSIDE, **options))
    return str(caught.value)


def sound(clinic) -> Settings:
    """Settings with which serving beyond loopback is safe, but for accounts."""
    return replace(clinic.settings, base_url="https://redcell.example.org", proxies=("10.0.0.5",))


@pytest.mark.trust("S9")
def test_beyond_loopback_everything_that_is_missing_is_named(clinic):
    said = refused(clinic, replace(clinic.settings, secure_cookies=False))
    for wanted in ("[tls]", "proxies", "base_url", "secure_cookies", "account"):
        assert wanted in said, wanted


def test_beyond_loopback_cds_open_is_refused(clinic):
    assert "--cds-open" in refused(clinic, sound(clinic), cds_open=True)


def test_beyond_loopback_a_demonstration_is_refused(clinic):
    settings = replace(sound(clinic), site=Site(environment="DEMO"))
    assert "DEMO" in refused(clinic, settings)


@pytest.mark.trust("S9")
def test_beyond_loopback_it_serves_once_somebody_can_sign_in(clinic):
    from redcell.identity import accounts

    said = refused(clinic, sound(clinic))
    assert said.count("\n  - ") == 1
    assert "account" in said
    clinic.writer.write(lambda c: accounts.add(c, "rao", "Rao", ["physician"], at=1))
    check(clinic, Serving(clinic.folder, host=OUTSIDE))
    half = replace(sound(clinic), tls=Tls(certificate="a.pem"))
    assert "key" in refused(clinic, half)


@pytest.mark.trust("S3")
def test_a_header_about_certificates_needs_a_proxy_that_sends_it(clinic):
    cds = replace(clinic.settings.cds, certificate_header="X-Client-Verify")
    clinic.settings = replace(clinic.settings, cds=cds)
    with pytest.raises(SettingsError, match="proxies"):
        check(clinic, Serving(clinic.folder))
    clinic.settings = replace(clinic.settings, proxies=("127.0.0.1",))
    check(clinic, Serving(clinic.folder))


def test_loopback_is_free(clinic):
    check(clinic, Serving(clinic.folder, cds_open=True))


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), (OUTSIDE, False), ("h", False)],
)
def test_what_is_loopback(host, expected):
    assert is_loopback(host) is expected


def test_a_busy_port_is_named_or_the_next_one_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=str(port)):
            listen(Serving(tmp_path, port=port))
        listening = listen(Serving(tmp_path, port=port, next_free=True))
        assert listening.main.getsockname()[1] > port
        listening.close()


# -- HL7 v2 beyond this machine --------------------------------------------------------------------


def listening_on(folder, host: str) -> Serving:
    return Serving(folder, mllp_host=host, mllp_port=0)


def test_hl7_from_other_machines_needs_encryption(clinic):
    with pytest.raises(SettingsError, match=r"unencrypted") as caught:
        check(clinic, listening_on(clinic.folder, OUTSIDE))
    for wanted in ("certificate", "proxy", "plain = true"):
        assert wanted in str(caught.value), wanted
    clinic.settings = replace(clinic.settings, mllp=Mllp(certificate="a.pem"))
    with pytest.raises(SettingsError, match="both"):
        check(clinic, listening_on(clinic.folder, OUTSIDE))


@pytest.mark.parametrize("mllp", [Mllp(certificate="a.pem", key="a.key"), Mllp(plain=True)])
def test_hl7_from_other_machines_encrypted_or_as_the_site_says(clinic, mllp):
    clinic.settings = replace(clinic.settings, mllp=mllp)
    check(clinic, listening_on(clinic.folder, OUTSIDE))


def test_hl7_from_this_machine_is_free_and_no_listener_needs_nothing(clinic):
    check(clinic, listening_on(clinic.folder, "::1"))
    check(clinic, Serving(clinic.folder, mllp_host=OUTSIDE))
