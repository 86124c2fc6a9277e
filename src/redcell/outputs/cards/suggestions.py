"""What a card offers to draft: a count, iron studies, type and screen, red cells with chair time.

Each is a draft that a person signs, changes or deletes. Suggestions that stand beside each other
are independent (`any`); different numbers of units exclude each other (`at-most-one`).
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Literal

from redcell.outputs.cards.asked import Order
from redcell.outputs.cards.card import Action, Json, Suggestion
from redcell.outputs.cards.talk import Talk
from redcell.outputs.cards.text import chair, name_of
from redcell.outputs.fhir.requests import next_count, tests

Behavior = Literal["", "at-most-one", "any"]
Offer = tuple[tuple[Suggestion, ...], Behavior]
IRON = ("ferritin", "tsat")
AGAINST = ("do-not-transfuse", "declined")


def of_status(talk: Talk) -> Offer:
    """What fits the patient's state, without an order before us."""
    blood_units = talk.steps.transfusion.units.value or 0
    if blood_units > 1:
        return tuple(_numbers_of_units(talk, blood_units)), "at-most-one"
    return _any(*_count(talk), *_iron(talk), *_screen(talk), *_unit(talk))


def of_order(talk: Talk, order: Order) -> Offer:
    """What fits a draft order: more or less of it, or a test before it."""
    if order.kind == "red-cells":
        return _of_red_cells(talk, order)
    if order.kind == "drug":
        return _any(*_count(talk), *_iron(talk))
    return _any(*_iron(talk), *_removal(talk, order))


def _of_red_cells(talk: Talk, order: Order) -> Offer:
    advised = talk.steps.transfusion.units.value
    too_many = advised is not None and order.units is not None and order.units > advised
    if not advised or not too_many or "quantityQuantity" not in order.resource:
        return _any(*_count(talk), *_screen(talk), *_removal(talk, order))
    if advised > 1:
        changes = (_change(talk, order, number, advised) for number in range(1, advised + 1))
        return tuple(changes), "at-most-one"
    return _any(_change(talk, order, advised, advised), *_screen(talk), *_count(talk))


def _any(*found: Suggestion) -> Offer:
    return found, "any" if found else ""


# -- tests ---------------------------------------------------------------------------------------


def _count(talk: Talk) -> Iterator[Suggestion]:
    """The next blood count on its day, today when it is already due."""
    due = talk.steps.monitoring.due.value.day
    if due is None or "count" in talk.asked.drafted:
        return
    day = max(due, talk.case.at.day).isoformat()
    said = talk.words["action"]["count"]
    drafts = [(said, draft) for draft in next_count(talk.fhir)]
    yield _create(talk.say("suggestion", "count", day=day), drafts)


def _iron(talk: Talk) -> Iterator[Suggestion]:
    """Ferritin and transferrin saturation, together, where they are not current."""
    gaps = [gap for gap in IRON if gap in talk.steps.gaps and gap not in talk.asked.drafted]
    if not gaps:
        return
    labels = {gap: talk.speech.label("not_assessed", gap) for gap in gaps}
    wanted = {talk.fhir.id(f"test-{gap}-{gap}"): labels[gap] for gap in gaps}
    drafts = [d for d in tests(talk.fhir, "iron") if d["id"] in wanted]
    actions = [(talk.say("action", "iron", name=wanted[d["id"]]), d) for d in drafts]
    yield _create(talk.say("suggestion", "iron", names=", ".join(labels.values())), actions)


# -- red cells -----------------------------------------------------------------------------------


def _screen(talk: Talk) -> Iterator[Suggestion]:
    if talk.blood and "group-and-screen" not in talk.asked.drafted:
        said = talk.words["action"]["group-and-screen"]
        yield _create(talk.words["suggestion"]["group-and-screen"], [(said, talk.blood[0])])


def _unit(talk: Talk) -> Iterator[Suggestion]:
    if talk.blood:
        yield _create(_label(talk, 1), [(_unit_action(talk, 1), talk.blood[1])])


def _numbers_of_units(talk: Talk, advised: int) -> Iterator[Suggestion]:
    """One unit or two, each with its type and screen; at most one of them is taken."""
    if not talk.blood:
        return
    screen, cells = talk.blood
    first = (talk.words["action"]["group-and-screen"], screen)
    for number in range(1, advised + 1):
        draft = cells if number == advised else _fewer(talk, cells, number)
        actions = [first, (_unit_action(talk, number), draft)]
        yield _create(_label(talk, number), actions, recommended=number == advised)


def _label(talk: Talk, number: int) -> str:
    hours = chair(talk, number)
    units = talk.units(number)
    if not hours:
        return talk.say("suggestion", "unit_plain", units=units)
    return talk.say("suggestion", "unit", units=units, chair=hours)


def _unit_action(talk: Talk, number: int) -> str:
    return talk.say("action", "unit", units=talk.units(number))


def _fewer(talk: Talk, cells: Json, number: int) -> Json:
    """The draft for fewer units than advised, without notes about the advised number."""
    changed = _with_units(cells, number) | {"id": talk.fhir.id(f"red-cells-{number}")}
    changed.pop("note", None)
    return changed


def _with_units(resource: Json, number: float) -> Json:
    changed = deepcopy(resource)
    changed["quantityQuantity"] = changed["quantityQuantity"] | {"value": number}
    return changed


# -- the order itself ------------------------------------------------------------------------------


def _change(talk: Talk, order: Order, number: int, advised: int) -> Suggestion:
    said = talk.say("action", "change", reference=order.reference, number=number)
    action = Action("update", said, _with_units(order.resource, number))
    label = talk.say("suggestion", "change", units=talk.units(number))
    return Suggestion(label, is_recommended=number == advised > 1, actions=(action,))


def _removal(talk: Talk, order: Order) -> Iterator[Suggestion]:
    """Removing the order, where the record speaks against it."""
    if not against(talk, order):
        return
    said = talk.say("action", "delete", reference=order.reference)
    action = Action("delete", said, resource_id=order.reference)
    yield Suggestion(talk.words["suggestion"]["delete"], actions=(action,))


def against(talk: Talk, order: Order) -> bool:
    """Does the record speak against the order as a whole?"""
    if order.kind == "red-cells":
        return talk.steps.transfusion.verdict.value.decision in AGAINST
    option = name_of(order)
    if option is None or talk.asked.lacks(*NEEDED.get(option, ())):
        return False
    return talk.steps.alternatives.advice(option) in ("contraindicated", "not-eligible")


NEEDED = {"esa": ("medications", "procedures", "consents")}
"""Inputs without which a "no" about an option would rest on what did not come."""


def _create(label: str, drafts: list[tuple[str, Json]], *, recommended: bool = False) -> Suggestion:
    """A suggestion of drafts, which have no narrative: a card holds no HTML."""
    actions = tuple(Action("create", said, draft) for said, draft in drafts)
    return Suggestion(label, is_recommended=recommended, actions=actions)
