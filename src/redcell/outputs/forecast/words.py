"""What a forecast says, in sentences for the care team."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any

from redcell.findings.causes import Causes
from redcell.knowledge.load import Knowledge
from redcell.knowledge.load import knowledge as published
from redcell.outputs.speech import Speech
from redcell.prediction import (
    Attribution,
    Day,
    Loss,
    NextCount,
    Prediction,
    Transfusions,
    WhatIf,
)
from redcell.quantity import half_up, plain

MILESTONES = (7, 14, 28)
"""Days ahead that a summary names."""
LEAST, SURE = 0.01, 0.99
TELLING = 3.0
"""A Bayes factor from here on, or below its inverse, tells one fit from the other."""
BEYOND = 100.0
"""A Bayes factor is not printed in full beyond this."""


class Words:
    """Turns predictions into sentences; `day` writes a date."""

    def __init__(
        self, knowledge: Knowledge | None = None, day: Callable[[date], str] = date.isoformat
    ) -> None:
        self.speech = Speech(knowledge or published())
        self.table: dict[str, dict[str, str]] = self.speech.knowledge.wording("forecast")
        self.day = day

    def say(self, key: str, **values: object) -> str:
        """One sentence, filled."""
        return self.table["say"][key].format(**values)

    @property
    def note(self) -> str:
        """What stands wherever a forecast is shown."""
        return self.table["note"]["text"]

    # -- without a forecast ------------------------------------------------------------------------

    def reason(self, prediction: Prediction) -> str | None:
        """Why there is no forecast."""
        return self.table["withheld"][prediction.reason] if prediction.reason else None

    def brings(self, prediction: Prediction) -> str | None:
        """What would bring one."""
        return self.table["brings"][prediction.reason] if prediction.reason else None

    def withheld(self, prediction: Prediction) -> str:
        """That there is no forecast, why, and what would bring one."""
        reason, brings = self.reason(prediction) or "", self.brings(prediction) or ""
        return self.say("withheld", reason=reason[:1].lower() + reason[1:], brings=brings).strip()

    # -- the course --------------------------------------------------------------------------------

    def course(self, prediction: Prediction) -> str:
        """Hemoglobin at the milestones, each with its 90 % range."""
        first, *more = milestones(prediction.days)
        later = [self.say("later", **_spread(d)) for d in more]
        return ", ".join([self.say("course", **_spread(first)), *later]) + "."

    def quiet(self, prediction: Prediction) -> str:
        """The whole forecast in one line, for people about whom there is nothing to say."""
        return self.say("quiet", **_spread(milestones(prediction.days)[-1]))

    def risks(self, prediction: Prediction) -> Iterator[str]:
        """How likely the hemoglobin falls below 8 and 7 g/dL, and below the threshold."""
        below = prediction.p_below
        if "7" in below and "8" in below:
            yield self.say("below", eight=share(below["8"]), seven=share(below["7"]))
        visit = prediction.p_below_threshold_by_next_visit
        if visit is not None:
            yield self.say("visit", probability=share(visit))

    # -- red cells and the next count --------------------------------------------------------------

    def red_cells(self, cells: Transfusions) -> Iterator[str]:
        """How likely red cells are, how many, how long, and when."""
        yield self.say(
            "cells",
            days=days(cells.within_days),
            threshold=plain(cells.threshold_g_dl),
            probability=share(cells.probability),
        )
        yield self.say(
            "amount",
            units=tenths(cells.units_mean),
            low=plain(cells.units_q05, 1),
            high=plain(cells.units_q95, 1),
            hours=tenths(cells.chair_hours_mean),
        )
        if cells.likely_from is not None and cells.likely_to is not None:
            start, end = self.day(cells.likely_from), self.day(cells.likely_to)
            yield self.say("window", start=start, end=end)
        if cells.interval_days is not None:
            yield self.say("interval", days=days(round(cells.interval_days)))

    def next_count(self, count: NextCount) -> Iterator[str]:
        """The best day for the next count, what it would tell, and the latest day by the rules."""
        chance = share(count.unseen_probability)
        yield self.say("next", day=self.day(count.day), probability=chance)
        before, after = tenths(count.sd_before), tenths(count.sd_after)
        if before != after:
            yield self.say("narrows", before=before, after=after)
        if count.latest_by_rule is not None:
            yield self.say("latest", day=self.day(count.latest_by_rule))

    # -- where the hemoglobin went -----------------------------------------------------------------

    def cause(self, cause: str) -> str:
        """The printed name of what a loss goes to."""
        return self.table["cause"].get(cause) or self.speech.cause(cause)

    def deficit(self, found: Attribution) -> str:
        """How far the hemoglobin is below its usual level."""
        below = half_up(found.deficit, 1) > 0
        key = "deficit" if below else "surplus"
        return self.say(key, deficit=tenths(found.deficit), set_point=tenths(found.set_point))

    def loss(self, loss: Loss) -> str:
        """One share of the loss with its range; what raised the count is said to hold it up."""
        low, high = sorted((loss.low, loss.high))
        key, sign = ("loss", 1.0) if half_up(loss.g_dl, 1) >= 0 else ("gain", -1.0)
        low, high = sorted((sign * low, sign * high))
        shown = {"value": tenths(sign * loss.g_dl), "low": tenths(low), "high": tenths(high)}
        return self.say(key, cause=self.cause(loss.cause), **shown)

    def losses(self, found: Attribution) -> list[str]:
        """Every share that does not round to nothing."""
        return [self.loss(x) for x in found.losses if half_up(x.g_dl, 1) != 0]

    def leader(self, found: Attribution, gaps: Iterable[str] = ()) -> Iterator[str]:
        """What limits the attribution: no leading cause, and what the timing cannot tell."""
        if found.leading is None:
            yield self.say("no_leader")
            names = ", ".join(self.speech.label("not_assessed", name) for name in gaps)
            if names:
                yield self.say("untested", names=names)
        factor = found.drift_bayes_factor
        if factor is not None and factor > 0:
            yield self._drift(factor)
            yield self.say("outweighed")

    def _drift(self, factor: float) -> str:
        if factor >= TELLING:
            return self.say("drift_more", factor=_times(factor))
        if factor <= 1 / TELLING:
            return self.say("drift_less", factor=_times(1 / factor))
        return self.say("drift_none", factor=plain(factor, 1))

    def disagreement(self, found: Attribution, causes: Causes | None) -> str | None:
        """That the largest loss of the model is not the first cause of the rules."""
        first = causes.leading if causes is not None else None
        if first is None or found.leading in (None, first.cause):
            return None
        model = next((loss for loss in found.losses if loss.cause == found.leading), None)
        if model is None:
            return None
        sure = first.probability >= self.speech.knowledge.value("attribution.single_cause")
        return self.say(
            "disagrees" if sure else "unsure",
            rule=self.speech.cause(first.cause),
            probability=share(first.probability),
            model=self.cause(model.cause),
            loss=tenths(model.g_dl),
        )

    # -- how it came about -------------------------------------------------------------------------

    def assumed(self, what_if: WhatIf) -> tuple[str, ...]:
        """What an answer takes for granted, a sentence each."""
        return tuple(self.table["assumed"][code] for code in what_if.assumptions)

    def flags(self, prediction: Prediction) -> list[str]:
        """What a reader must know."""
        return [self.flag(flag, prediction) for flag in prediction.flags]

    def flag(self, flag: str, prediction: Prediction) -> str:
        """One thing that a reader must know."""
        other = prediction.without_drift_28d
        shown = "unknown" if other is None else tenths(other)
        text: str = self.table["flag"][flag]
        return text.replace("{without_drift}", shown)

    def flag_labels(self, prediction: Prediction) -> str:
        """The same in a few words each."""
        labels = [self.table["flag_label"][flag] for flag in prediction.flags]
        return self.say("known", labels="; ".join(labels)) if labels else ""

    def made(self, prediction: Prediction) -> str:
        """Versions, seed and inputs, from which the same forecast can be made again."""
        named: dict[str, Any] = dict.fromkeys(VERSION, "not known")
        named |= prediction.version
        counts = "1 count" if prediction.counts == 1 else f"{prediction.counts} counts"
        return self.say("made", **named, counts=counts, seed=prediction.seed)


VERSION = ("model", "code", "priors", "calibration", "inputs")


def milestones(course: tuple[Day, ...]) -> list[Day]:
    """The days that a summary names; the last one of a short course."""
    return [d for d in course if d.ahead in MILESTONES] or list(course[-1:])


def share(probability: float) -> str:
    """A probability in hundredths, never a bare zero or one."""
    if probability > SURE:
        return f"over {SURE}"
    return f"{half_up(probability, 2):.2f}" if probability >= LEAST else f"under {LEAST}"


def tenths(value: float) -> str:
    """A figure with one decimal, as no forecast deserves more; zero without a sign."""
    return f"{half_up(value, 1) + 0.0:.1f}".replace("-", "\N{MINUS SIGN}")


def days(number: int) -> str:
    """A number of days."""
    return "1 day" if number == 1 else f"{number} days"


def _spread(day: Day) -> dict[str, str]:
    low, high = tenths(day.q05), tenths(day.q95)
    return {"value": tenths(day.q50), "days": days(day.ahead), "low": low, "high": high}


def _times(factor: float) -> str:
    return f"{BEYOND:g} or more" if factor >= BEYOND else plain(factor, 0)
