"""The command: what it prints, where, and with which exit code."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from redcell import cli as program
from redcell.sources.read import EXAMPLES

AT = "2026-11-22T09:00:00Z"
OKAFOR = EXAMPLES / "okafor.json"
HEAVY = ("numpy", "jax", "scipy", "sqlalchemy", "fastapi", "altair", "polars", "pandas", "rich")


def redcell(*arguments, stdin=None):
    """Run the command in a fresh process."""
    return subprocess.run(
        [sys.executable, "-m", "redcell", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
    )


def bundle(**patient):
    person = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1970-01-01"}
    entry = [{"resource": person | patient}]
    return {"resourceType": "Bundle", "type": "collection", "entry": entry}


def written(path: Path, data) -> Path:
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


def test_text_goes_to_stdout_and_is_plain_without_a_terminal():
    done = redcell("assess", "demo::okafor", "--at", AT)
    assert done.returncode == 0
    assert done.stderr == b""
    assert b"\x1b[" not in done.stdout
    assert b"Hemoglobin 7.6 g/dL" in done.stdout


def test_json_is_the_contract_and_the_same_bytes_twice():
    first = redcell("assess", OKAFOR, "--at", AT, "--format", "json").stdout
    assert first == redcell("assess", OKAFOR, "--at", AT, "--format", "json").stdout
    assert json.loads(first)["schema"] == "redcell.assessment/1"
    assert json.loads(first)["forecast"]["status"] == "ok"


def test_without_a_forecast_it_is_null():
    done = redcell("assess", OKAFOR, "--at", AT, "--format", "json", "--no-forecast")
    assert json.loads(done.stdout)["forecast"] is None


@pytest.mark.parametrize("form", ["text", "json", "html", "fhir"])
def test_every_format_writes_something(form):
    done = redcell("assess", "demo::okafor", "--at", AT, "--format", form)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) > 1000


def test_the_letter_needs_html():
    assert redcell("assess", OKAFOR, "--at", AT, "--for", "patient").returncode == 2
    done = redcell("assess", OKAFOR, "--at", AT, "--format", "html", "--for", "patient")
    assert done.returncode == 0


def test_standard_input_and_gzip_read_the_same():
    plain = redcell("assess", OKAFOR, "--at", AT, "--format", "json").stdout
    packed = gzip.compress(OKAFOR.read_bytes())
    assert redcell("assess", "-", "--at", AT, "--format", "json", stdin=packed).stdout == plain


@pytest.mark.parametrize(
    ("name", "content", "code", "says"),
    [
        ("absent", None, 2, "no such file"),
        ("broken", '{"resourceType": "Bundle", ', 2, "Expected a FHIR R4 Bundle"),
        ("empty", "", 2, "Expected a FHIR R4 Bundle"),
        ("twice", '{"resourceType": "Bundle", "type": "collection", "type": "batch"}', 2, "twice"),
        ("deceased", bundle(deceasedBoolean=True), 2, "deceased"),
        ("child", bundle(birthDate="2010-05-01"), 3, "thresholds are for adults"),
    ],
)
def test_errors_have_one_message_and_their_own_code(tmp_path, name, content, code, says):
    path = tmp_path / f"{name}.json"
    if content is not None:
        written(path, content)
    done = redcell("assess", path, "--at", AT)
    assert (done.returncode, done.stdout) == (code, b"")
    assert says in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_several_patients_are_a_question(tmp_path):
    two = bundle()
    two["entry"].append({"resource": {"resourceType": "Patient", "id": "q", "gender": "male"}})
    path = written(tmp_path / "two.json", two)
    done = redcell("assess", path, "--at", AT)
    assert done.returncode == 5
    assert b"--patient" in done.stderr
    chosen = redcell("assess", path, "--patient", "q", "--at", AT, "--format", "json")
    assert json.loads(chosen.stdout)["patient"] == {"id": "q", "sex": "male", "age_years": None}


def test_strict_fails_when_something_was_set_aside(tmp_path):
    source = json.loads(OKAFOR.read_text(encoding="utf-8"))
    odd = {
        "resourceType": "Observation",
        "id": "odd",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": "Patient/okafor"},
        "effectiveDateTime": "2026-11-21T08:00:00Z",
        "valueQuantity": {"value": 12.5, "unit": "g/mL"},
    }
    source["entry"].append({"resource": odd})
    path = written(tmp_path / "odd.json", source)
    assert redcell("assess", path, "--at", AT, "--strict").returncode == 6
    assert redcell("check", path, "--strict").returncode == 6
    listed = redcell("check", path).stdout.decode()
    assert "Observation/odd" in listed
    assert "g/mL" in listed
    data = json.loads(redcell("check", path, "--format", "json").stdout)
    assert [s["code"] for s in data["set_aside"]].count("unit-not-understood") == 1


def test_why_reaches_resources_and_sources():
    done = redcell("why", "demo::okafor", "T11", "--at", AT)
    assert b"[Observation/okafor-observation-56]" in done.stdout
    assert b"AABB 2023" in done.stdout
    numbered = redcell("why", "demo::okafor", "f1", "--at", AT)
    assert numbered.returncode == 0
    missing = redcell("why", "demo::okafor", "T99", "--at", AT)
    assert missing.returncode == 7
    assert b"Near:" in missing.stderr


def test_knowledge_is_browsed_with_sources():
    done = redcell("knowledge", "transfusion.restrictive_hb")
    assert b"7 g/dL" in done.stdout
    assert b"AABB 2023" in done.stdout
    assert json.loads(redcell("knowledge", "talazoparib", "--format", "json").stdout)
    assert redcell("knowledge", "no such thing at all").returncode == 2


def test_a_bad_policy_is_refused_with_one_line_each(tmp_path):
    policy = written(tmp_path / "p.toml", "[urgency.spo3]\nvalue = 1\nsource = 'x'\n")
    done = redcell("assess", "demo::okafor", "--at", AT, "--policy", policy)
    assert done.returncode == 4
    assert b"did you mean [urgency.spo2_limit]" in done.stderr


def test_the_nearest_verb_is_suggested():
    done = redcell("asess", "x")
    assert done.returncode == 2
    assert b"Did you mean 'assess'" in done.stderr


def test_every_command_has_help_with_an_example():
    runner = CliRunner()
    for name in program.cli.commands:
        said = runner.invoke(program.cli, [name, "--help"])
        assert said.exit_code == 0
        assert f"redcell {name} " in said.output
        assert "Exit codes" in said.output


@pytest.mark.trust("Q4")
@pytest.mark.parametrize("code", ["import redcell", "import redcell.cli", "import redcell.api"])
def test_starting_up_loads_nothing_heavy(code):
    check = f"{code}; import sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.trust("Q4")
def test_assessing_a_file_loads_neither_templates_nor_hl7():
    code = (
        "import sys; sys.argv = ['redcell', 'assess', 'demo::okafor', '--at', '2026-11-22'];"
        "from redcell.cli import main\n"
        "try: main()\nfinally: sys.stderr.write(str([m for m in ('jinja2', 'hl7') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]"


@pytest.mark.parametrize(
    "verb", ["", "assess", "forecast", "cohort", "calibrate", "why", "check", "knowledge"]
)
def test_help_keeps_the_lines_of_its_examples(verb):
    said = redcell(*([verb] if verb else []), "--help").stdout.decode()
    assert "\\b" not in said
    assert "Examples:\n    redcell " in said
