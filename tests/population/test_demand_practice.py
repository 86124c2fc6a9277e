"""A site's practice learned from days that are over, on clinics whose practice is known."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import cache

import numpy as np
import pytest
from msgspec.structs import replace

from builder import AT, red_cells
from redcell.population.demand.moments import before_of
from redcell.population.demand.outlook import Outlook
from redcell.population.demand.practice import ENOUGH, ahead, learn
from redcell.population.demand.score import Judged, band
from redcell.population.demand.table import table
from redcell.population.demand.text import text
from redcell.population.demand.totals import HORIZON, together
from redcell.population.demand.window import LEVELS, Seen, Window, shares_of
from redcell.prediction import Day, Prediction

HOURS = (2.0, 4.0)
FIRST = AT.day + timedelta(days=1)
CLINICS = {"north": 7.0, "south": 8.4}
RATE = 0.06


@cache
def around(middle: float) -> np.ndarray:
    """The levels of somebody whose counts ahead lie around a hemoglobin."""
    days = tuple(
        Day(d, AT.day + timedelta(days=d), middle, 0.6, *[middle] * 5)
        for d in range(1, HORIZON + 1)
    )
    return shares_of(Prediction(AT, "ok", 0, {}, days=days))


def person(chance, site: str) -> Seen:
    """Somebody of a site, whose counts ahead lie around some hemoglobin."""
    shares = around(round(chance.uniform(6.0, 12.0), 1))
    symptoms = "yes" if chance.random() < 0.3 else "no"
    return Seen(site, ("O+", "A-")[int(chance.integers(2))], symptoms, "ok", shares)


def window(seed: int, people: int = 150, place: int = 0) -> Window:
    """A moment with the red cells that the clinics' own thresholds make."""
    chance = np.random.default_rng([seed, 100 + place])
    at = AT.plus(HORIZON * place)
    found = Window(at)
    for site, threshold in CLINICS.items():
        for _ in range(people):
            seen = person(chance, site)
            rates = RATE / (1.0 + np.exp((LEVELS - threshold) / 0.25))
            often = seen.shares @ rates * (2.0 if seen.symptoms == "yes" else 1.0)
            units = 2.0 if site == "south" else 1.0
            came = np.flatnonzero(chance.random(HORIZON) < often).tolist()
            found.add(seen, {at.day + timedelta(days=day + 1): units for day in came})
    for _ in range(20):
        unseen = Seen("north", "O+", "unknown", "counts-too-old")
        came = chance.random() < 0.2
        found.add(unseen, {at.day + timedelta(days=3): 1.0} if came else {})
    return found


@pytest.fixture(scope="module")
def learned():
    return learn([window(5, place=-n) for n in range(1, 7)])


def test_each_clinics_threshold_units_and_symptoms_are_found(learned):
    for site, threshold in CLINICS.items():
        assert learned.curves[site].threshold == pytest.approx(threshold, abs=0.4)
    assert learned.units["south"][1] > 0.8
    assert learned.units["north"][1] < 0.2
    symptoms = learned.factors.symptoms
    assert symptoms["yes"] / symptoms["no"] == pytest.approx(2.0, rel=0.3)
    shape, span = learned.unseen["counts-too-old"]
    assert shape / span == pytest.approx(0.2 / HORIZON, rel=0.5)


def test_the_days_of_the_moment_itself_are_not_looked_at(learned):
    one, other = window(9), window(9)
    other.sessions.clear()
    other.units[:] = 0.0
    first, second = ahead(learned, one, HOURS, 1), ahead(learned, other, HOURS, 1)
    assert all((first[key].units == second[key].units).all() for key in first)


def test_few_sessions_teach_nothing():
    few = window(5, people=2, place=-1)
    del few.sessions[ENOUGH - 1 :]
    assert learn([few]) is None
    assert learn([]) is None


def test_a_site_with_few_sessions_leans_on_the_others(learned):
    windows = [window(5, place=-n) for n in range(1, 7)]
    one = ("O+", "no", "never")
    windows[0].shares["new", *one] = windows[0].shares["north", *one] * 0.02
    lent = learn(windows).curves["new"]
    assert lent.sessions == 0
    assert min(CLINICS.values()) < lent.threshold < max(CLINICS.values())
    assert learned.elsewhere.threshold == pytest.approx(lent.threshold, abs=0.5)


def test_totals_and_bands_hold_over_many_clinics():
    given, expected, days = 0.0, 0.0, []
    for seed in range(8):
        practice = learn([window(seed, place=-n) for n in range(1, 5)])
        now = window(seed)
        total = together(ahead(practice, now, HOURS, 1).values(), now.at.plus(1).day)
        given += now.units.sum()
        expected += total.units.sum(axis=1).mean()
        days += [
            Judged(total.units[:, i], now.units[i], np.zeros(1), np.zeros(1))
            for i in range(HORIZON)
        ]
    assert expected / given == pytest.approx(1.0, abs=0.1)
    assert band(days, 0.8).even == pytest.approx(0.8, abs=0.06)


def again(count: int = 2000, early: float = 1.0) -> Window:
    """A moment of one clinic that transfuses those more whom it has transfused before."""
    chance, found = np.random.default_rng(3), Window(AT.plus(-HORIZON))
    days = np.where(np.arange(HORIZON) < 7, early, 1.0)
    for _ in range(count):
        before = ("often", "never")[int(chance.integers(2))]
        shares = around(round(chance.uniform(6.0, 9.0), 1))
        often = shares @ (RATE / (1.0 + np.exp((LEVELS - 7.0) / 0.25))) * days
        came = np.flatnonzero(chance.random(HORIZON) < often * (1.0 if before == "often" else 0.4))
        seen = Seen("north", "O+", "no", "ok", shares, before)
        found.add(seen, {found.at.day + timedelta(days=int(day) + 1): 1.0 for day in came})
    return found


def test_who_was_given_red_cells_before_gets_them_more_often():
    before = learn([again()]).factors.before
    assert before["never"] / before["often"] == pytest.approx(0.4, rel=0.2)
    weeks = learn([again(early=2.0)]).factors.weeks
    assert weeks[0] / weeks[1:].mean() == pytest.approx(2.0, rel=0.2)
    assert learn([again()]).factors.weeks == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(
    ("days", "expected"),
    [((), "never"), ((-57,), "earlier"), ((-56,), "recent"), ((-40, -10), "recent"),
     ((-40, -20, -10), "often"), ((-20, -10, -10.1), "recent"), ((-60, -20, -10), "recent")],
)  # fmt: skip
def test_how_often_red_cells_were_given_is_counted_in_days(days, expected):
    assert before_of([red_cells(day) for day in days], AT) == expected


def test_factors_keep_the_sum():
    """With sessions enough what is expected of the days that are over is what came."""
    seen = again(early=2.0)
    total = together(ahead(learn([seen]), seen, HOURS, 1).values(), FIRST).units
    assert total.sum(axis=1).mean() == pytest.approx(seen.units.sum(), rel=0.05)


def test_people_who_come_later_are_no_part_of_a_moment(learned):
    """What they are given is learned beside the size of the clinic, not person by person."""
    later = Seen("north", "unknown", "unknown", "new")
    windows = [again(200) for _ in range(3)]
    for one in windows:
        for n in range(40):
            one.add(later, {one.at.day + timedelta(days=20): 1.0} if n < 30 else {})
    assert windows[0].known == {"north": 200}
    assert not windows[0].unseen
    shape, span = learn(windows).newcomers
    assert (shape, span) == (90.5, 1600.0)
    now = again(1000)
    days = ahead(learn(windows), now, HOURS, 1)["north", "unknown"].units
    assert days.sum(axis=1).mean() == pytest.approx(1000 * shape / span, rel=0.1)
    assert days[:, :14].sum() < days[:, 14:].sum() / 2
    early = Window(AT)
    for _ in range(50):
        early.add(later, {})
    assert learn([*windows, early]).newcomers == (shape, span)


def test_a_refusal_needs_nothing(learned):
    now = Window(AT)
    now.add(Seen("north", "O+", "unknown", "declined"), {})
    nothing = ahead(learned, now, HOURS, 1)["north", "O+"]
    assert not nothing.units.any()
    assert nothing.people == 1


def test_the_weekday_of_a_site_is_found():
    found = window(5)
    mondays = [n for n in range(1, HORIZON + 1) if found.weekday(n) == 0]
    found.sessions = [replace(s, ahead=mondays[s.ahead % 4]) for s in found.sessions]
    learned = learn([found])
    assert learned.weekdays.argmax() == 0
    assert learned.weekdays.mean() == pytest.approx(1.0)
    days = together(ahead(learned, window(9), HOURS, 1).values(), found.at.plus(1).day).units
    assert days[:, [n - 1 for n in mondays]].sum() > 0.5 * days.sum()


def test_the_table_and_the_text_are_of_the_practice(learned):
    now = window(9)
    outlook = Outlook(now.at, [], Counter(ok=300), practice=learned)
    outlook.practiced = ahead(learned, now, HOURS, 1)
    found = table(outlook)
    whole = found.filter((found["by"] == "all") & (found["period"] == "28-days"))
    parts = found.filter((found["by"] == "site-and-blood-group") & (found["period"] == "28-days"))
    assert whole["units_mean"].item() == pytest.approx(parts["units_mean"].sum())
    assert whole["people"].item() == parts["people"].sum() == 320
    assert found["basis"].unique().to_list() == ["practice"]
    assert "Basis: as practiced, learned from" in text(outlook)
    assert "south                red cells below about 8." in text(outlook)
