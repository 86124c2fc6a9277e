"""A result comes over MLLP to a running service, and stands on an open list without a reload."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime, timedelta

import pytest
from playwright import sync_api

from operation.process import Service
from pages import site
from redcell import clock
from redcell.clinic import setup
from redcell.clinic.service import Clinic

SETTINGS = """\
secure_cookies = false
[site]
name = "Main Campus"
[[feeds]]
name = "lab"
"""
WITHIN = 5.0
"""Seconds from the last byte of the message to the line on the page."""
TRIES = 3
"""A machine that runs other tests beside may be late once."""
ROW = """([name, value]) => [...document.querySelectorAll(".line")].some(
  (line) => line.innerText.includes(name) && line.innerText.includes(value))"""


def message(number: int, value: float, at: datetime) -> bytes:
    """A result of one person."""
    stamp = f"{at:%Y%m%d%H%M%S}+0000"
    segments = (
        f"MSH|^~\\&|LAB|HOSP|REDCELL|CLINIC|{stamp}||ORU^R01|fresh-{number}|P|2.5.1",
        "PID|1||5550001^^^HOSP^MR||Ndiaye^Awa||19700101|F",
        f"OBR|1||fresh-{number}|58410-2^CBC^LN|||{stamp}",
        f"OBX|1|NM|718-7^Hemoglobin^LN||{value:.1f}|g/dL|12-16|L|||F|||{stamp}",
    )
    return b"\x0b" + "\r".join([*segments, ""]).encode() + b"\x1c\r"


@pytest.fixture
def service(tmp_path):
    """A service as an operator starts it, with a listener, and its data folder."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "redcell.toml").write_text(SETTINGS)
    list(setup.init(folder))
    running = Service(folder, "--port", "0", "--mllp-port", "0").wait_until_ready()
    yield running, folder
    running.stop()


def test_a_result_over_mllp_shows_on_an_open_list(chromium, service):
    running, folder = service
    # the service is another process: its clock is the machine's, whatever this one pretends
    now = datetime.now(UTC)  # noqa: TID251
    clinic = Clinic(folder)
    cookie = site.sign_in(clinic, "nurse", at=clock.micros(now))
    clinic.close()
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": "redcell", "value": cookie, "url": running.address}])
    page = context.new_page()
    loads = []
    page.on("load", lambda _: loads.append(1))
    page.goto(running.address + "/today?tab=all")
    took = []
    with socket.create_connection(running.mllp) as line:
        line.settimeout(30)
        for number in range(TRIES):
            value = 8.8 - number / 10
            line.sendall(message(number, value, now - timedelta(minutes=TRIES - number)))
            began = time.monotonic()
            assert b"MSA|AA" in line.recv(4096)
            try:
                page.wait_for_function(ROW, arg=["NDIAYE", f"{value:.1f}"], timeout=60_000)
            except sync_api.TimeoutError:
                pytest.fail("\n".join(["it never showed; the service said:", *running.lines]))
            took.append(time.monotonic() - began)
            if took[-1] < WITHIN:
                break
    context.close()
    assert loads == [1], "without a reload"
    assert min(took) < WITHIN, took
