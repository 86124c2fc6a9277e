"""The row of one patient, told: where it cannot be, the message says why."""

from __future__ import annotations

import json

import pytest

from redcell.api import moment_of
from redcell.errors import UnreadableSourceError
from redcell.knowledge.load import knowledge
from redcell.population.explain import explain

AT = moment_of("2026-11-20T09:00:00Z")


def test_a_patient_that_cannot_be_read_is_not_said_to_be_missing(tmp_path):
    """The folder holds others; of this one the line and its fault are named."""
    people = [
        {"resourceType": "Patient", "id": "a", "birthDate": "1960-01-01"},
        {"resourceType": "Patient", "id": "b", "birthDate": None},
    ]
    (tmp_path / "p.ndjson").write_text("".join(json.dumps(one) + "\n" for one in people))
    with pytest.raises(UnreadableSourceError, match=r"Patient/b cannot be read\. p\.ndjson:2: "):
        list(explain(tmp_path, "b", AT, knowledge()))
    with pytest.raises(UnreadableSourceError, match="there is no Patient/c in it"):
        list(explain(tmp_path, "c", AT, knowledge()))
    assert next(explain(tmp_path, "a", AT, knowledge())).startswith("Patient/a at 2026-11-20")
