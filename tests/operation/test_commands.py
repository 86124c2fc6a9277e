"""The commands of the service, and the log: what they say, their exit codes, what they never say."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest
from click.testing import CliRunner

from operation.samples import fill, hemoglobin, settle, take
from redcell.cli import audit as audit_commands
from redcell.cli import service
from redcell.clinic import doctor
from redcell.clinic.settings import MASK, Mail, Notice, Settings, load_settings, masked
from redcell.clinic.setup import TEMPLATE, init
from redcell.errors import AuditError, SettingsError
from redcell.store import audit
from redcell.web import logs


def run(command, *arguments: str):
    return CliRunner().invoke(command, list(arguments))


@pytest.fixture
def made(folder):
    """A folder with one person who was assessed and looked at."""
    from redcell.clinic.service import Clinic

    clinic = Clinic(folder)
    fill(clinic)
    settle(clinic)
    entry = audit.Entry(1, "a1", "nurse", "R", "chart", person="okafor")
    clinic.writer.write(lambda c: audit.append(c, [entry]))
    clinic.close()
    return folder


# -- init ------------------------------------------------------------------------------------------


def test_init_makes_a_folder_once_and_overwrites_nothing(tmp_path):
    folder = tmp_path / "new"
    first = run(service.init, "--data", str(folder))
    assert "Made the store" in first.output
    (folder / "redcell.toml").write_text('[site]\nname = "Mine"\n')
    second = run(service.init, "--data", str(folder))
    assert "Kept" in second.output
    assert "already" in second.output
    assert load_settings(folder).site.name == "Mine"
    assert folder.stat().st_mode & 0o077 == 0


def test_the_commented_settings_are_the_defaults(tmp_path):
    list(init(tmp_path / "a"))
    assert load_settings(tmp_path / "a") == Settings()
    shown, inside = [], True
    for line in TEMPLATE.read_text().splitlines():
        if line.startswith("["):
            shown.append(line)
            inside = True
        elif line.startswith("# ["):  # a block that only shows how it would look
            inside = False
        elif inside and re.match(r"# \w+ = ", line):
            shown.append(line.removeprefix("# "))
    assert len(shown) > 20
    (tmp_path / "redcell.toml").write_text("\n".join(shown))
    assert load_settings(tmp_path) == Settings()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="file"):
        list(init(tmp_path / "file"))


# -- doctor ----------------------------------------------------------------------------------------


def verdicts(folder, *, whole: bool = False) -> dict[str, str]:
    return {s.what: s.verdict for s in doctor.examine(folder, port=1, whole=whole)}


def test_a_well_installation(made, monkeypatch):
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    made.chmod(0o700)
    found = verdicts(made, whole=True)
    wrong = {what for what, verdict in found.items() if verdict == "wrong"}
    assert wrong == set()
    assert found["store"] == "ok"
    assert found["audit"] == "warning", "no anchor yet"
    assert run(service.doctor, "--data", str(made)).exit_code == 0


def test_what_the_doctor_finds(made, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    made.chmod(0o755)
    text = (made / "redcell.toml").read_text()
    more = '[[notices]]\nname = "desk"\nemail = "d@e.org"\n'
    (made / "redcell.toml").write_text(text + more)
    found = verdicts(made)
    assert (found["folder"], found["python"]) == ("warning", "warning")
    assert (found["phone"], found["mail"]) == ("warning", "wrong")
    (made / "audit-anchor.jsonl").write_text('{"seq":1,"hash":"00","at":"2026"}\n')
    assert verdicts(made)["audit"] == "wrong"
    (made / "redcell.toml").write_text("[site]\nnam = 1\n")
    assert verdicts(made)["settings"] == "wrong"
    assert verdicts(tmp_path / "none")["folder"] == "wrong"
    answer = run(service.doctor, "--data", str(made))
    assert isinstance(answer.exception, SettingsError)
    assert answer.exception.exit_code == 9


@pytest.mark.trust("A7")
def test_the_doctor_sees_a_missing_policy_and_a_damaged_store(folder):
    text = (folder / "redcell.toml").read_text()
    (folder / "redcell.toml").write_text(text + 'policy = "none.toml"\n')
    assert verdicts(folder)["policy"] == "wrong"
    if (folder / "redcell.db").exists():
        (folder / "redcell.db").write_bytes(b"not a database at all" * 500)
        assert verdicts(folder)["store"] == "wrong"


@pytest.mark.trust("D10")
def test_the_doctor_sees_a_clock_that_was_set_back(made, monkeypatch):
    from redcell import clock

    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now - clock.DAY)
    assert verdicts(made)["clock"] == "wrong"


# -- config ----------------------------------------------------------------------------------------


@pytest.mark.trust("S4")
def test_settings_are_shown_without_secrets(folder):
    text = (folder / "redcell.toml").read_text()
    more = (
        '[mail]\npassword = "hush"\n[[notices]]\nname = "n"\nurl = "https://h/"\nsecret = "hush"\n'
    )
    (folder / "redcell.toml").write_text(text + more)
    for form in ("text", "json"):
        answer = run(service.show, "--data", str(folder), "--format", form)
        assert answer.exit_code == 0
        assert "hush" not in answer.output
        assert MASK in answer.output
    assert 'notices[0].name = "n"' in run(service.show, "--data", str(folder)).output


def test_passwords_inside_addresses_are_masked():
    found = masked(
        Settings(
            database="postgresql://u:hush@db/x",
            mail=Mail(password="hush"),  # noqa: S106
            notices=(Notice("n", secret="hush"),),  # noqa: S106
        )
    )
    assert found["database"] == f"postgresql://u:{MASK}@db/x"
    assert "hush" not in json.dumps(found)


# -- backup and audit ------------------------------------------------------------------------------


def test_backup_and_restore_as_commands(made, tmp_path, request):
    out = str(tmp_path / "b.tar")
    assert "audit entry" in run(service.backup, "--data", str(made), "--out", out).output
    target = str(tmp_path / "back")
    dry = run(service.restore, out, "--data", target, "--dry-run")
    assert "Nothing was written" in dry.output
    options = ()
    if "postgresql" in load_settings(made).database:
        address = request.getfixturevalue("postgres_server").new_database()
        options = ("--database", address)
    assert "Restored" in run(service.restore, out, "--data", target, *options).output


@pytest.mark.trust("S12", "H9.3")
def test_the_audit_commands(made, tmp_path):
    answer = run(audit_commands.verify, "--data", str(made))
    assert "The audit is whole" in answer.output
    ahead = tmp_path / "anchor.jsonl"
    ahead.write_text('{"seq":9000,"hash":"00","at":"2026"}\n')
    answer = run(audit_commands.verify, "--data", str(made), "--anchor", str(ahead))
    assert isinstance(answer.exception, AuditError)
    assert answer.exception.exit_code == 10
    lines = run(audit_commands.export, "--data", str(made)).output.splitlines()
    assert {json.loads(line)["resourceType"] for line in lines} == {"AuditEvent"}
    none = run(audit_commands.export, "--data", str(made), "--since", "2999-01-01")
    assert none.output == ""
    text = run(audit_commands.disclosures, "okafor", "--data", str(made)).output
    assert text.splitlines()[-1] == "1 disclosures."
    form = run(audit_commands.disclosures, "okafor", "--data", str(made), "--format", "json")
    assert json.loads(form.output)[0]["role"] == "nurse"


# -- logs ------------------------------------------------------------------------------------------


@pytest.fixture
def log(monkeypatch):
    """The log of this process; what it was before comes back."""
    import structlog

    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    kept = {n: (logging.getLogger(n).propagate, logging.getLogger(n).level) for n in LIBRARIES}
    out = io.StringIO()
    logs.configure("debug", out)
    yield out
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, (propagate, number) in kept.items():
        logging.getLogger(name).propagate = propagate
        logging.getLogger(name).setLevel(number)


LIBRARIES = ("uvicorn", "uvicorn.error", "uvicorn.access")


def said(out: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.mark.trust("S4", "H8.2")
def test_a_line_holds_known_fields_alone(log):
    import structlog

    structlog.get_logger("x").info("taken", feed="lab", count=3, name="Okafor", text="secret")
    (line,) = said(log)
    assert (line["event"], line["feed"], line["count"], line["level"]) == (
        "taken",
        "lab",
        3,
        "info",
    )
    assert line["left_out"] == ["name", "text"]
    assert "Okafor" not in log.getvalue()


@pytest.mark.trust("S4", "H8.2")
def test_an_exception_is_its_type_and_place(log):
    import structlog

    try:
        raise ValueError("patient Okafor, born 1982")
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("library").exception("it broke: %s", "Okafor")
    for line in said(log):
        assert line["error"] == "ValueError"
        assert "test_commands.py" in line["raised"][-1]
    assert "Okafor" not in log.getvalue()


@pytest.mark.trust("S4", "H8.2")
def test_libraries_say_what_they_are_not_what_they_saw(log):
    logging.getLogger("sqlalchemy").warning("row %s", "Okafor")
    logging.getLogger("uvicorn.access").warning("GET /patients?name=Okafor")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    lines = said(log)
    assert [line["event"] for line in lines] == ["library", "Invalid HTTP request received."]
    assert "Okafor" not in log.getvalue()


@pytest.mark.trust("S4", "H8.2")
def test_a_failing_job_is_logged_without_its_data(made, log):
    from redcell.clinic.service import Clinic
    from redcell.clinic.worker import Worker

    clinic = Clinic(made)

    def fail(_clinic, _job):
        raise KeyError("Okafor, Joy")

    take(clinic, hemoglobin("x", "okafor", 7))
    worker = Worker(clinic, {"assess": fail})
    worker.step()
    clinic.close()
    assert "job-failed" in log.getvalue()
    assert "Joy" not in log.getvalue()
