"""A person's treatment and events as arrays by day, whole or without some of the causes."""

from __future__ import annotations

from collections.abc import Collection
from math import exp
from typing import NamedTuple

import numpy as np

from redcell.erythropoiesis.dynamics import SLOTS
from redcell.erythropoiesis.history import Course, History
from redcell.erythropoiesis.priors import Model

WEEK = 7
ML_PER_DL = 100.0
MOST_LOST = 0.9
MOST_IRRADIATED = 0.95
RADIOTHERAPY, BLEEDING, INFLAMMATION, TRANSFUSION = (
    "radiotherapy",
    "bleeding",
    "inflammation",
    "transfusion",
)
"""Causes of the schedule beside the drugs, in the words of the output contract."""


class Schedule(NamedTuple):
    """What happens on each day; arrays `[days, ...]`, `dose` `[days, 3]`."""

    dose: np.ndarray
    """reference amounts per slot"""
    radiation: np.ndarray
    """share of capacity left"""
    inflammation: np.ndarray
    """0 to 1"""
    esa: np.ndarray
    """g/dL"""
    bleed: np.ndarray
    """share of the blood volume"""
    transfused: np.ndarray
    """g of hemoglobin"""

    @property
    def days(self) -> int:
        """How many days it covers."""
        return len(self.radiation)


def schedule(m: Model, h: History, days: int, without: Collection[str] = ()) -> Schedule:
    """The days 0 to `days` - 1 of a history, without the causes named.

    Args:
        m: the model's numbers.
        h: the person's history; planned doses count as given.
        days: how many days.
        without: drugs by name, `radiotherapy`, `bleeding`, `inflammation`, `transfusion`.
    """
    dose = np.zeros((days, SLOTS))
    for given in h.doses:
        if 0 <= given.day < days and given.drug not in without:
            dose[given.day, h.drugs[given.drug]] += given.amount
    bleed = np.zeros(days)
    if BLEEDING not in without:
        for event in h.bleeds:
            if 0 <= event.day < days:
                bleed[event.day] += event.milliliters / (ML_PER_DL * h.blood_volume)
    transfused = np.zeros(days)
    if TRANSFUSION not in without:
        for units in h.transfusions:
            if 0 <= units.day < days:
                transfused[units.day] += units.units * m.unit_hemoglobin
    inflamed = () if INFLAMMATION in without else h.inflammation
    return Schedule(
        dose=dose,
        radiation=np.ones(days) if RADIOTHERAPY in without else _radiation(m, h.courses, days),
        inflammation=np.clip(_spans(inflamed, days), 0.0, 1.0),
        esa=_spans(h.esa, days),
        bleed=np.clip(bleed, 0.0, MOST_LOST),
        transfused=transfused,
    )


def _spans(spans: Collection[tuple[int, int, float]], days: int) -> np.ndarray:
    """The largest value of all spans that hold a day."""
    found = np.zeros(days)
    for first, last, value in spans:
        part = found[max(first, 0) : max(last + 1, 0)]
        np.maximum(part, value, out=part)
    return found


def _radiation(m: Model, courses: Collection[Course], days: int) -> np.ndarray:
    """Share of the marrow's capacity that radiotherapy leaves, by day.

    A course in progress counts in proportion to the days of it that have passed; after its end the
    loss recovers, but for the part that stays at high doses. What was lost before day 0 is part of
    the start, so that all is relative to the day before.
    """
    full, recovery, half, spread = m.radiation
    left = np.ones(days + 1)
    day = np.arange(-1, days)
    for course in courses:
        length = max(course.end - course.start, 0) + 1
        done = np.clip((day - course.start + 1) / length, 0.0, 1.0)
        after = np.exp(-np.clip(day - course.end, 0, None) / recovery)
        lost = np.zeros(days + 1)
        for share, gray in course.parts:
            stays = 1.0 / (1.0 + exp(-max(min((gray - half) / spread, 50.0), -50.0)))
            lost += share * (1.0 - np.exp(-gray * done / full)) * (stays + (1.0 - stays) * after)
        left *= 1.0 - np.clip(lost, 0.0, MOST_IRRADIATED)
    return np.asarray(left[1:] / left[0])


def causes(h: History) -> tuple[str, ...]:
    """The causes that act in this history, drugs first, in the order of first exposure."""
    seen = {d.drug: None for d in sorted(h.doses, key=lambda d: (d.day, d.drug)) if d.day <= h.now}
    names = list(seen)
    names += [RADIOTHERAPY] if any(c.start <= h.now for c in h.courses) else []
    names += [BLEEDING] if any(b.day <= h.now for b in h.bleeds) else []
    names += [INFLAMMATION] if any(s[0] <= h.now for s in h.inflammation) else []
    return tuple(names)
