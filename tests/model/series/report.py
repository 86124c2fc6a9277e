"""The figures of the public series, printed: who forecasts better, what a unit did, who recovers.

From the root of the project: `python -m tests.model.series`. Nothing is written.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median

from model.series import cdisc, mimic, primaquine
from model.series.gaussian_process import LastValue, Process
from model.series.redcell_forecaster import Redcell, fitted_rise, ready
from model.series.tasks import ABSENT, DATA, Guess, Score, Task, by_bucket, score

Judged = dict[str, dict[str, Score]]


def judge(people: Sequence[cdisc.Series], redcell: Redcell | None) -> Judged:
    """Scores by horizon and forecaster on the CDISC series, all on the same tasks.

    A task that redcell withholds is left out for everybody, so that nobody is judged on more.
    """
    tasks = list(cdisc.tasks(list(people)))
    last, process = LastValue(tasks), Process(people)
    found: Judged = {}
    for name, rows in by_bucket(tasks).items():
        said = [(task, redcell(task)) for task in rows] if redcell is not None else []
        kept = [task for task, guess in said if guess is not None] or rows
        found[name] = {
            "last value": score(_all(kept, last)),
            "Gaussian process": score(_all(kept, process)),
        }
        own = [(task, guess) for task, guess in said if guess is not None]
        if own:
            found[name]["redcell"] = score(own)
    return found


def _all(
    tasks: Sequence[Task], forecaster: Callable[[Task], Guess | None]
) -> list[tuple[Task, Guess]]:
    said = [(task, forecaster(task)) for task in tasks]
    return [(task, guess) for task, guess in said if guess is not None]


def stable_lines() -> list[str]:
    """The table of the CDISC series."""
    people = cdisc.series()
    redcell = Redcell() if ready() else None
    lines = [
        f"CDISC pilot: {len(people)} people, {sum(len(p.counts) for p in people)} counts",
        f"{'horizon':8}{'forecaster':18}{'n':>5}{'MAE':>8}{'CRPS':>8}{'50 %':>7}{'90 %':>7}",
    ]
    for name, scores in judge(people, redcell).items():
        lines += [_line(name, who, s) for who, s in scores.items()]
    if redcell is None:
        return [*lines, "redcell does not forecast yet in this installation"]
    lines.append(f"withheld or left out: {dict(redcell.withheld)}")
    return [*lines, _alerts(people, redcell)]


def _line(name: str, who: str, s: Score) -> str:
    return f"{name:8}{who:18}{s.n:5}{s.mae:8.3f}{s.crps:8.3f}{s.cover50:7.2f}{s.cover90:7.2f}"


def _alerts(people: Sequence[cdisc.Series], redcell: Redcell) -> str:
    quiet = alert_free(people, redcell)
    well = cdisc.always_well(list(people))
    return f"no alert ever: {quiet} of {len(well)} people with every count >= {cdisc.WELL:g} g/dL"


def alert_free(people: Sequence[cdisc.Series], redcell: Redcell) -> int:
    """How many of those who are always well never get an alert, at any of their origins."""
    well = cdisc.always_well(list(people))
    tasks = [task for person in well for task in cdisc.later_counts(person)]
    loud = {task.series.person for task in tasks if redcell.at(task.series, task.at).alert}
    return len(well) - len(loud)


def transfusion_lines() -> list[str]:
    """What a unit did: plain differences, moved towards the prior, and as the model fits it."""
    found = [(stay, episode) for stay in mimic.stays() for episode in mimic.episodes(stay)]
    why = Counter(name for _, e in found for name in e.disturbed)
    lines = [
        f"MIMIC-III demo: {len({s.person for s, _ in found})} people, {len(found)} episodes, "
        f"{sum(e.units for _, e in found):g} units; disturbed: {dict(why)}",
        f"{'episodes':10}{'n':>4}{'people':>8}{'rise/unit':>11}{'shrunken':>10}{'fitted':>8}",
    ]
    for name in ("usable", "steady", "quiet"):
        kept = [(s, e) for s, e in found if getattr(e, name)]
        each = mimic.per_unit([e for _, e in kept])
        lines.append(
            f"{name:10}{len(kept):4}{len({s.person for s, _ in kept}):8}{each:11.2f}"
            f"{shrunken_median(kept):10.2f}" + (f"{fitted_median(kept):8.2f}" if ready() else "")
        )
    return lines


Pairs = Sequence[tuple[mimic.Stay, mimic.Episode]]


def shrunken_median(pairs: Pairs) -> float:
    """Median over people of the rise per unit, g/dL, moved towards the prior efficacy."""
    own = {stay.person: stay for stay, _ in pairs}
    return median(
        mimic.shrunken(stay, [e for s, e in pairs if s.person == name])
        for name, stay in own.items()
    )


def fitted_median(pairs: Pairs) -> float:
    """Median over people (each the median of the own episodes) of kappa x G_u / BV, g/dL."""
    own: dict[str, list[float]] = {}
    for stay, episode in pairs:
        own.setdefault(stay.person, []).append(fitted_rise(stay, episode))
    return median(median(rises) for rises in own.values())


def recovery_lines() -> list[str]:
    """Recovery after hemolysis, and whether forecasts are withheld while tests are abnormal."""
    found = primaquine.episodes()
    redcell = Redcell() if ready() else None
    lines = [f"Primaquine: {len(found)} episodes; errors in g/dL about 14 d after the start"]
    for device in primaquine.DEVICES:
        for start in ("last-abnormal", "first-normal"):
            tasks = list(primaquine.recovery(found, device, start))  # type: ignore[arg-type]
            days = median(task.horizon for task in tasks)
            last = [abs(task.truth - task.known[-1].hemoglobin) for task in tasks]
            line = (
                f"{device:14}{start:15} n {len(tasks)}, median {days:.0f} d ahead, "
                f"last value MAE {sum(last) / len(last):.2f}"
            )
            lines.append(line if redcell is None else f"{line}, {_recovered(tasks, redcell)}")
        if redcell is not None:
            lines.append(f"{device:14}{withheld(found, device, redcell)}")
    return lines


def _recovered(tasks: Sequence[Task], redcell: Redcell) -> str:
    errors = [abs(t.truth - g.mean) for t in tasks if (g := redcell(t)) is not None]
    if not errors:
        return "redcell withholds all"
    return f"redcell MAE {sum(errors) / len(errors):.2f} (n {len(errors)})"


def withheld(found: list[primaquine.Episode], device: primaquine.Device, redcell: Redcell) -> str:
    """Why forecasts at abnormal panels are withheld, counted."""
    reasons: Counter[str] = Counter(
        redcell.at(series, panel.time).reason or "not withheld"
        for series, panel in primaquine.while_abnormal(found, device)
    )
    return f"at abnormal panels: {dict(reasons)}"


def main() -> int:
    """Print all three parts; 1 when the data are not there."""
    if not DATA.is_dir():
        sys.stderr.write(f"{ABSENT}\n")
        return 1
    for part in (stable_lines, transfusion_lines, recovery_lines):
        sys.stdout.write("\n".join(part()) + "\n\n")
    return 0
