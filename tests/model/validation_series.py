"""Rows 14 and 15, on the public series beside the project, and the figures of all three of them."""

from __future__ import annotations

from functools import cache
from statistics import fmean

from msgspec import Struct

from model.rows import Row
from model.series import cdisc, mimic, primaquine, report
from model.series.redcell_forecaster import Redcell
from model.series.report import Judged
from model.series.row_14 import LIMIT, ratio
from model.series.row_14 import row_14 as with_site_noise
from model.series.tasks import DATA, NEEDED
from model.validation import UnmeasuredError

LEAST_QUIET = 0.98
RISE = (0.6, 1.2)
MOST_ERROR = 1.0


class RealSeries(Struct, frozen=True):
    """Figures of the public series, never their data."""

    published: Judged
    site: Judged
    transfusions: tuple[str, ...]
    recovery: tuple[str, ...]


def absent() -> str:
    """Why the series cannot be read; empty when they can."""
    lacking = [name for name in NEEDED if not (DATA / name).is_dir()]
    return (
        f"the public series are not beside the checkout ({', '.join(lacking)})" if lacking else ""
    )


def _needed() -> None:
    if absent():
        raise UnmeasuredError(absent())


@cache
def real_series() -> RealSeries:
    """Everything about the three series."""
    _needed()
    people = cdisc.series()
    return RealSeries(
        report.judge(people, Redcell()),
        _site(),
        tuple(report.transfusion_lines()),
        tuple(report.recovery_lines()),
    )


@cache
def _site() -> Judged:
    return with_site_noise()


def row_14() -> list[Row]:
    """Stable people: against the last value with site noise, and no alert for those who are well."""
    _needed()
    found = ratio(_site())
    people = cdisc.series()
    well = len(cdisc.always_well(people))
    quiet = report.alert_free(people, Redcell())
    return [
        Row(
            14,
            f"CDISC, 28 d CRPS with site noise (n={_site()['28 d']['redcell'].n})",
            f"<= last value x {LIMIT:.2f}",
            f"{_site()['28 d']['redcell'].crps:.3f} g/dL; x {found:.3f}",
            found <= LIMIT,
        ),
        Row(
            14,
            "CDISC, no alert for people whose hemoglobin is always 12 or more",
            f">= {LEAST_QUIET:.0%} of them",
            f"{quiet} of {well}",
            quiet >= LEAST_QUIET * well,
        ),
    ]


def row_15() -> list[Row]:
    """What a unit did in intensive care; drug-induced hemolysis and the recovery from it."""
    _needed()
    pairs = [(s, e) for s in mimic.stays() for e in mimic.episodes(s) if e.steady]
    rise = report.fitted_median(pairs)
    people = len({stay.person for stay, _ in pairs})
    return [
        Row(
            15,
            f"MIMIC-III demo, median fitted rise per unit ({people} people)",
            f"{RISE[0]}-{RISE[1]} g/dL",
            f"{rise:.2f} g/dL",
            RISE[0] <= rise <= RISE[1],
        ),
        *(line for device in primaquine.DEVICES for line in _primaquine(device)),
    ]


def _primaquine(device: primaquine.Device) -> list[Row]:
    episodes, redcell = primaquine.episodes(), Redcell()
    during = [redcell.at(s, p.time) for s, p in primaquine.while_abnormal(episodes, device)]
    kept = sum(p.status == "withheld" for p in during)
    rows = [
        Row(
            15,
            f"primaquine, {device}: withheld while hemolysis tests are abnormal",
            "all",
            f"{kept} of {len(during)}",
            kept == len(during),
        )
    ]
    tasks = list(primaquine.recovery(episodes, device, "first-normal"))
    said = [(t, redcell(t)) for t in tasks]
    errors = [abs(t.truth - g.mean) for t, g in said if g is not None]
    last = fmean(abs(t.truth - t.known[-1].hemoglobin) for t in tasks)
    figure = f"{fmean(errors):.2f} g/dL (last value {last:.2f})" if errors else "all withheld"
    rows.append(
        Row(
            15,
            f"primaquine, {device}: recovery from the first normal tests, MAE (n={len(errors)})",
            f"<= {MOST_ERROR:.1f} g/dL",
            figure,
            bool(errors) and fmean(errors) <= MOST_ERROR,
        )
    )
    return rows
