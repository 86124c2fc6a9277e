"""A site's calibration: the likelihood, what it learns, what it leaves alone, and its file."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from math import log

import numpy as np
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from redcell.errors import RedcellError
from redcell.erythropoiesis.fit import fit
from redcell.erythropoiesis.gaussian import covariance, shock_covariance
from redcell.erythropoiesis.history import Count, Given, History
from redcell.erythropoiesis.priors import EFFICACY, FIRST, SET, Noise, model
from redcell.forecasting import Calibration, forecast, read_calibration
from redcell.knowledge.load import knowledge
from redcell.population.calibrate import calibrate, write
from redcell.population.calibrate.backtest import Origin, Outcome, crps, origins, score, spread
from redcell.population.calibrate.check import judged
from redcell.population.calibrate.evidence import chunks, evidence, log_likelihood
from redcell.population.calibrate.learn import Learned, best_noise, learn, shrunken
from redcell.population.calibrate.recalibrate import CENTER, FEWEST_EVENTS, platt
from redcell.prediction import Day
from redcell.record.measured import Measured
from redcell.record.moment import on_day, utc
from redcell.record.patient import Patient
from redcell.record.record import assemble
from redcell.record.transfusions import Transfusion

stats = pytest.importorskip("scipy.stats", reason="the extra `cohort` is not installed")

K = knowledge()
M = model(K)
ZERO = datetime(2026, 1, 5, 9, tzinfo=UTC)
QUIET = Noise(assay=0.15, plasma=0.008, plasma_days=10.0, production=0.1, production_days=10.0)


def history(values, every=14, **more):
    counts = tuple(Count(i * every, v) for i, v in enumerate(values))
    return History(counts=counts, now=counts[-1].day, **more)


def people(number, noise, seed=3, counts=6):
    """Histories of stable people whose counts have exactly this noise."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(number):
        level = float(rng.normal(13.0, 0.5))
        e = evidence(fit(M, history([level] * counts), 0))
        shocks = shock_covariance(np, e.response.shape[1], noise)
        at = (e.day, e.expected, e.response)
        k = covariance(np, at, at, shocks, noise) + noise.assay**2 * np.eye(counts)
        found.append(history(level + np.linalg.cholesky(k) @ rng.standard_normal(counts)))
    return found


def record(name, values, every=14, transfused=(), born=None):
    rows = [
        Measured(
            "hemoglobin", float(v), "g/dL", utc(ZERO + timedelta(days=every * i)), f"{name}-{i}"
        )
        for i, v in enumerate(values)
    ]
    for day in transfused:
        start = utc(ZERO + timedelta(days=day, hours=2))
        rows.append(Transfusion(start, start.plus(0.1), 1.0, f"{name}-t{day}"))
    return assemble(Patient(name, "female", born), rows)


def series(number, seed=1, counts=6, spread=0.15):
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(number):
        found = record(
            f"p{i:02}", np.round(rng.normal(12.8, 0.6) + rng.normal(0, spread, counts), 1)
        )
        rows.append((found, utc(ZERO + timedelta(days=14 * (counts - 1)))))
    return rows


# -- the likelihood --------------------------------------------------------------------------------


def told():
    transfused = history([9.0, 8.1, 9.6, 9.2], transfusions=(Given(20, 2.0),))
    return [
        evidence(fit(M, h, 0))
        for h in (history([12.1, 12.6, 11.9]), history([13.2] * 7, every=9), transfused)
    ]


def test_it_is_the_t_density_of_all_counts():
    e = told()[0]
    shocks = shock_covariance(np, e.response.shape[1], M.noise)
    at = (e.day, e.expected, e.response)
    k = covariance(np, at, at, shocks, M.noise) + M.noise.assay**2 * np.eye(3)
    scaled = e.slope * e.spread
    off = e.residual + e.slope @ (e.traits - e.center)
    density = stats.multivariate_t(np.zeros(3), k + scaled @ scaled.T, df=2 * M.scale_strength)
    assert log_likelihood(chunks([e]), M.noise, {}, M.scale_strength) == pytest.approx(
        density.logpdf(off)
    )


def test_it_is_the_product_of_the_densities_of_each_next_count():
    e = told()[2]
    shocks = shock_covariance(np, e.response.shape[1], M.noise)
    at = (e.day, e.expected, e.response)
    scaled = e.slope * e.spread
    k = covariance(np, at, at, shocks, M.noise) + M.noise.assay**2 * np.eye(4) + scaled @ scaled.T
    off = e.residual + e.slope @ (e.traits - e.center)
    total, a0 = 0.0, M.scale_strength
    for i in range(4):
        before, cross = k[:i, :i], k[i, :i]
        gain = np.linalg.solve(before, cross) if i else np.zeros(0)
        chi2 = off[:i] @ np.linalg.solve(before, off[:i]) if i else 0.0
        factor = (a0 + chi2 / 2) / (a0 + i / 2)
        sd = np.sqrt((k[i, i] - gain @ cross) * factor)
        total += stats.t.logpdf(off[i], df=2 * a0 + i, loc=gain @ off[:i], scale=sd)
    assert log_likelihood(chunks([e]), M.noise, {}, a0) == pytest.approx(total)


def test_people_of_different_length_add_up():
    rows = told()
    alone = [log_likelihood(chunks([e]), M.noise, {}, M.scale_strength) for e in rows]
    together = log_likelihood(chunks(rows), M.noise, {}, M.scale_strength)
    assert together == pytest.approx(sum(alone))


def test_other_priors_are_as_if_fitted_under_them():
    """Exact where the course is linear in the trait, so that the fit's own prior does not matter."""
    centers = {"women": (13.0, 0.6), "first": (12.0, 1.2)}
    h = history([12.1, 12.6, 11.9])
    other = replace(M, centers=M.centers | centers)
    one, two = evidence(fit(M, h, 0)), evidence(fit(other, h, 0))
    said = [
        log_likelihood(chunks([one]), M.noise, centers, M.scale_strength),
        log_likelihood(chunks([two]), M.noise, {}, M.scale_strength),
    ]
    assert said[0] == pytest.approx(said[1], abs=0.05)


def test_a_prior_concerns_those_who_have_it():
    one, _, transfused = told()
    assert {name for _, name in one.names} == {"women", "imbalance", "drift", "first"}
    assert (EFFICACY, "efficacy") in transfused.names
    man = evidence(fit(M, history([12, 12, 12], sex="male", infiltration=True), 0))
    assert {(SET, "men"), (FIRST, "first")} < set(man.names)
    assert "infiltrated" in {name for _, name in man.names}
    unsure = evidence(fit(M, history([12, 12, 12], site_unknown=True), 0))
    assert not {"drift", "infiltrated"} & {name for _, name in unsure.names}


# -- what is learned -------------------------------------------------------------------------------


def test_the_noise_of_a_quiet_site_is_found():
    parts = chunks([evidence(fit(M, h, 0)) for h in people(60, QUIET)])
    found = best_noise(M, parts, M.noise, M.centers)
    assert 0.10 < found.assay < 0.21
    assert found.plasma < 0.02
    assert found.production < 0.2
    better = log_likelihood(parts, found, {}, M.scale_strength)
    assert better > log_likelihood(parts, M.noise, {}, M.scale_strength) + 20


def test_few_people_move_the_noise_little():
    few, many = (
        best_noise(
            M, chunks([evidence(fit(M, h, 0)) for h in people(n, QUIET)]), M.noise, M.centers
        )
        for n in (2, 60)
    )
    for name in ("assay", "plasma", "production"):
        published = getattr(M.noise, name)
        assert 0 < log(published / getattr(few, name)) < log(published / getattr(many, name))


def test_too_few_people_change_nothing():
    found = learn(M, people(9, QUIET), lambda _: None)
    assert found.noise is None
    assert not found.centers
    assert "9 people" in found.left["noise"]


def test_life_feedback_and_most_production_are_never_learned():
    found = learn(M, people(12, QUIET), lambda _: None)
    assert found.noise is not None
    assert set(found.centers) == {"women", "imbalance", "drift", "first"}
    assert set(found.left) == {"men", "infiltrated", "efficacy"}
    assert found.centers["imbalance"][0] == 0.0
    assert found.applied(M).centers["lifespan"] == M.centers["lifespan"]


def test_priors_shrink_towards_the_published_ones():
    assert shrunken("women", (12.0, 0.5), (13.4, 0.9), 0) == pytest.approx((13.4, 0.9))
    middle, width = shrunken("women", (12.4, 0.4), (13.4, 0.9), 50)
    assert middle == pytest.approx(12.9)
    assert width == pytest.approx(0.6)
    assert shrunken("efficacy", (0.5, 0.3), (0.8, 0.3), 50)[0] == pytest.approx(0.4**0.5)


def test_what_was_not_learned_keeps_the_published_numbers():
    nothing = Learned(None, {}, {}, {})
    assert nothing.applied(M) == M


# -- the recalibration -----------------------------------------------------------------------------


def test_platt_finds_the_line():
    rng = np.random.default_rng(0)
    logit = rng.normal(-1.5, 1.2, 6000)
    happened = rng.random(6000) < 1 / (1 + np.exp(-(-0.7 + 0.8 * logit)))
    a, b = platt(list(1 / (1 + np.exp(-logit))), list(happened))
    assert a == pytest.approx(-0.7, abs=0.15)
    assert b == pytest.approx(0.8, abs=0.08)


def test_platt_without_data_is_what_was_said():
    assert platt([], []) == pytest.approx(tuple(CENTER))
    assert platt([0.0, 1.0], [True, False]) == pytest.approx(tuple(CENTER))


def outcome(probability, transfused, day=None, said=True):
    origin = Origin(utc(ZERO), 14 if day else None, 12.0, transfused)
    return Outcome(origin, said, day, probability)


@pytest.mark.parametrize(("events", "mended"), [(FEWEST_EVENTS - 1, False), (FEWEST_EVENTS, True)])
def test_it_takes_twenty_transfusions(events, mended):
    rows = [outcome(0.3, i < events) for i in range(200)]
    folds = [rows[::2], rows[1::2]]
    found = judged(folds, folds)
    assert (found.recalibration is not None) is mended
    assert found.transfusions.seen == events
    assert found.transfusions.expected_before == pytest.approx(60)
    if mended:
        assert found.transfusions.expected_after == pytest.approx(events, rel=0.25)
    else:
        assert f"{events} transfusions" in found.why
        assert found.transfusions.expected_after == pytest.approx(60)


def test_an_origin_withheld_on_one_side_counts_on_neither():
    rows = [outcome(0.2, True), outcome(0.0, True, said=False)]
    found = judged([rows[:1] * 2], [rows])
    assert found.transfusions.origins == 1


# -- earlier forecasts -----------------------------------------------------------------------------


def test_origins_have_two_counts_before_and_a_month_after():
    one = record("a", [12.0] * 6)
    found = origins(one, utc(ZERO + timedelta(days=70)))
    assert [(o.at.time - ZERO).days for o in found] == [28, 42]
    assert [o.ahead for o in found] == [14, 14]
    assert not any(o.transfused for o in found)


def test_at_most_six_origins_spread_out():
    assert spread(range(4), 6) == [0, 1, 2, 3]
    assert spread(range(31), 6) == [0, 6, 12, 18, 24, 30]
    assert len(origins(record("a", [12.0] * 40), utc(ZERO + timedelta(days=546)))) == 6


def test_a_transfusion_within_28_days_is_seen_and_ends_the_comparison():
    one = record("a", [8.0] * 8, transfused=(45,))
    found = {(o.at.time - ZERO).days: o for o in origins(one, utc(ZERO + timedelta(days=98)))}
    assert [day for day, o in found.items() if o.transfused] == [28, 42]
    assert found[28].ahead == 14
    assert found[42].ahead is None
    assert found[56].ahead == 14


def test_a_count_of_the_same_day_or_too_far_is_no_next_count():
    one = record("a", [9.0] * 4, every=100)
    assert [o.ahead for o in origins(one, utc(ZERO + timedelta(days=300)))] == [None]


def test_scores():
    day = Day(14, ZERO.date(), 12.2, 0.5, 11.3, 11.8, 12.2, 12.6, 13.1)
    assert score([outcome(0.1, False)]) is None
    found = score([outcome(0.1, False, day), outcome(0.1, False)])
    assert (found.counts, found.cover50, found.cover90) == (1, 1.0, 1.0)
    assert found.crps == pytest.approx(crps(12.2, 0.5, 12.0))


# -- the whole -------------------------------------------------------------------------------------


def test_the_order_of_the_people_changes_nothing():
    rows = series(11)
    one, two = calibrate(rows, K, checked=False), calibrate(rows[::-1], K, checked=False)
    assert one == two
    assert one[0].name.startswith("site-")


def test_a_calibration_makes_stable_people_surer_and_says_how_it_fares():
    rows = series(24, counts=7)
    made, report = calibrate(rows, K)
    assert (made.people, made.counts, made.made) == (24, 168, "2026-03-30")
    assert report.next_counts.after.crps < report.next_counts.before.crps
    assert report.transfusions.seen == 0
    assert made.recalibration is None
    assert "at least 20" in report.left_alone["P(transfusion)"]
    whole, at = rows[0]
    plain, site = (forecast(whole, at, K, calibration=c) for c in (None, made))
    assert site.days[27].sd < plain.days[27].sd
    assert site.version["calibration"] == made.name


def test_later_facts_do_not_enter():
    rows = series(11)
    later = [(record(r.patient.id, [m.value for m in r.results["hemoglobin"]] + [3.0]), at)
             for r, at in rows]  # fmt: skip
    assert calibrate(rows, K, checked=False)[0] == calibrate(later, K, checked=False)[0]


def test_people_who_cannot_be_used_are_counted():
    child = record("child", [12.0] * 4, born=datetime(2015, 1, 1, tzinfo=UTC).date())
    few = record("few", [12.0, 12.1])
    at = on_day(datetime(2026, 3, 1, tzinfo=UTC).date())
    _, report = calibrate([*series(10), (child, at), (few, at)], K, checked=False)
    assert report.left_out == {"under-18": 1, "few-counts": 1}
    with pytest.raises(RedcellError, match=r"Nobody has a series.*few-counts 1"):
        calibrate([(few, at)], K)


def test_without_scipy_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(RedcellError, match=r"redcell\[cohort\]"):
        calibrate(series(2), K)


def test_the_file_is_read_back(tmp_path):
    made = Calibration("site-1", "2026-01-01", 3, 9, QUIET, {"women": (13.0, 0.8)}, (0.1, 0.9))
    write(made, tmp_path / "site.json")
    assert read_calibration(tmp_path / "site.json") == made
    assert [p.name for p in tmp_path.iterdir()] == ["site.json"]


def bulk(folder, rows):
    folder.mkdir()
    lines = []
    for one, _ in rows:
        name = one.patient.id
        subject = {"reference": f"Patient/{name}"}
        lines.append({"resourceType": "Patient", "id": name, "gender": "female"})
        lines += [
            {
                "resourceType": "Observation",
                "id": f"{name}-{i}",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
                "subject": subject,
                "effectiveDateTime": m.time.iso(),
                "valueQuantity": {
                    "value": m.value,
                    "unit": "g/dL",
                    "system": "http://unitsofmeasure.org",
                    "code": "g/dL",
                },
            }
            for i, m in enumerate(one.results["hemoglobin"])
        ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "all.ndjson").write_text(text, encoding="utf-8")
    return folder


def test_the_command_reads_a_folder_and_writes_the_file(tmp_path):
    from redcell.cli.calibrate import calibrate as command

    rows = series(10)
    source, out = bulk(tmp_path / "export", rows), tmp_path / "site.json"
    done = CliRunner().invoke(command, [str(source), "--out", str(out), "--no-check"])
    assert done.exit_code == 0, done.output
    assert "10 people, 60 counts" in done.stdout
    assert "prior.lifespan: counts tell too little" in done.stdout
    assert "10 patients in the source" in done.stderr
    assert read_calibration(out) == calibrate(rows, K, checked=False)[0]

    more = ["--out", str(out), "--no-check", "--format", "json"]
    report = json.loads(CliRunner().invoke(command, [str(source), *more]).stdout)
    assert report["name"] == read_calibration(out).name
    assert report["next_counts"] is None


def test_the_text_names_every_number():
    _, report = calibrate(series(10), K, checked=False)
    text = "\n".join(report.lines())
    for title in ("sampling and assay", "set point, women", "drift of capacity"):
        assert title in text
    assert text.count("\n\n") >= 2
