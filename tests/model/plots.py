"""The plots of the validation as SVG: plain, safe for color-blind readers, the same on every run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")

import matplotlib.pyplot as plt
import numpy as np

from model.baselines import HORIZONS
from model.validation_evidence import Cadence, Evidence, Example, Groups

BLACK, ORANGE, BLUE, GREEN, RED, PURPLE = (
    "#000000", "#E69F00", "#0072B2", "#009E73", "#D55E00", "#CC79A7",
)  # fmt: skip
GRAY = "#767676"
STYLE: dict[str, Any] = {
    "svg.hashsalt": "redcell",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
MARKS = {
    "redcell": (RED, "o"),
    "last value": (BLACK, "s"),
    "boosted trees": (BLUE, "^"),
    "Gaussian process": (GREEN, "D"),
}
BEFORE = 120
"""Days of history in an example."""

WILSON = 1.6448536269514722


def draw(found: Evidence, folder: Path) -> tuple[str, ...]:
    """Write all plots; their file names."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        figures = {
            "reliability": _reliability(found.cadences),
            "pit": _pit(found.cadences),
            "crps": _crps(found.cadences),
            "examples": _examples((*found.good, *found.bad)),
        }
        for name, figure in figures.items():
            figure.savefig(
                folder / f"{name}.svg",
                metadata={"Date": None, "Creator": None},
                bbox_inches="tight",
                pad_inches=0.1,
            )
            plt.close(figure)
    return tuple(f"{name}.svg" for name in figures)


def wilson(share: float, number: int) -> tuple[float, float]:
    """The 90 % interval of a share."""
    z2 = WILSON**2
    center = (share + z2 / (2 * number)) / (1 + z2 / number)
    half = WILSON / (1 + z2 / number) * np.sqrt(share * (1 - share) / number + z2 / (4 * number**2))
    return center - half, center + half


def _reliability(cadences: dict[str, Cadence]) -> Any:
    figure, axes = plt.subplots(1, len(cadences), figsize=(8, 4.4), layout="constrained")
    for axis, (name, cadence) in zip(axes, cadences.items(), strict=True):
        axis.plot([0, 1], [0, 1], color=GRAY, linewidth=1, linestyle=":")
        _points(axis, cadence.raw, BLUE, "s", "as forecast")
        _points(axis, cadence.mended, RED, "o", "recalibrated on others")
        axis.set(
            title=f"{name} counts",
            xlim=(-0.02, 1.02),
            ylim=(-0.02, 1.02),
            aspect="equal",
            xlabel="P(transfusion in 28 days), forecast",
            ylabel="share that was transfused",
        )
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _points(axis: Any, groups: Groups, color: str, mark: str, label: str) -> None:
    chance, share, number = (np.array(column) for column in zip(*groups, strict=True))
    ends = np.array([wilson(float(s), int(n)) for s, n in zip(share, number, strict=True)]).T
    apart = np.abs(ends - share)
    axis.errorbar(
        chance, share, yerr=apart, fmt=mark, color=color, markersize=4.5, linewidth=1, label=label
    )


def _pit(cadences: dict[str, Cadence]) -> Any:
    size = (8, 2.3 * len(cadences))
    figure, axes = plt.subplots(
        len(cadences), len(HORIZONS), figsize=size, sharey="row", layout="constrained"
    )
    for row, (name, cadence) in zip(axes, cadences.items(), strict=True):
        for axis, ahead in zip(row, HORIZONS, strict=True):
            _histogram(axis, cadence.pit[ahead])
            axis.set_title(f"{name}, {ahead} days")
        row[0].set_ylabel("forecasts")
    for axis in axes[-1]:
        axis.set_xlabel("place of the count in its forecast")
    return figure


def _histogram(axis: Any, counts: Sequence[int]) -> None:
    """Bars beside the height of a calibrated forecast, with its 95 % range for as many cases."""
    total, bins = sum(counts), len(counts)
    expected = total / bins
    spread = 1.959963984540054 * np.sqrt(expected * (1 - 1 / bins))
    axis.axhspan(expected - spread, expected + spread, color="#dddddd", zorder=0)
    axis.axhline(expected, color=GRAY, linewidth=1, zorder=1)
    edges = np.arange(bins) / bins
    axis.bar(edges, counts, width=0.92 / bins, align="edge", color=BLUE, alpha=0.8, zorder=2)
    axis.set_xlim(0, 1)


def _crps(cadences: dict[str, Cadence]) -> Any:
    figure, axes = plt.subplots(
        1, len(cadences), figsize=(8, 3.4), sharey=True, layout="constrained"
    )
    places = np.arange(len(HORIZONS))
    for axis, (name, cadence) in zip(axes, cadences.items(), strict=True):
        for i, (who, scores) in enumerate(cadence.crps.items()):
            color, mark = MARKS[who]
            axis.plot(places + 0.12 * (i - 1.5), scores, mark, color=color, markersize=7, label=who)
        axis.set_xticks(places, [f"{ahead} days" for ahead in HORIZONS])
        axis.set(title=f"{name} counts (n={cadence.cases})", ylim=(0, None))
        axis.grid(axis="y", color="#e5e5e5")
        axis.set_axisbelow(True)
    axes[0].set_ylabel("mean CRPS, g/dL (lower is better)")
    axes[-1].legend(loc="lower right")
    return figure


def _examples(examples: Sequence[Example]) -> Any:
    half = len(examples) // 2
    figure, axes = plt.subplots(
        2, half, figsize=(9, 6), sharex=True, sharey=True, layout="constrained"
    )
    for axis, example in zip(axes.flat, examples, strict=True):
        _example(axis, example)
    for axis in axes[-1]:
        axis.set_xlabel("days from the forecast")
    for axis in axes[:, 0]:
        axis.set_ylabel("hemoglobin, g/dL")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure


def _example(axis: Any, e: Example) -> None:
    """Counts, the model's course through them, the forecast, and what then was counted."""
    today = e.forecast.at.day
    ahead = np.array([d.ahead for d in e.forecast.days])

    def day(name: str) -> np.ndarray:
        return np.array([getattr(d, name) for d in e.forecast.days])

    axis.fill_between(ahead, day("q05"), day("q95"), color=BLUE, alpha=0.15, linewidth=0, label="90 % range")  # fmt: skip
    axis.fill_between(ahead, day("q25"), day("q75"), color=BLUE, alpha=0.3, linewidth=0, label="50 % range")  # fmt: skip
    axis.plot(ahead, day("q50"), color=BLUE, linewidth=1.5, label="median")
    course = [((d - today).days, hb) for d, hb in e.forecast.fitted]
    axis.plot(*zip(*course, strict=True), color=GRAY, linewidth=1, label="fitted course")
    known = [(d - e.case.day, hb) for d, hb in e.case.history]
    axis.plot(*zip(*known, strict=True), "o", color=BLACK, markersize=3, label="counts known")
    axis.plot(np.arange(1, len(e.then) + 1), e.then, ".", color=RED, markersize=3, alpha=0.6, label="count on each day after")  # fmt: skip
    axis.plot(HORIZONS, e.case.seen, "D", color=RED, markersize=5, label="judged by")
    doses = sorted({d.day - e.case.day for d in e.case.patient.doses if d.day <= e.case.day})
    _ticks(axis, doses, 0.02, "|", PURPLE, "dose given")
    units = [d - e.case.day for d, _ in e.case.patient.transfusions if d <= e.case.day]
    _ticks(axis, units, 0.07, "^", ORANGE, "red cells given")
    axis.axvline(0, color=GRAY, linewidth=0.8, linestyle=":")
    axis.set(title=f"place {e.rank}: CRPS {e.score:.2f} g/dL", xlim=(-BEFORE, len(e.then) + 4))


def _ticks(
    axis: Any, days: Sequence[int], height: float, mark: str, color: str, label: str
) -> None:
    shown = [day for day in days if day >= -BEFORE]
    heights = [height] * len(shown)
    axis.plot(shown, heights, mark, color=color, markersize=6, transform=axis.get_xaxis_transform(), label=label)  # fmt: skip
