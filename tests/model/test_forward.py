"""The forward-model rows of the acceptance table, on fewer people than the validation takes."""

from __future__ import annotations

from collections.abc import Iterable
from math import nan
from pathlib import Path
from shutil import copytree, ignore_patterns

import numpy as np
import pytest
from msgspec.structs import replace

from model import absurd, forward, one_copy, posterior
from model.ledger import unexplained
from model.rows import Row
from model.virtual_trials import AC, TRIALS, published
from predictions import prediction, withheld


def failed(rows: Row | Iterable[Row]) -> list[Row]:
    """The lines that miss their target; at least one was measured."""
    measured = [rows] if isinstance(rows, Row) else list(rows)
    assert measured
    return [row for row in measured if not row.passed]


@pytest.mark.parametrize("row", [forward.row_1, forward.row_2, forward.row_4, forward.row_5])
def test_equations(row):
    assert not failed(row())


def test_donation_is_made_good_in_time():
    assert not failed(forward.row_3(500))


def test_ledger_finds_a_changed_equation():
    m = published()
    slower = replace(m, constants=m.constants._replace(progenitor_days=6.01))
    assert unexplained(m, 60, 20) < 1e-9 < unexplained(slower, 60, 20)


def test_daily_step_is_closer_to_the_reference_the_less_is_killed():
    away = [abs(forward.away_from_ode(TRIALS[0], spreads)).max() for spreads in (-2.0, 0.0, 2.0)]
    assert away == sorted(away)
    assert away[0] < 0.05
    assert away[2] > 0.1
    assert abs(forward.away_from_ode(AC)).max() > 1e-3  # the reference is another calculation


def test_absurd_people_stay_finite_and_not_negative():
    states = absurd.course_of_absurd(400)
    assert np.isfinite(states).all()
    assert states.min() >= 0.0


@pytest.mark.trust("H5.3")
def test_absurd_records_are_answered_or_refused():
    found = absurd.tried(absurd.absurd_records(40))
    assert not found.wrong
    assert found.answered
    assert found.refused


@pytest.mark.parametrize("name", absurd.WILD)
def test_an_enormous_number_is_answered_or_refused(name):
    assert not absurd.tried([absurd.wild(name)]).wrong


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"mean": nan}, "not finite"),
        ({"q05": -0.1}, "below 0"),
        ({"mean": 25.1}, "outside 2-25"),
        ({"mean": 1.9}, "outside 2-25"),
    ],
)
def test_nonsense_in_a_prediction_is_found(change, fault):
    told = prediction()
    days = (replace(told.days[0], **change), *told.days[1:])
    assert not list(absurd.faults(told))
    assert any(fault in found for found in absurd.faults(replace(told, days=days)))


def test_a_refusal_needs_a_reason():
    assert not list(absurd.faults(withheld("no-counts")))
    assert list(absurd.faults(replace(withheld("no-counts"), reason=None)))


@pytest.mark.parametrize("name", absurd.LACKING)
def test_record_that_lacks_something(name):
    found = absurd.tried([absurd.lacking(name)])
    assert not found.wrong
    assert found.answered + found.refused == 1


@pytest.mark.trust("H5.3")
@pytest.mark.parametrize("name", ["no count", "the newest count 5 years old"])
def test_nothing_recent_is_refused(name):
    assert absurd.tried([absurd.lacking(name)]).refused == 1


@pytest.mark.parametrize("name", ["no weight", "no dose record", "1 count", "a gap of 5 years"])
def test_little_is_enough_for_a_forecast(name):
    assert absurd.tried([absurd.lacking(name)]).answered == 1


def test_one_count_more_from_the_last_posterior():
    same, _ = forward.row_20(5)  # the time is measured in the validation, on a quiet machine
    assert same.passed, same


def test_a_seed_fixes_every_bit():
    assert not failed(forward.row_21(1))


@pytest.mark.trust("S3.4")
def test_attribution_is_exact():
    assert not failed(forward.row_23(3))


def test_what_if_moves_the_right_way():
    assert not failed(forward.row_24(3))


def test_what_if_has_an_effect():
    one = next(a for a in posterior.asked(3) if any(d.planned for d in a.seen.history.doses))
    f = posterior.fit(one.model, one.seen.history, posterior.HORIZON)
    wrong, worst, tried = posterior._against([f], posterior._more_dose, 1.0)
    assert wrong > 0
    assert worst > 0.01
    assert tried == 1


# -- one copy of the equations ---------------------------------------------------------------------


def test_there_is_one_copy_of_the_equations():
    assert not failed(forward.row_25())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The program's source, to be spoiled."""
    skip = ignore_patterns("__pycache__", "*.toml", "templates", "static")
    return Path(copytree(one_copy.SOURCE, tmp_path / "redcell", ignore=skip))


def test_a_copy_under_other_names_is_found(source: Path):
    assert not list(one_copy.second_copies(source))
    text = (source / one_copy.HOME).read_text()
    for name in ("step", "feedback", "maturation", "capacity", "progenitors", "hb", *KEPT):
        text = text.replace(name, f"q{name[::-1]}")
    (source / "population" / "quick.py").write_text(text)
    assert list(one_copy.second_copies(source)) == ["population/quick.py computes the same"]


KEPT = tuple(one_copy.Constants._fields)


def test_code_that_reads_the_constants_is_found(source: Path):
    (source / "plan" / "recovery.py").write_text("def rate(c):\n    return 1.0 / c.marrow_days\n")
    (source / "plan" / "stem.py").write_text("KEY = 'erythropoiesis.stem_days'\n")
    assert list(one_copy.second_copies(source)) == [
        "plan/recovery.py reads marrow_days",
        "plan/stem.py reads erythropoiesis.stem_days",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "from redcell.elsewhere import step\nstep()",
        "from redcell.erythropoiesis.dynamics import step\ndef step(): ...\nstep()",
        "from redcell.erythropoiesis.dynamics import step",
    ],
)
def test_a_driver_with_a_step_of_its_own_is_found(text):
    assert not one_copy.uses_the_step(text)
