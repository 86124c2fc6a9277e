"""Demand of a whole folder: joint totals, groups and sites, open days, any order and workers."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from builder import AT, patient, red_cells
from redcell.api import moment_of
from redcell.cli.demand import closed_days, demand
from redcell.forecasting import Forecaster
from redcell.knowledge.load import knowledge
from redcell.population.demand.needs import group_of, shuffled, site_of, units_before
from redcell.population.demand.outlook import Outlook, look
from redcell.population.demand.question import Question
from redcell.population.demand.table import COLUMNS, table
from redcell.population.demand.text import text
from redcell.population.demand.totals import Need
from redcell.population.each import Each
from redcell.population.patient import Task, outcomes
from redcell.population.progress import silent
from redcell.population.reading.ledger import Ledger, Tally
from redcell.population.reading.lines import Lines
from redcell.population.rows import COLUMNS as ROW
from redcell.population.synthesize import people
from redcell.prediction import Given, Transfusions

TIME = "2026-11-20T09:00:00Z"
DRAWS = 400


def _red(probability: float, day: int = 3, units: int = 1) -> Transfusions:
    """Red cells on one day in some of the courses: always the first ones."""
    rows = range(round(DRAWS * probability))
    return Transfusions(
        threshold_g_dl=7.0, visit_days=(), within_days=28, probability=probability,
        units_mean=0.0, units_q05=0.0, units_q95=0.0, chair_hours_mean=0.0,
        given=tuple(Given(r, day, units) for r in rows), courses=DRAWS, hours=(2.0, 4.0),
    )  # fmt: skip


def need(person: str, probability: float, day: int = 3, **more) -> Need:
    return Need(person, AT.day, shuffled(_red(probability, day), person, 1), **more)


def crowd(count: int = 40, **more) -> Outlook:
    needs = [need(f"p{n:02d}", 0.3, **more) for n in range(count)]
    return Outlook(AT, needs, Counter(ok=count))


def rows(found: pl.DataFrame, by: str = "all", period: str = "day") -> pl.DataFrame:
    return found.filter((pl.col("by") == by) & (pl.col("period") == period))


# -- totals ----------------------------------------------------------------------------------------


def test_peoples_courses_are_joined_by_chance_not_by_their_number():
    """Everybody's transfusions stand in the same courses; the total is still a binomial's."""
    day = rows(table(crowd())).row(2, named=True)
    assert day["units_mean"] == pytest.approx(12.0)
    spread = np.sqrt(40 * 0.3 * 0.7)
    assert day["units_q95"] - day["units_q05"] == pytest.approx(2 * 1.645 * spread, rel=0.25)


def test_the_means_of_the_parts_add_up_to_the_whole():
    needs = [
        need(f"p{n}", 0.1 * (n % 9), day=1 + n % 28, group=("O+", "A-", "unknown")[n % 3],
             site=("north", "unknown")[n % 2])
        for n in range(40)
    ]  # fmt: skip
    found = table(Outlook(AT, needs, Counter(ok=40)))
    whole = rows(found)["units_mean"].sum()
    for by in ("site", "blood-group", "site-and-blood-group"):
        assert rows(found, by)["units_mean"].sum() == pytest.approx(whole)
        assert rows(found, by, "28-days")["people"].sum() == 40
    assert rows(found, period="week")["units_mean"].sum() == pytest.approx(whole)
    assert rows(found, period="28-days")["units_mean"].sum() == pytest.approx(whole)
    assert set(rows(found, "blood-group")["blood_group"]) == {"O+", "A-", "unknown"}


def test_the_table_begins_with_the_days_of_everybody():
    found = table(crowd())
    assert tuple(found.columns) == COLUMNS
    head = found.head(28)
    assert head["by"].unique().to_list() == ["all"]
    assert found["basis"].unique().to_list() == ["policy"]
    assert head["day"].to_list() == [AT.day + timedelta(days=1 + n) for n in range(28)]
    assert head["site"].null_count() == 28


def test_quantiles_of_a_week_are_not_sums_of_those_of_its_days():
    needs = [need(f"p{n:02d}", 0.3, day=1 + n % 7) for n in range(40)]
    found = table(Outlook(AT, needs, Counter(ok=40)))
    days, week = rows(found).head(7), rows(found, period="week").row(0, named=True)
    assert week["units_q95"] < days["units_q95"].sum() - 3
    assert week["units_mean"] == pytest.approx(days["units_mean"].sum())


# -- days, groups, sites -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("open_days", "shut"),
    [("mon-fri", {5, 6}), ("mon,wed", {1, 3, 4, 5, 6}), ("sat-mon", {1, 2, 3, 4})],
)
def test_open_days_are_weekdays(open_days, shut):
    from redcell.cli.demand import Days

    usual = Days().convert(open_days, None, None)
    found = closed_days(date(2026, 11, 21), usual, ())
    assert {d.weekday() for d in found} == shut
    assert len(found) == 4 * len(shut)


def test_what_falls_on_a_closed_day_moves():
    first = AT.day + timedelta(days=1)
    shut = frozenset({first + timedelta(days=2)})
    moved = rows(table(crowd(day=3), shut))
    assert moved["open"].to_list().count(False) == 1
    assert moved["units_mean"].to_list()[2:4] == [0.0, pytest.approx(12.0)]


def test_after_the_last_open_day_nothing_is_lost_unsaid():
    first = AT.day + timedelta(days=1)
    shut = frozenset({first + timedelta(days=27)})
    outlook = crowd(day=28)
    assert rows(table(outlook, shut))["units_mean"].sum() == 0.0
    assert "12.0 units, left out" in text(outlook, shut)


@pytest.mark.parametrize(
    ("said", "group"),
    [
        ("o positive", "O+"), ("a rh(d) negative", "A-"), ("group ab", "AB"), ("b+", "B+"),
        ("abo group: a", "A"), ("type ab neg", "AB-"), ("not done", "unknown"),
        ("rh negative, group o", "O-"), (None, "unknown"),
    ],
)  # fmt: skip
def test_blood_groups_as_laboratories_write_them(said, group):
    record = patient(**({"abo-rh": said} if said else {}))
    assert group_of(record) == group


def test_groups_that_disagree_are_unknown():
    told = patient(**{"abo-rh": [(-3, "o positive"), (-2, "o negative")]})
    assert group_of(told) == "O-"
    assert group_of(patient(**{"abo-rh": [(-3, "o positive"), (-2, "a positive")]})) == "unknown"


@pytest.mark.parametrize(
    ("organization", "site"),
    [
        ({"reference": "https://x.org/fhir/Organization/north"}, "north"),
        ({"identifier": {"value": "n1"}, "display": "North"}, "n1"),
        ({"display": "North"}, "North"),
        (None, "unknown"),
    ],
)
def test_a_site_is_the_organization_that_keeps_the_record(organization, site):
    who = {"resourceType": "Patient", "id": "p1"}
    if organization:
        who["managingOrganization"] = organization
    other = {"resourceType": "Observation", "id": "o", "code": {"text": '"Patient"'}}
    lines = [("a:1", json.dumps(other).encode()), ("a:2", json.dumps(who).encode())]
    assert site_of(Lines("p1", lines)) == site


# -- a folder --------------------------------------------------------------------------------------

WANTED = 3
SITE = '[policy]\nname = "S"\n[transfusion.restrictive_hb]\nvalue = 9.0\nsource = "ours"\n'


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A policy with a threshold at which several invented people need red cells."""
    file = tmp_path_factory.mktemp("policy") / "site.toml"
    file.write_text(SITE)
    return file


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The invented people with the lowest hemoglobin, and one who refused red cells."""
    folder = tmp_path_factory.mktemp("demand")
    crowd = list(people(64, seed=21, at=moment_of(TIME), months=4))
    refused = [p for p in crowd if p.truth["wish"] == "refuses"][:1]
    others = sorted((p for p in crowd if not p.truth["wish"]), key=_last)[:WANTED]
    with (folder / "all.ndjson").open("w") as file:
        for person in [*others, *refused]:
            file.writelines(json.dumps(r) + "\n" for r in person.resources)
    return folder


class Whole:
    """The lines of each patient as they are."""

    def work(self, people):
        return list


def _last(person) -> float:
    return person.truth["hemoglobin_g_dl"]


@pytest.fixture(scope="module")
def outlook(source, site):
    return look(Question(source, moment_of(TIME), knowledge(site), workers=1))[0]


def test_the_total_is_that_of_the_rows(source, site, outlook):
    """The mean of the whole is the sum of `units_28d_mean` of the cohort's rows."""
    known = knowledge(site)
    task = Task(moment_of(TIME), known, Forecaster(attributed=False), together=False)
    people = Each(source, Whole(), known, title="", workers=1).run(Ledger(Tally()), silent)
    found = [dict(zip(ROW, o.row, strict=True)) for o in outcomes(people, task)]
    units, hours = (sum(r[f"{n}_28d_mean"] or 0.0 for r in found) for n in ("units", "chair_hours"))
    whole = rows(table(outlook), period="28-days").row(0, named=True)
    assert units > 0.5
    assert whole["units_mean"] == pytest.approx(units)
    assert whole["chair_hours_mean"] == pytest.approx(hours)
    assert outlook.status["declined"] == 1


def test_any_order_gives_the_same_table(source, site, outlook, tmp_path):
    rows_of = (source / "all.ndjson").read_text().splitlines(keepends=True)
    half = len(rows_of) // 2
    (tmp_path / "b.ndjson").write_text("".join(reversed(rows_of[:half])))
    (tmp_path / "a.ndjson").write_text("".join(reversed(rows_of[half:])))
    again = look(Question(tmp_path, moment_of(TIME), knowledge(site), workers=1))[0]
    assert table(again).equals(table(outlook))


def test_a_seed_gives_the_same_table_and_another_the_same_means():
    def total(seed: int) -> pl.DataFrame:
        plain = [replace(need(f"p{n}", 0.0), transfusions=_red(0.3)) for n in range(20)]
        mixed = [replace(n, transfusions=shuffled(n.transfusions, n.person, seed)) for n in plain]
        return table(Outlook(AT, mixed, Counter(ok=20)))

    assert total(1).equals(total(1))
    assert not total(1).equals(total(2))
    assert total(1)["units_mean"].to_list() == pytest.approx(total(2)["units_mean"].to_list())


def test_the_command_writes_the_table_and_says_what_is_not_in_it(source, site, outlook, tmp_path):
    out = tmp_path / "demand.parquet"
    where = [str(source), "--at", TIME, "--policy", str(site), "--out", str(out)]
    asked = [*where, "--workers", "1", "--open", "mon-fri"]
    run = CliRunner().invoke(demand, asked)
    assert run.exit_code == 0, run.output
    found = pl.read_parquet(out)
    assert rows(found).filter(~pl.col("open")).height == 8
    shut = closed_days(outlook.first, frozenset(range(5)), ())
    assert found.equals(table(outlook, shut))
    assert "28 days" in run.stdout
    assert f"People: {outlook.status.total()}" in run.stdout
    assert CliRunner().invoke(demand, [str(source)]).exit_code == 2
    assert CliRunner().invoke(demand, [str(source), "--open", "someday"]).exit_code == 2


# -- as practiced ----------------------------------------------------------------------------------


def test_the_text_says_what_was_given_before():
    outlook = crowd()
    assert "given" not in text(outlook)
    outlook.before = 365.0
    assert "365 units were given, 28.0 in 28 days" in text(outlook)
    assert "do not order blood by it" in text(outlook)
    outlook.before = 200.0
    assert "do not order blood by it" not in text(outlook)
    assert "Basis: the policy alone" in text(outlook)


def test_units_before_are_those_of_a_year():
    given = [red_cells(-1), red_cells(-1.1), red_cells(-365, 2.0), red_cells(-366), red_cells(1)]
    assert units_before(patient(transfusions=given), AT) == 4.0


def test_a_few_people_have_too_few_sessions_to_learn_from(source, site, outlook, tmp_path):
    out = tmp_path / "demand.parquet"
    where = [str(source), "--at", TIME, "--policy", str(site), "--out", str(out)]
    run = CliRunner().invoke(demand, [*where, "--workers", "1", "--as-practiced", "--learn", "1"])
    assert run.exit_code == 0, run.output
    assert "Too few sessions" in run.stdout
    assert pl.read_parquet(out).equals(table(outlook))
