"""What is known to be true of invented people: what each cause takes from their hemoglobin today.

A cause's effect is the difference that leaving it out of the whole course makes, with the same
chance; effects of several causes need not add up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct

from redcell.erythropoiesis.dynamics import SLOTS, Traits, hemoglobin, prepare, start, step
from redcell.erythropoiesis.schedule import BLEEDING, INFLAMMATION, RADIOTHERAPY, TRANSFUSION
from redcell.population.synthesize.body import DRUGS, Body, Course, inputs
from redcell.population.synthesize.life import Life

WIDTH = 512
"""Lanes of one run without a cause; always as many, so that numbers do not depend on the batch."""
INFILTRATION, IRON, HEMOLYSIS, KIDNEY = (
    "marrow-infiltration",
    "iron-deficiency-absolute",
    "hemolysis-immune",
    "kidney-disease",
)
VITAMIN = {"b12": "vitamin-b12-deficiency", "folate": "folate-deficiency", "": ""}
DRUG = "drug:"
MATTERS = 0.5
"""g/dL that the leading cause must take."""


class Without(Struct, frozen=True):
    """One person's course without one cause."""

    lane: int
    cause: str
    number: int = -1
    """of the drug"""


def effects(body: Body, ends: list[int]) -> list[dict[str, float]]:
    """g/dL that each cause takes from each person's hemoglobin on their last day.

    Args:
        body: after the whole course.
        ends: the last day of each person.
    """
    found: list[dict[str, float]] = [{} for _ in body.lives]
    asked = [w for lane, life in enumerate(body.lives) for w in _questions(body, lane, life)]
    for begin in range(0, len(asked), WIDTH):
        part = asked[begin : begin + WIDTH]
        course = _run(body, part)
        for i, one in enumerate(part):
            day = ends[one.lane]
            lost = float(course[day, i] - body.course.hemoglobin[day, one.lane])
            cause = found[one.lane]
            cause[one.cause] = round(cause.get(one.cause, 0.0) + lost, 3)
    return found


def _questions(body: Body, lane: int, life: Life) -> list[Without]:
    """The causes that act in one person."""
    c, burden = body.course, life.burden
    asked = [
        Without(lane, DRUG + agent.slug, number)
        for number, agent in enumerate(body.agents[lane].values())
        if c.given[:, number, lane].any()
    ]
    present = {
        RADIOTHERAPY: bool(life.beams),
        BLEEDING: bool(c.bleed[:, lane].any()),
        INFLAMMATION: bool(c.inflammation[:, lane].any()),
        TRANSFUSION: bool(c.transfused[:, lane].any()),
        INFILTRATION: burden.infiltrated_from is not None,
        IRON: bool((c.iron[:, lane] < 1.0).any()),
        VITAMIN[burden.vitamin]: bool((c.vitamin[:, lane] < 1.0).any()),
        HEMOLYSIS: bool(c.destroyed[:, lane].any()),
        KIDNEY: life.has("kidney"),
    }
    return asked + [Without(lane, cause) for cause, here in present.items() if cause and here]


def _run(body: Body, asked: list[Without]) -> np.ndarray:
    """Hemoglobin by day without the causes `[days, WIDTH]`."""
    lanes = np.array([one.lane for one in asked] + [0] * (WIDTH - len(asked)))
    traits = Traits(*(part[..., lanes].copy() for part in body.traits))
    given = body.course.given[..., lanes]
    rest = (getattr(body.course, name)[:, lanes] for name in PARTS)
    course = Course(given, *rest)
    origin = body.origin[lanes]
    slots = body.slots[..., lanes]
    for i, one in enumerate(asked):
        _leave_out(body, course, traits, i, one)
    constants = body.model.constants
    ready = prepare(np, traits, constants)
    state = start(np, traits, constants, ready)
    for day in range(body.days):
        course.hemoglobin[day] = hemoglobin(np, state, traits)
        dose = np.zeros((SLOTS, WIDTH))
        for number in range(DRUGS):
            if course.given[day, number].any():
                dose += course.given[day, number] * slots[number]
        u = inputs(course, day, origin, dose)
        state, _ = step(np, state, traits, u, constants, ready)
    return course.hemoglobin


PARTS = Course.__struct_fields__[1:]
NOTHING = {
    RADIOTHERAPY: ("radiation", 1.0),
    BLEEDING: ("bleed", 0.0),
    INFLAMMATION: ("inflammation", 0.0),
    TRANSFUSION: ("transfused", 0.0),
    IRON: ("iron", 1.0),
    VITAMIN["b12"]: ("vitamin", 1.0),
    VITAMIN["folate"]: ("vitamin", 1.0),
    HEMOLYSIS: ("destroyed", 0.0),
}


def _leave_out(body: Body, c: Course, traits: Traits, i: int, one: Without) -> None:
    if one.number >= 0:
        c.given[:, one.number, i] = 0.0
    elif one.cause == INFILTRATION:
        traits.drift[i] = 0.0
    elif one.cause == KIDNEY:
        traits.feedback[i] /= body.model.kidney_feedback
    else:
        name, value = NOTHING[one.cause]
        getattr(c, name)[:, i] = value


def leading(losses: dict[str, float]) -> str:
    """The cause that takes most, or none where nothing takes much."""
    takes = {cause: lost for cause, lost in losses.items() if lost >= MATTERS}
    if not takes:
        return "none"
    return max(takes, key=lambda name: takes[name])


def told(body: Body, lane: int, day: int, losses: dict[str, float]) -> dict[str, Any]:
    """One person's truth on their last day, as plain data."""
    life, traits, c = body.lives[lane], body.traits, body.course
    burden = life.burden
    lack = (
        0.0
        if body.n.burden.iron_loss == 0
        else float((1 - c.iron[day, lane]) / body.n.burden.iron_loss)
    )
    milliliters = sum(b.milliliters * min(b.days, max(day - b.day, 0)) for b in burden.bleeds)
    return {
        "set_point_g_dl": round(float(traits.set_point[lane]), 2),
        "start_hemoglobin_g_dl": round(float(traits.first[lane]), 2),
        "hemoglobin_g_dl": round(float(c.hemoglobin[day, lane]), 2),
        "blood_volume_dl": round(float(traits.blood_volume[lane]), 1),
        "lifespan_days": round(float(traits.lifespan[lane]), 1),
        "effects_g_dl": losses,
        "drug_effects_g_dl": {
            cause.removeprefix(DRUG): lost
            for cause, lost in losses.items()
            if cause.startswith(DRUG)
        },
        "leading_cause": leading(losses),
        "infiltration": {
            "present": burden.infiltrated_from is not None,
            "since_day": burden.infiltrated_from,
            "effect_g_dl": losses.get(INFILTRATION, 0.0),
        },
        "bleeding": {
            "present": bool(c.bleed[:, lane].any()),
            "milliliters": round(milliliters),
            "effect_g_dl": losses.get(BLEEDING, 0.0),
        },
        "iron": {
            "lack": round(lack, 3),
            "state": _iron(lack),
            "effect_g_dl": losses.get(IRON, 0.0),
        },
    }


LOW, EMPTY = 0.15, 0.6


def _iron(lack: float) -> str:
    return "replete" if lack < LOW else "low" if lack < EMPTY else "empty"
