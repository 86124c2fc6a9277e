"""The safety file is current, every control of a threat or hazard has a test, every id exists."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from trust.marks import proofs
from trust.rows import ROOT, of_kind, rows


def tool(name: str):
    """A program of tools/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


safety = tool("safety")


@pytest.mark.trust("Q3")
@pytest.mark.parametrize("name", sorted(safety.PAGES))
def test_generated_pages_are_current(name):
    written = (safety.FOLDER / name).read_text(encoding="utf-8")
    assert written == safety.page(name), "run: make trust-report"


@pytest.mark.trust("Q3")
def test_every_control_of_a_threat_has_a_test():
    for threat in safety.known()["threat"]:
        assert threat["controls"]
        for one in threat["controls"]:
            assert one in rows(), one
            assert one in proofs(), f"{threat['id']}: {one} has no test"


@pytest.mark.trust("Q3")
def test_every_control_of_a_hazard_has_a_test():
    for control in of_kind("control"):
        assert control.id in proofs(), f"{control.id} has no test: no reason stands for one"


@pytest.mark.trust("Q3")
def test_every_requirement_leads_to_hazards_and_every_hazard_to_a_requirement():
    links = safety.known()["requirement_hazards"]
    assert list(links) == [row.id for row in of_kind("requirement")]
    touched = {hazard for found in links.values() for hazard in found}
    assert touched == {row.id for row in of_kind("hazard")}


def test_every_requirement_of_asvs_has_tests_or_a_reason():
    table = safety.requirements()
    assert len({one.number for one in table}) == len(table)
    for level, count in safety.LEVELS.items():
        assert sum(one.level == level for one in table) == count
    for one in table:
        assert one.state in safety.STATES, one.number
        assert set(one.rows) <= set(rows()), one.number
        if one.state == "met":
            assert one.rows, one.number
        else:
            assert one.reason, one.number
        for row in one.rows:
            assert safety.tested([row]), f"{one.number}: {row} has no test"


@pytest.mark.trust("S13")
def test_components_that_are_explained_are_locked():
    told = safety.known()
    assert {*told["components"], *told["anomalies"]} <= set(safety.locked())
    assert "not installed here" not in safety.page("components.md")


@pytest.mark.trust("S13")
def test_the_lock_makes_a_bill_of_materials(tmp_path):
    import json
    import subprocess

    out = tmp_path / "sbom.json"
    program = ROOT / ".venv" / "bin" / "cyclonedx-py"
    if not program.exists():
        pytest.skip("cyclonedx-bom is not installed")
    command = [program, "requirements", safety.LOCK, "--output-reproducible", "-o", out]
    subprocess.run([*command, "--of", "JSON"], check=True, capture_output=True)
    named = {one["name"] for one in json.loads(out.read_text())["components"]}
    assert set(safety.locked()) <= named


def test_every_mutant_of_the_reviewed_list_is_a_line_of_the_code_with_a_reason():
    import tomllib

    text = (ROOT / "tools" / "equivalent.toml").read_text(encoding="utf-8")
    for one in tomllib.loads(text)["mutant"]:
        lines = (ROOT / one["path"]).read_text(encoding="utf-8").splitlines()
        assert one["line"] in {line.strip() for line in lines}, one
        assert len(one["reason"]) > 40, one
