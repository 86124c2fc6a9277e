"""Every patient handed to a function: any workers and memory, and one failure ends no run."""

from __future__ import annotations

import gzip
import json

import pytest

from redcell.api import moment_of
from redcell.errors import RedcellError, UnreadableSourceError
from redcell.knowledge.load import knowledge
from redcell.population.cohort import LEAST_MEMORY
from redcell.population.demand.backtest import backtest
from redcell.population.demand.question import Question
from redcell.population.each import Each
from redcell.population.progress import silent
from redcell.population.quality import look
from redcell.population.reading.ledger import Ledger, Tally

AT = moment_of("2026-11-20T09:00:00Z")
NAMES = [f"p{i:02}" for i in range(20)]


def rows():
    for name in NAMES:
        yield {"resourceType": "Patient", "id": name, "gender": "female", "birthDate": "1970"}
        yield {
            "resourceType": "Observation",
            "id": f"o-{name}",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
            "subject": {"reference": f"Patient/{name}"},
            "effectiveDateTime": "2026-11-18T08:00:00Z",
            "valueQuantity": {"value": 7.6, "unit": "g/dL"},
        }


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("each")
    lines = [json.dumps(row, separators=(",", ":")) for row in rows()]
    lines[1::2], strange = lines[1::2], lines[1].replace(NAMES[0], "nobody")
    (folder / "a.ndjson").write_text("\n".join([*lines[: len(lines) // 2], "{", strange]) + "\n")
    packed = gzip.compress("\n".join(lines[len(lines) // 2 :]).encode())
    (folder / "b.ndjson.gz").write_bytes(packed)
    return folder


class Count:
    """How many lines a patient has; it stumbles over some."""

    def __init__(self, *bad: str) -> None:
        self.bad = bad

    def work(self, people: int):
        assert people == len(NAMES)
        return lambda batch: [self.one(lines) for lines in batch]

    def one(self, lines):
        if lines.patient in self.bad:
            raise ValueError(lines.patient)
        return lines.patient, len(lines.lines)


def run(source, plan, **more):
    book = Ledger(Tally())
    each = Each(source, plan, knowledge(), title="Counts", **{"workers": 1} | more)
    return dict(each.run(book, silent)), book.tally


@pytest.mark.parametrize("more", [{}, {"memory": LEAST_MEMORY}, {"workers": 2}])
def test_every_patient_has_one_answer(source, more):
    found, tally = run(source, Count(), **more)
    assert found == dict.fromkeys(NAMES, 2)
    assert tally.patients == len(NAMES)
    assert tally.rejected == {"not-readable": 1, "patient-not-in-source": 1}


def test_a_failure_costs_its_patient_alone(source):
    found, tally = run(source, Count("p03", "p17"))
    assert found == dict.fromkeys(sorted({*NAMES} - {"p03", "p17"}), 2)
    assert tally.left_out == {"assessment-failed": 2}
    assert tally.rejected["assessment-failed"] == 2


def test_nobody_and_no_worker_are_said(source, tmp_path):
    (tmp_path / "x.ndjson").write_text("{}\n")
    with pytest.raises(UnreadableSourceError, match="no Patient"):
        run(tmp_path, Count())
    with pytest.raises(RedcellError, match="0 workers"):
        run(source, Count(), workers=0)


def test_one_failure_ends_no_quality_run(source, tmp_path, monkeypatch):
    real = look.events_of

    def failing(record, *more):
        if record.patient.id == "p05":
            raise ZeroDivisionError
        return real(record, *more)

    monkeypatch.setattr(look, "events_of", failing)
    kept = tmp_path / "rejected.ndjson"
    practice, tally = look.look(source, AT, knowledge(), workers=1, rejected=kept)
    assert practice.people == len(NAMES) - 1
    assert tally.left_out == {"assessment-failed": 1}
    entries = [json.loads(line) for line in kept.read_text().splitlines()]
    assert {e["reason"] for e in entries} == {
        "assessment-failed",
        "not-readable",
        "patient-not-in-source",
    }
    assert [e["line"] for e in entries if e["reason"] == "not-readable"] == ["{"]


def test_one_failure_ends_no_backtest(source, tmp_path, monkeypatch):
    from redcell.population.demand import moments as module

    real = module.run

    def failing(record, *more):
        if record.patient.id == "p05":
            raise ZeroDivisionError
        return real(record, *more)

    monkeypatch.setattr(module, "run", failing)
    kept = tmp_path / "rejected.ndjson"
    asked = Question(source, AT, knowledge(), workers=1, rejected=kept)
    found, tally = backtest(asked, count=1, learned=1)
    assert len(found) == 1
    assert tally.left_out == {"assessment-failed": 1}
    assert "p05" in kept.read_text()
