"""Capacity: totals course by course, chairs and stock as entered, and whether it was right."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from pages import site
from redcell import clock
from redcell.clinic import capacity, capacity_past, chairs, refresh
from redcell.clinic.chairs import Single, Week
from redcell.population.demand import Need, demand
from redcell.store import assessments
from redcell.web.pages.capacity import export, view
from redcell.web.pages.formats import percent

TODAY = site.NOW.date()


def held(clinic) -> list[capacity.Held]:
    """Everybody's forecast."""
    with clinic.database.read() as connection:
        return capacity.Shelf().look(connection)[0]


def enter(clinic, hours: float) -> None:
    """Chairs on every day."""
    week = Week((1,) * 7, (hours,) * 7)
    clinic.writer.write(lambda c: chairs.set_week(c, week, actor="a", at=clock.now()))


@pytest.mark.trust("H10.1")
def test_totals_are_those_of_the_population_module(full_clinic):
    found = held(full_clinic)
    needs = []
    with full_clinic.database.read() as connection:
        for one in found:
            stored = assessments.read_one(connection, one.assessment)
            assert stored is not None
            prediction = refresh.stored_forecast(stored)
            assert prediction is not None
            assert prediction.transfusions is not None
            needs.append(Need(one.person, prediction.at.day, prediction.transfusions))
    assert len(needs) > 2
    ours, theirs = capacity.total(found, TODAY), demand(needs, TODAY, days=capacity.DAYS)
    np.testing.assert_allclose(ours.units, theirs.units)
    np.testing.assert_allclose(ours.hours, theirs.hours, rtol=1e-6)
    assert ours.units.sum() > 0


def test_the_page_adds_up_and_names_what_it_left_out(look):
    page = look("/capacity", js=False)
    said = page.locator("main").inner_text()
    assert "people without a forecast that can be used" in said
    assert "No stock entered yet" in said
    assert page.locator(".days tbody tr").count() == capacity.DAYS
    rows = page.locator(".days tbody tr td:nth-child(2)").all_inner_texts()
    labels = page.locator("svg.ahead >> nth=0 >> css=text.value").all_text_contents()
    assert rows == [label.strip() for label in labels], "the table says what the picture says"


def test_chairs_are_entered_by_the_infusion_center(work):
    page = work("/capacity", "chair", js=False)
    for n in range(7):
        page.locator(f"[name=chairs-{n}]").fill("0" if n == 6 else "1")
        page.locator(f"[name=hours-{n}]").fill("1")
    page.get_by_role("button", name="Keep the week").click()
    page.get_by_text("Single days").click()
    page.locator("[name=closed-2026-11-26]").check()
    page.locator("[name=booked-2026-11-23]").fill("0.5")
    page.get_by_role("button", name="Keep the days").click()
    with work.clinic.database.read() as connection:
        plan = chairs.read(connection)
    assert plan.closed(date(2026, 11, 26))
    assert plan.closed(date(2026, 11, 29)), "a Sunday without chairs"
    assert plan.booked(date(2026, 11, 23)) == 0.5
    assert set(plan.single) == {"2026-11-26", "2026-11-23"}, "only days that changed"
    assert page.locator(".days tr.shut").count() == 3


def test_full_days_name_people_to_the_team_alone(work):
    site.crowd(work.clinic)
    enter(work.clinic, 0.5)
    team = work("/capacity", js=False)
    assert "Nobody is moved here" in team.locator("main").inner_text()
    assert team.locator(".people a").count() > 0
    chair = work("/capacity", "chair", js=False)
    assert chair.locator(".people a").count() == 0
    assert "their names are for the care team" in chair.locator("main").inner_text()
    assert "OKAFOR" not in chair.content()


def test_stock_is_entered_by_the_blood_bank(work):
    page = work("/capacity", "bank", js=False)
    page.get_by_label("Group O, units").fill("22")
    page.get_by_role("button", name="Keep the stock").click()
    assert "Stock entered by B. Bank" in page.locator("main").inner_text()


def test_numbers_that_cannot_be_are_refused(work):
    page = work("/capacity", "chair", js=False)
    page.locator("[name=chairs-0]").fill("many")
    page.get_by_role("button", name="Keep the week").click()
    assert "is no number" in page.locator("[role=alert]").inner_text()
    assert page.locator("[name=chairs-0]").input_value() == "many"


@pytest.mark.trust("S14", "H8.3")
def test_exports_hide_small_cells(own):
    clinic, _ = own
    with clinic.database.read() as connection:
        found = view.outlook(clinic, connection, TODAY, at=clock.now())
    rows = list(csv.DictReader(io.StringIO(export.as_csv(found))))
    assert len(rows) == capacity.DAYS
    assert rows[0]["units_mean"] == "<5"
    table = pl.read_parquet(io.BytesIO(export.as_parquet(found)))
    assert table["units_mean"].null_count() == capacity.DAYS
    assert table["day"][0] == TODAY


def test_exports_answer(look):
    page = look("", "nurse")
    csv_answer = page.request.get(look.address + "/capacity.csv")
    parquet = page.request.get(look.address + "/capacity.parquet")
    assert csv_answer.headers["content-type"].startswith("text/csv")
    assert parquet.body()[:4] == b"PAR1"


def test_a_blood_group_is_read_off_the_record():
    assert capacity.group_in(b'{"valueCodeableConcept":{"text":"O pos"}}') == "O"
    assert capacity.group_in(b'{"valueCodeableConcept":{"coding":[{"display":"Group AB Rh(D) neg"}]}}') == "AB"  # fmt: skip
    assert capacity.group_in(b'{"valueString":"b negative"}') == "B"
    assert capacity.group_in(b'{"status":"entered-in-error","valueString":"B"}') == ""
    assert capacity.group_in(b'{"valueString":"not typed"}') == ""


@pytest.mark.trust("H10.3")
def test_how_often_earlier_ranges_held_is_shown(work):
    capacity_past.check(work.clinic, today=TODAY, at=clock.now())
    with work.clinic.database.read() as connection:
        past = capacity_past.read(work.clinic, connection, TODAY)
    said = " ".join(work("/capacity", js=False).locator("main").text_content().split())
    held = sum(day.inside for day in past.days)
    share = percent(held / len(past.days))
    assert f"units inside the 90 % range on {share} of {len(past.days)} days" in said


@pytest.mark.trust("H10.3")
def test_past_weeks_are_judged_once(own):
    clinic, _ = own
    at = clock.now()
    capacity_past.check(clinic, today=TODAY, at=at)
    assert capacity_past.check(clinic, today=TODAY, at=at) == 0
    with clinic.database.read() as connection:
        past = capacity_past.read(clinic, connection, TODAY)
    assert past.days
    assert len(past.days) % 7 == 0
    assert 0 <= past.inside <= 1
    assert past.missing == 0
    assert {date.fromisoformat(d.day) for d in past.days} <= {
        w + timedelta(days=n) for w in capacity_past.weeks(TODAY) for n in range(7)
    }


def test_red_cells_that_were_given_count(own):
    clinic, _ = own
    week = capacity_past.weeks(TODAY)[-1]
    code = {"coding": [{"system": "http://snomed.info/sct", "code": "116863004"}]}
    given = {
        "resourceType": "Procedure", "id": "given", "status": "completed", "code": code,
        "subject": {"reference": "Patient/okafor"},
        "performedDateTime": f"{week + timedelta(days=2)}T10:00:00Z",
    }  # fmt: skip
    site.take(clinic, [given], "given")
    with clinic.database.read() as connection:
        judged = capacity_past.judge(connection, clinic.basis().knowledge, week)
    assert judged[2].given == 1.0


@pytest.mark.trust("H10.2")
def test_a_closed_day_moves_its_units(own):
    clinic, _ = own
    tomorrow = TODAY + timedelta(days=1)
    with clinic.database.read() as connection:
        before = view.outlook(clinic, connection, TODAY, at=clock.now())
    closed = {tomorrow: Single(closed=True)}
    clinic.writer.write(lambda c: chairs.set_days(c, closed, actor="a", at=clock.now()))
    with clinic.database.read() as connection:
        after = view.outlook(clinic, connection, TODAY, at=clock.now())
    assert after.days[1].units.mean == 0
    moved = before.days[1].units.mean + before.days[2].units.mean
    assert after.days[2].units.mean == pytest.approx(moved)


@pytest.mark.trust("S1")
@pytest.mark.parametrize("who", ["joy", "admin"])
def test_not_for_others(look, who):
    page = look("", who)
    assert page.goto(look.address + "/capacity").status in (403, 404)
