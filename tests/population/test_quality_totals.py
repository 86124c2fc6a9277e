"""Totals of practice: shares, intervals, and small counts that cannot be had in any way."""

from __future__ import annotations

import json
import re
from itertools import count
from xml.etree import ElementTree

import polars as pl
import pytest
from click.testing import CliRunner

from builder import AT
from redcell.api import moment_of
from redcell.cli.quality import quality
from redcell.errors import RedcellError
from redcell.knowledge.load import knowledge
from redcell.population.quality import MEASURES, Event, shown, totals
from redcell.population.quality.look import Practice, look
from redcell.population.quality.page import event_page, page
from redcell.population.quality.table import events, measures
from redcell.population.quality.text import text
from redcell.population.quality.totals import interval, wilson
from redcell.population.synthesize.folder import write_folder

K = knowledge()
NAME = MEASURES[0].name
TIME = "2026-11-20T09:00:00Z"


def some(finding: str, people: int, each: int = 1, reason: str = "", start: int = 0) -> list[Event]:
    return [
        Event(NAME, f"p{start + p}", AT, finding, reason, "7.5 g/dL", (f"Procedure/{p}-{i}",))
        for p in range(people)
        for i in range(each)
    ]


def line(found: list[Event], smallest: int = 11):
    return shown(totals(found)[0], smallest)


# -- shares and intervals --------------------------------------------------------------------------


def test_a_share_is_of_events_and_its_interval_of_people():
    found = [*some("counted", 20, each=10), *some("not-counted", 80, start=20)]
    total = totals(found)[0]
    assert total.share == pytest.approx(200 / 280)
    assert (total.numerator.people, total.denominator.people) == (20, 100)
    alone = totals([*some("counted", 200), *some("not-counted", 80, start=200)])[0]
    assert total.high - total.low > 1.5 * (alone.high - alone.low)


def test_the_interval_is_that_of_the_ratio():
    """By hand: 30 people with one event each, 12 of them counted."""
    low, high = interval([*some("counted", 12), *some("not-counted", 18, start=12)])
    away = 1.959964 * (0.4 * 0.6 * 30 / 29 / 30) ** 0.5
    assert (low, high) == (pytest.approx(0.4 - away, abs=1e-5), pytest.approx(0.4 + away, abs=1e-5))


def test_where_all_agree_the_interval_is_wilsons():
    assert interval(some("counted", 12, each=3)) == wilson(1.0, 12)
    assert wilson(1.0, 12) == (pytest.approx(0.7575, abs=1e-4), 1.0)
    assert wilson(0.0, 12)[0] == pytest.approx(0.0, abs=1e-12)
    assert interval([]) == (None, None)


# -- small counts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counted", "rest", "numerator", "denominator"),
    [
        (11, 11, 11, 22),
        (10, 40, None, 50),  # the numerator is small
        (40, 10, None, 50),  # its complement is: 50 - 40 would tell
        (0, 11, 0, 11),  # nobody is no small count
        (11, 0, 11, 11),
        (10, 0, None, None),
        (0, 10, None, None),
        (0, 0, 0, 0),
    ],
)
def test_both_sides_of_eleven(counted, rest, numerator, denominator):
    found = line([*some("counted", counted), *some("not-counted", rest, start=counted)])
    assert (found.numerator, found.denominator) == (numerator, denominator)
    assert (found.share is None) is (numerator is None or not denominator)
    assert (found.low is None) is (found.share is None)


def test_people_are_what_is_small_not_events():
    assert line(some("counted", 5, each=40)).denominator is None
    found = line([*some("counted", 10, each=5), *some("not-counted", 40, start=10)])
    assert (found.numerator, found.people_counted, found.denominator) == (None, None, 90)


@pytest.mark.parametrize(("people", "seen"), [(10, None), (11, 11)])
def test_reasons_are_counted_the_same_way(people, seen):
    found = line([*some("counted", 20), *some("excluded", people, reason="hospice")])
    assert found.excluded == {"hospice": seen}


@pytest.mark.trust("H8.3")
def test_no_hidden_number_follows_from_those_that_are_shown():
    """For every small table: what is shown fits several values of what is hidden."""
    for hit in range(24):
        for rest in range(24):
            seen = line([*some("counted", hit), *some("not-counted", rest, start=hit)])
            if seen.numerator is not None:
                assert hit == 0 or hit >= 11
                assert rest == 0 or rest >= 11
            elif seen.denominator is not None:
                fits = [n for n in range(seen.denominator + 1) if _same(n, seen)]
                assert len(fits) > 1


def _same(hit: int, seen) -> bool:
    rest = seen.denominator - hit
    other = line([*some("counted", hit), *some("not-counted", rest, start=hit)])
    return (other.numerator, other.denominator, other.people) == (
        None,
        seen.denominator,
        seen.people,
    )


def test_people_without_any_counted_event_are_not_given_away():
    """15 people, 12 with a counted event: 3 without one would follow from the two counts."""
    found = line([*some("counted", 12), *some("not-counted", 15)])
    assert (found.numerator, found.denominator) == (12, 27)
    assert found.people is None


def test_the_site_sets_the_smallest_count(tmp_path):
    file = tmp_path / "site.toml"
    file.write_text(
        '[policy]\nname = "S"\n[quality.smallest_count]\nvalue = 5\nsource = "our privacy office"\n'
    )
    practice = Practice(AT, 365, 30, [*some("counted", 5), *some("not-counted", 25, start=5)])
    assert measures(practice, K)["numerator"][0] is None
    assert measures(practice, knowledge(file))["numerator"][0] == 5


ASKED, GRADE_3, IRON = (
    "symptoms-not-asked",
    "grade-3-without-count",
    "iron-deficiency-not-looked-for",
)


def days(measure: str, people: int, each: int = 1, start: int = 0) -> list[Event]:
    """Days of people from a number on, one after another, none of them counted."""
    return [
        Event(measure, f"p{p}", AT.plus(-day), "not-counted")
        for p in range(start, start + people)
        for day in range(each)
    ]


def lines_of(found: list[Event], everybody: int = 500):
    return {one.measure.name: one for one in (shown(t, 11) for t in totals(found, everybody))}


@pytest.mark.trust("H8.3")
@pytest.mark.parametrize("inner", [GRADE_3, IRON])
@pytest.mark.parametrize(("more", "seen"), [(0, 40), (1, None), (10, None), (11, 40)])
def test_a_few_days_do_not_follow_from_a_wider_measure(inner, more, seen):
    """Every day of grade 3 is one of grade 2 or 3: 43 less 40 would tell of three."""
    by = lines_of([*days(inner, 40), *days(ASKED, 40 + more)])
    assert by[ASKED].denominator == 40 + more
    assert (by[inner].denominator, by[inner].numerator) == (seen, None if seen is None else 0)


@pytest.mark.trust("H8.3")
def test_many_days_of_few_people_do_not_follow_from_a_wider_measure():
    by = lines_of([*days(GRADE_3, 40), *days(ASKED, 40), *days(ASKED, 2, each=20, start=40)])
    assert (by[ASKED].denominator, by[GRADE_3].denominator) == (80, None)


@pytest.mark.trust("H8.3")
def test_few_people_outside_do_not_follow_from_a_wider_measure():
    """43 people with days of grade 2 or 3, 40 of them with an episode: three have none."""
    by = lines_of([*days(IRON, 40), *days(ASKED, 43, each=4)])
    assert (by[IRON].denominator, by[IRON].people) == (40, None)
    assert (by[ASKED].denominator, by[ASKED].people) == (172, 43)


@pytest.mark.trust("H8.3")
@pytest.mark.parametrize(
    ("everybody", "seen"), [(40, 40), (41, None), (50, None), (51, 40), (None, 40)]
)
def test_few_people_outside_do_not_follow_from_everybody(everybody, seen):
    assert lines_of(days(ASKED, 40), everybody)[ASKED].people == seen


@pytest.mark.trust("H8.3")
def test_the_interval_does_not_give_people_away():
    """Where all agree it is Wilson's, from which the 40 people would follow."""
    assert lines_of(days(ASKED, 40), 51)[ASKED].high == wilson(0.0, 40)[1]
    hidden = lines_of(days(ASKED, 40), 43)[ASKED]
    assert (hidden.share, hidden.low, hidden.high) == (0, None, None)


def test_nobody_is_shown_beside_a_few():
    by = lines_of(days(ASKED, 5), 5)
    assert (by[ASKED].denominator, by[ASKED].people) == (None, None)
    assert (by[GRADE_3].denominator, by[GRADE_3].people) == (0, 0)


def test_a_bar_without_an_interval_is_drawn():
    found = page(Practice(AT, 365, 43, days(ASKED, 40)), K)
    assert "0\u00a0% of 40" in found
    assert "few people, not shown" not in found


@pytest.mark.trust("H8.3")
@pytest.mark.parametrize(
    ("people", "said"), [(0, "0 people"), (1, "fewer than 11 people"), (11, "11 people")]
)
def test_a_small_source_does_not_say_how_small(people, said):
    practice = Practice(AT, 365, people, [])
    assert f", {said}." in text(practice, K)
    assert f", {said}." in page(practice, K)


def test_the_page_says_what_a_dash_is_where_people_alone_are_left_out():
    found = [*some("counted", 12, each=2), *some("not-counted", 15)]
    assert '<td class="n">-</td>' in page(Practice(AT, 365, 100, found), K)
    assert "fewer than 11 people" in page(Practice(AT, 365, 100, found), K)


@pytest.mark.trust("H8.3")
def test_every_day_of_a_measure_is_one_of_the_wider_one(practice):
    """What the totals take for granted, in the records of invented people."""
    by = {name: set() for name in (ASKED, GRADE_3, IRON)}
    for event in practice.events:
        if event.measure in by and event.finding != "excluded":
            by[event.measure].add((event.patient, event.time.day))
    assert by[GRADE_3] < by[ASKED]
    assert by[IRON] < by[ASKED]


# -- what is written -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quality") / "people"
    write_folder(folder, 24, seed=5, at=moment_of(TIME), months=8)
    return folder


@pytest.fixture(scope="module")
def practice(source):
    return look(source, moment_of(TIME), K, workers=1)[0]


def test_the_table_has_one_row_for_each_measure(practice):
    table = measures(practice, K)
    assert table["measure"].to_list() == [m.name for m in MEASURES]
    assert table.schema["numerator"] == pl.Int64()
    assert not any(
        "{" in cell for name in ("title", "counts", "of", "without") for cell in table[name]
    )
    assert set(table["rules"].explode()) <= set(K.rules)


def test_every_measure_has_events_in_invented_people(practice):
    table = events(practice)
    assert set(table["measure"]) >= {m.name for m in MEASURES} - {"esa-outside-conditions"}
    assert set(table["finding"]) >= {"counted", "not-counted"}
    assert table["evidence"].list.len().min() >= 1


def test_evidence_can_be_opened(source, practice):
    """Every reference is a resource of that patient in the source."""
    known = {}
    for file in source.glob("*.ndjson"):
        for row in file.read_text().splitlines():
            one = json.loads(row)
            if "resourceType" in one:
                name = f"{one['resourceType']}/{one['id']}"
                known[name] = (one.get("subject") or one.get("patient") or {}).get("reference")
    for event in practice.events:
        for reference in event.evidence:
            assert known[reference.partition("#")[0]] == f"Patient/{event.patient}"


def test_the_order_of_the_source_changes_nothing(source, practice, tmp_path):
    for number, file in zip(count(), sorted(source.glob("*.ndjson"), reverse=True)):
        rows = [r for r in file.read_text().splitlines(keepends=True) if '"resourceType"' in r]
        (tmp_path / f"{number}.ndjson").write_text("".join(reversed(rows)))
    assert look(tmp_path, moment_of(TIME), K, workers=1)[0].events == practice.events


def test_the_page_holds_no_patient_and_its_chart_is_told_in_words(practice):
    made = page(practice, K)
    assert "demo-" not in made
    named = re.sub(r'xmlns="[^"]*"|http-equiv', "", made).replace("https://doi", "")
    assert "http" not in named
    picture = re.search(r"<svg.*?</svg>", made, re.DOTALL).group(0)
    svg = ElementTree.fromstring(picture)  # noqa: S314  (our own page)
    assert svg.get("role") == "img"
    words = {child.tag.rpartition("}")[2]: child.text for child in svg}
    assert all(m.said(m.title, K) in words["desc"] for m in MEASURES)
    assert made.count("<h3") == len(MEASURES)
    assert "prefers-color-scheme:dark" in made
    assert "events.html" not in made
    assert "events.html" in page(practice, K, listed=True)


@pytest.mark.parametrize("made", [page, event_page])
def test_a_page_runs_and_loads_nothing(practice, made):
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    assert f'http-equiv="Content-Security-Policy" content="{policy}"' in made(practice, K)


def test_the_list_names_every_counted_event(practice):
    made = event_page(practice, K)
    for event in practice.events:
        if event.finding == "counted":
            assert event.evidence[0] in made


def test_the_command_writes_no_patient_unless_asked(source, tmp_path):
    out = tmp_path / "made"
    run = CliRunner().invoke(
        quality, [str(source), "--at", TIME, "--out", str(out), "--workers", "1"]
    )
    assert run.exit_code == 0, run.output
    assert sorted(p.name for p in out.iterdir()) == ["quality.html", "quality.parquet"]
    assert "demo-" not in run.stdout
    asked = [str(source), "--at", TIME, "--out", str(out), "--workers", "1", "--events"]
    assert CliRunner().invoke(quality, asked).exit_code == 0
    assert pl.read_parquet(out / "events.parquet").height > 0
    alone = CliRunner().invoke(quality, [str(source), "--events"])
    assert alone.exit_code == 2


def test_the_text_says_what_a_dash_is(practice):
    said = text(practice, K)
    assert "fewer than 11 people" in said
    assert said.count("\n") >= len(MEASURES)


@pytest.mark.parametrize(
    "more",
    [["--at", "0001-01-01"], ["--at", "9999-12-31T23:59:59Z"], ["--at", TIME, "--days", "10" * 9]],
)
def test_a_period_outside_of_the_calendar_is_bad_use(source, more):
    run = CliRunner().invoke(quality, [str(source), *more])
    assert isinstance(run.exception, RedcellError | SystemExit)
    assert run.exit_code


def test_the_longest_period_of_the_earliest_moment(source):
    asked = [str(source), "--at", "1900-01-01", "--days", "36525", "--workers", "1"]
    run = CliRunner().invoke(quality, asked)
    assert run.exit_code == 0, run.output
    assert run.stdout.startswith("Practice from 1799-12-31 to 1900-01-01")
