"""The README and the docs say what the program does: commands run, transcripts and links are true."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"^    (?:\$ )?\.venv/bin/redcell (.+?)(?:\s{2,}#.*)?$", re.MULTILINE)
MAKE = re.compile(r"(?:`|^ {4}(?:\$ )?)make ([a-z]+(?:-[a-z]+)*)", re.MULTILINE)
"""A target, in code."""
PLACEHOLDERS = ("bundle.json", "export/", "labs.csv", "results.hl7")
OF_THE_CLINIC = ("clinic/", "demo", "serve")
"""Commands that need a folder of their own, and some that do not end: run in order, below."""


def of_the_clinic(command: str) -> bool:
    words = shlex.split(command)
    return "clinic/" in words or words[0] in OF_THE_CLINIC


def commands():
    for page in PAGES:
        for command in COMMAND.findall(page.read_text(encoding="utf-8")):
            if not any(word in command for word in PLACEHOLDERS) and not of_the_clinic(command):
                yield pytest.param(command, id=f"{page.name}: {command}")


@pytest.mark.trust("Q6")
@pytest.mark.parametrize("command", list(commands()))
def test_every_command_runs(command):
    done = subprocess.run(
        [sys.executable, "-m", "redcell", *shlex.split(command)],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def test_the_clinic_of_the_readme(tmp_path):
    """Init, a user, an import, serving, export, backup, audit, doctor: in the README's order."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (tmp_path / "export").mkdir()
    patient = (ROOT / "src" / "redcell" / "examples" / "okafor.json").read_bytes()
    (tmp_path / "export" / "okafor.json").write_bytes(patient)
    found = [c for c in COMMAND.findall(text) if of_the_clinic(c)]
    assert {shlex.split(c)[0] for c in found} >= {"demo", "init", "serve", "export", "backup"}
    for command in found:
        words = shlex.split(command)
        if words[0] == "demo":
            words += ["--no-serve", "--people", "3"]
        if words[0] == "serve":
            served(words, tmp_path)
            continue
        done = run(words, tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
    assert (tmp_path / "ndjson" / "Observation.ndjson").stat().st_size > 0


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "redcell", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=300)


def served(words: list[str], folder: Path) -> None:
    """Serve on free ports until it says so, then stop it by its id."""
    for name in ("--port", "--mllp-port"):
        words[words.index(name) + 1] = "0"
    command = [sys.executable, "-m", "redcell", *words]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE)
    said = iter(process.stderr.readline, b"")
    assert any(line.startswith(b"Ready") for line in said)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.trust("Q6")
def test_transcripts_are_what_the_commands_print():
    done = subprocess.run(
        [sys.executable, "tools/transcripts.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}run: python tools/transcripts.py"


def test_the_python_example_runs():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "README.md", "exec"), {})  # noqa: S102


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


def test_every_make_target_of_the_docs_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in MAKE.findall(text):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page.name}: make {target}"


@pytest.mark.trust("S13")
def test_locked_versions_have_hashes_and_name_no_registry():
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text(encoding="utf-8")
        pins = re.findall(r"^[a-z0-9._-]+(?:\[[a-z,]+\])?==", text, re.MULTILINE | re.IGNORECASE)
        assert pins
        assert text.count("--hash=sha256:") >= len(pins)
        assert "://" not in text


@pytest.mark.trust("S13")
def test_no_heavy_wheel_in_the_default_install():
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert not re.search(r"^(torch|nvidia|jax-cuda)", lock.read_text(), re.MULTILINE)
    base = (ROOT / "requirements" / "base.txt").read_text()
    assert not re.search(r"^(jax|scipy|scikit)", base, re.MULTILINE)
