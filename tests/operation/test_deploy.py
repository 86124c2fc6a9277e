"""The files for deployment: read by the programs that they are for, and their commands run."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from redcell.cli import cli
from redcell.clinic import setup

HOME = Path(__file__).parents[2]
DEPLOY = HOME / "deploy"
INSTALLED = "/opt/redcell/.venv/bin/redcell"
HERE = str(Path(sys.executable).with_name("redcell"))
UNITS = ("redcell.service", "redcell-backup.service", "redcell-backup.timer")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_the_units_are_understood_and_closed(tmp_path):
    for name in UNITS:
        text = (DEPLOY / name).read_text().replace(INSTALLED, HERE)
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / name) for name in UNITS]
    done = subprocess.run(
        ["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    for name in UNITS[:2]:
        exposed = [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--threshold=30",
            tmp_path / name,
        ]
        rated = subprocess.run(exposed, capture_output=True, text=True, check=False)
        assert rated.returncode == 0, rated.stdout.splitlines()[-1]


def started(name: str) -> str:
    (line,) = re.findall(r"^ExecStart=(.+)$", (DEPLOY / name).read_text(), re.MULTILINE)
    return line


def test_the_backup_that_the_timer_starts(tmp_path):
    data, out = tmp_path / "data", tmp_path / "backup"
    list(setup.init(data))
    out.mkdir()
    line = started("redcell-backup.service").replace("%%", "%").replace(INSTALLED, HERE)
    line = line.replace("/var/lib/redcell", str(data)).replace("/backup/", f"{out}/")
    done = subprocess.run(shlex.split(line), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = out.iterdir()
    assert re.fullmatch(r"redcell-\d{8}T\d{6}\.tar", made.name)


def commands() -> list[list[str]]:
    image = (DEPLOY / "Containerfile").read_text()
    (given,) = re.findall(r"^CMD (\[.+\])$", image, re.MULTILINE)
    return [shlex.split(started("redcell.service"))[1:], re.findall(r'"([^"]+)"', given)]


@pytest.mark.parametrize("arguments", commands(), ids=["unit", "image"])
def test_what_is_started_is_a_command_of_ours(arguments):
    command = cli.get_command(None, arguments[0])
    found = command.make_context("serve", arguments[1:], resilient_parsing=False)
    assert found.params["data"].is_absolute()


def test_the_image_copies_and_installs_what_is_there():
    image = (DEPLOY / "Containerfile").read_text()
    for line in re.findall(r"^COPY (?!--)(.+)$", image, re.MULTILINE):
        for part in line.split()[:-1]:
            assert (HOME / part).exists(), part
    files = re.findall(r"-r (requirements/\S+)", image)
    assert files == ["requirements/uv.txt", "requirements/server.txt"]


def test_the_image_has_the_locked_versions_and_the_driver_of_postgresql():
    def pins(name: str) -> set[str]:
        text = (HOME / "requirements" / name).read_text()
        return set(re.findall(r"^(\S+==\S+)", text, re.MULTILINE))

    more = {pin.partition("==")[0] for pin in pins("server.txt") - pins("base.txt")}
    assert pins("base.txt") <= pins("server.txt")
    assert more == {"psycopg", "psycopg-binary", "tzdata"}
