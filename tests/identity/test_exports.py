"""A cell of a table that goes to a spreadsheet is never a formula, whatever a record says."""

from __future__ import annotations

import csv
import io

import pytest

from identity import people
from identity.web import account, signed_in
from redcell import clock
from redcell.clinic import intake, refresh
from redcell.clinic.intake import Sender, arrived

FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(1)")


def red_cells(number: int, outcome: str, at: int) -> dict:
    return {
        "resourceType": "Procedure",
        "id": f"unit-{number}",
        "status": "completed",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "116863004"}]},
        "subject": {"reference": f"Patient/{people.OWN}"},
        "performedDateTime": clock.iso(at - (number + 1) * clock.DAY),
        "outcome": {"text": outcome},
    }


def cells(answer) -> list[str]:
    assert answer.status_code == 200
    return [cell for row in csv.reader(io.StringIO(answer.text)) for cell in row]


@pytest.mark.trust("F3", "S8")
def test_the_course_of_a_person_holds_no_formula(small_app, small):
    at, basis = clock.now(), small.basis()
    units = [red_cells(number, text, at) for number, text in enumerate(FORMULAS)]
    with small.database.write() as connection:
        intake.take(connection, arrived("lab", "fhir", "u", b"{}", at), units, Sender("l", "feed"))
        made = refresh.refresh(connection, people.OWN, basis, at=at)
        refresh.keep(connection, made, basis)
    nurse = signed_in(small_app, small, account(small, "n", "nurse"))
    found = cells(nurse.get(f"/patients/{people.OWN}/course.csv"))
    assert {f"'{text}" for text in FORMULAS} <= set(found)
    assert not [cell for cell in found if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.trust("F3", "S8")
@pytest.mark.parametrize("name", FORMULAS)
def test_an_accounting_of_disclosures_holds_no_formula(small_app, small, name):
    from redcell.identity import accounts

    with small.database.write() as connection:
        who = accounts.add(connection, "n", name, ["nurse"], at=clock.now())
    signed_in(small_app, small, who).get(f"/patients/{people.OWN}")
    admin = signed_in(small_app, small, account(small, "a", "admin"))
    found = cells(admin.get("/admin/disclosures", params={"person": people.OWN, "form": "csv"}))
    assert f"'{name}" in found
    assert not [cell for cell in found if cell.startswith(("=", "+", "-", "@"))]
