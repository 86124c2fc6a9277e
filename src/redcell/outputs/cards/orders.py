"""Cards about draft orders: what in the record speaks for and against each, and what fits it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from redcell.outputs.cards import text
from redcell.outputs.cards.asked import Order
from redcell.outputs.cards.basis import foot
from redcell.outputs.cards.card import Draft, Indicator
from redcell.outputs.cards.draft import drafted
from redcell.outputs.cards.markdown import labeled, listed, paragraphs, plain, short
from redcell.outputs.cards.state import state_of
from redcell.outputs.cards.status import MOST
from redcell.outputs.cards.suggestions import NEEDED, against, of_order
from redcell.outputs.cards.talk import Talk

NAME = 60
"""Characters of an order's own name in a summary."""
FIRST = {
    "repeat-specimen-first": "repeat",
    "confirm-result-first": "count",
    "hematology-decides": "hematology",
}
"""Precautions that come before any red cells, and how the summary says so."""
UNWANTED = ("not-expected-to-help", "not-eligible", "contraindicated")
WARNED = ("not-eligible", "contraindicated")


class Judged(Struct, frozen=True):
    """What is said about one order."""

    said: str
    warns: bool
    for_it: tuple[str, ...] = ()
    against_it: tuple[str, ...] = ()


def order_cards(talk: Talk) -> Iterator[Draft]:
    """One card for each draft order about which there is something to say."""
    for order in talk.asked.orders:
        judged = judge(talk, order)
        if judged is not None:
            yield _card(talk, order, judged)


def judge(talk: Talk, order: Order) -> Judged | None:
    """What the record says about one order; none where it says nothing."""
    if order.kind == "red-cells":
        return _red_cells(talk, order)
    if order.kind == "drug":
        return _drug(talk, order)
    return _option(talk, order)


def _card(talk: Talk, order: Order, judged: Judged) -> Draft:
    return drafted(
        talk,
        topic=order.reference,
        summary=_summary(talk, order, judged),
        indicator=_indicator(talk, judged),
        detail=_detail(talk, order, judged),
        offer=of_order(talk, order),
        state=state_of(talk.steps, order.kind, order.name, order.units, judged.said),
    )


def _indicator(talk: Talk, judged: Judged) -> Indicator:
    found = text.indicator(talk)
    if found == "critical":
        return found
    return "warning" if judged.warns else "info"


def _summary(talk: Talk, order: Order, judged: Judged) -> str:
    """The order by its name, then what is said of it, then the count."""
    name = short(order.name, NAME) or order.reference
    said = talk.say("summary", "order", name=name, said=judged.said)
    found = talk.case.hemoglobin
    if found is not None:
        said += f". Hb {found.value:g} g/dL on {found.time.day.isoformat()}"
    return short(said, MOST)


def _detail(talk: Talk, order: Order, judged: Judged) -> str:
    named = f"{plain(order.name)} ({order.reference})."
    return paragraphs(
        text.flags(talk),
        labeled(talk.head("order"), named),
        listed(talk.head("for"), judged.for_it),
        listed(talk.head("against"), judged.against_it),
        text.status(talk),
        text.cells(talk) if order.kind == "red-cells" else "",
        text.made_without(talk, *_needed(order)),
        text.next_count(talk),
        "---",
        foot(talk),
    )


def _needed(order: Order) -> tuple[str, ...]:
    if order.kind == "red-cells":
        return text.DECIDING
    return ("laboratory", "medications", "conditions", *NEEDED.get(order.kind, ()))


# -- red cells -----------------------------------------------------------------------------------


def _red_cells(talk: Talk, order: Order) -> Judged:
    plan = talk.steps.transfusion
    verdict, advised = plan.verdict.value, plan.units.value
    statement = talk.speech.statement(plan.verdict)
    codes = text.precautions(talk)
    sentences = [talk.speech.sentence("precaution", c) for c in codes if c in FIRST]
    giving = verdict.decision in ("recommend", "consider")
    more = giving and order.units is not None and advised is not None and order.units > advised
    units = talk.units(advised or 1)
    first = next((FIRST[c] for c in FIRST if c in codes), "")
    if more:
        ordered = talk.units(order.units or 0)
        said = talk.say("order", "more", advised=units, ordered=ordered)
        sentences.insert(0, talk.say("say", "units_more", ordered=ordered, advised=units))
    else:
        said = talk.say("order", first or verdict.decision, units=units)
    for_it = [statement] if giving else []
    if giving and not more:
        for_it.append(_fits(talk, order, units))
    against_it = sentences if giving else [statement, *sentences]
    warns = more or bool(first) or verdict.decision in ("do-not-transfuse", "declined")
    return Judged(said, warns, tuple(for_it), tuple(dict.fromkeys(against_it)))


def _fits(talk: Talk, order: Order, advised: str) -> str:
    if order.units is None:
        return talk.words["say"]["units_unknown"]
    return talk.say("say", "units_fit", units=advised)


# -- iron, vitamins, ESA, and cancer drugs ---------------------------------------------------------


def _option(talk: Talk, order: Order) -> Judged | None:
    """What the assessment says about an option that is being ordered."""
    option = text.name_of(order)
    found = next((o for o in talk.out["alternatives"] if o["option"] == option), None)
    if found is None:
        return None
    lacking = talk.asked.lacks(*NEEDED.get(str(option), ()))
    if lacking and found["advice"] in UNWANTED:
        said = talk.say("say", "cannot_tell", names=talk.needs(lacking))
        return Judged(talk.words["order"]["unknown"], False, (), (said,))
    reasons = (*found["because"], *found["disagreements"])
    speaks_against = found["advice"] in (*UNWANTED, "insufficient-data")
    said = talk.words["order"][found["advice"]]
    warns = found["advice"] in WARNED
    return Judged(said, warns, () if speaks_against else reasons, reasons if speaks_against else ())


def _drug(talk: Talk, order: Order) -> Judged | None:
    """A cancer drug: only where its dose is in question, or a count is overdue."""
    steps = talk.steps
    option = next(o for o in steps.alternatives.options if o.name == "dose-change")
    counsel = option.counsel.value
    if order.drug in option.names and counsel.advice in ("recommended", "may-be-considered"):
        found = next(o for o in talk.out["alternatives"] if o["option"] == "dose-change")
        grade = steps.survey.grade.value
        key = "dose-change" if grade else "dose-change-plain"
        said = talk.say("order", key, grade=grade)
        return Judged(said, counsel.advice == "recommended", (), tuple(found["because"]))
    if steps.monitoring.overdue.value is True and not talk.asked.lacks("hemoglobin"):
        return Judged(talk.words["order"]["overdue"], True)
    return None


__all__ = ["against", "judge", "order_cards"]
