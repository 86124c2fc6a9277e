"""Draft orders of a call: which of them ask for something about which redcell can speak."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from redcell.knowledge.load import Knowledge
from redcell.outputs.cards import Order
from redcell.outputs.cards.asked import Kind
from redcell.outputs.cards.markdown import plain
from redcell.sources.fhir.datatypes import CodeableConcept
from redcell.sources.fhir.medications import RED_CELL_NAMES, is_red_cells
from redcell.sources.fhir.procedures import TRANSFUSION_CODES
from redcell.sources.terms import Terms, terms
from redcell.web.cds.calls import RefusedCallError, refused
from redcell.web.cds.judge import judge_drafts

GROUPS: dict[str, Kind] = {
    "iron-oral": "oral-iron",
    "iron-iv": "iv-iron",
    "esa": "esa",
    "b12": "vitamin-b12",
    "folate": "folate",
}
"""Groups of contributing drugs that are options of their own."""
PACKED = re.compile(r"\b(transfus\w*|packed|leuko\w+|irradiated|units?)\b")
"""Words that make red cells a product to give, rather than cells to count."""
SCREEN = re.compile(r"\b(type|group)\b.*\bscreen|\bantibody screen\b|\bcrossmatch\b")
COUNTS = ("58410-2", "57021-8", "57782-5", "718-7")
TESTS = {"2276-4": "ferritin", "2502-3": "tsat"}
UNIT_TEXT = re.compile(r"\b(\d{1,2})\s*(?:x\s*)?units?\b", re.IGNORECASE)
UNIT_SIGNS = ("", "{unit}", "{units}", "unit", "units", "1")
LONGEST = 200


class Drafts(Struct, frozen=True):
    """What the draft orders of a call ask for."""

    about: tuple[Order, ...]
    """The ones to speak about."""
    kinds: tuple[str, ...]
    """What all of them ask for, so that nothing is suggested twice."""


def read_orders(
    bundle: bytes, selections: tuple[str, ...], knowledge: Knowledge, patient: str = ""
) -> Drafts:
    """The draft orders about which there may be something to say.

    Args:
        bundle: the draft orders as they came.
        selections: the orders that the user has just selected; empty for all of them.
        knowledge: the knowledge base whose code tables are used.
        patient: whom the call is about; an order for another patient is passed over.

    Raises:
        RefusedCallError: with status 400; the drafts are not a Bundle of resources with a known
            type and known codes.
    """
    data: Any = msgspec.json.decode(bundle)
    if not isinstance(data, dict) or data.get("resourceType") != "Bundle":
        path = "CDSHooksRequest.context.draftOrders"
        raise refused(400, "draftOrders: expected a Bundle.", path=path)
    faults = judge_drafts(data)
    if faults:
        raise RefusedCallError(400, faults)
    found = [_resource(entry) for entry in _list(data.get("entry"))]
    resources = [r for r in found if r and _is_for(r, patient)]
    known = {f"{r.get('resourceType')}/{r.get('id')}": r for r in resources}
    read = [_order(r, known, terms(knowledge)) for r in resources]
    about = [order for order in read if order is not None and _is_chosen(order, selections)]
    kinds = [*(o.kind for o in read if o is not None), *_tests(resources)]
    return Drafts(tuple(about), tuple(dict.fromkeys(kinds)))


def _resource(entry: Any) -> dict[str, Any]:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    return resource if isinstance(resource, dict) else {}


def _is_for(resource: dict[str, Any], patient: str) -> bool:
    """Is an order for this patient, as far as it says whom it is for?"""
    subject = resource.get("subject") or resource.get("deliverFor")
    reference = subject.get("reference") if isinstance(subject, dict) else None
    kind, _, name = reference.rpartition("/") if isinstance(reference, str) else ("", "", "")
    return not patient or kind.rpartition("/")[2] != "Patient" or name == patient


def _is_chosen(order: Order, selections: tuple[str, ...]) -> bool:
    """Has the user just selected it? By type and id, or by an id alone."""
    names = {"/".join(name.split("/")[-2:]) for name in selections}
    return not names or not names.isdisjoint({order.reference, order.reference.split("/")[1]})


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


# -- what one order is for -----------------------------------------------------------------------


def _order(
    resource: dict[str, Any], known: dict[str, dict[str, Any]], words: Terms
) -> Order | None:
    """The order, when it is for red cells, iron, a vitamin, an ESA, or a cancer drug."""
    kind = str(resource.get("resourceType"))
    if kind not in PLACES or str(resource.get("status")) in OVER:
        return None
    if resource.get("doNotPerform") is True:
        return None
    for concept in _concepts(resource, known):
        asked = _kind(concept, words, product=kind != "ServiceRequest")
        if asked is not None:
            what, drug = asked
            reference = f"{kind}/{resource.get('id', '')}"
            name = plain(concept.label)[:LONGEST]
            units = _units(resource, concept) if what == "red-cells" else None
            return Order(reference, what, name, units, drug, resource)
    return None


OVER = ("entered-in-error", "cancelled", "revoked")
PLACES = {
    "MedicationRequest": ("medicationCodeableConcept", "medicationReference"),
    "ServiceRequest": ("code", "orderDetail"),
    "SupplyRequest": ("itemCodeableConcept", "itemReference"),
}
"""Where an order says what it is for."""


def _concepts(
    resource: dict[str, Any], known: dict[str, dict[str, Any]]
) -> Iterator[CodeableConcept]:
    for name in PLACES[resource["resourceType"]]:
        value = resource.get(name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from _concept(item, resource, known)


def _concept(
    item: dict[str, Any], resource: dict[str, Any], known: dict[str, dict[str, Any]]
) -> Iterator[CodeableConcept]:
    """A concept, or the ones of the medication that a reference leads to."""
    reference = item.get("reference")
    if not isinstance(reference, str):
        yield from _converted(item)
        return
    inside = {f"#{r.get('id')}": r for r in _list(resource.get("contained")) if isinstance(r, dict)}
    found = inside.get(reference) or known.get("/".join(reference.split("/")[-2:]))
    if found is None:
        yield CodeableConcept(text=str(item.get("display", "")))
        return
    yield from _converted(found.get("code"))
    for part in _list(found.get("ingredient")):
        if isinstance(part, dict):
            yield from _converted(part.get("itemCodeableConcept"))


def _converted(item: Any) -> Iterator[CodeableConcept]:
    try:
        yield msgspec.convert(item, CodeableConcept)
    except msgspec.ValidationError:
        return


def _kind(concept: CodeableConcept, words: Terms, *, product: bool) -> tuple[Kind, str] | None:
    """What the concept asks for, and the drug in the knowledge base."""
    if _asks_for_red_cells(concept, words.products, product=product):
        return "red-cells", ""
    for slug in words.drugs(concept.concept).slugs:
        group = GROUPS.get(slug.partition("/")[0])
        if group is not None:
            return group, slug
        if slug in words.knowledge.drugs:
            return "drug", slug
    return None


def _asks_for_red_cells(
    concept: CodeableConcept, products: tuple[str, ...], *, product: bool
) -> bool:
    if any(c.code in TRANSFUSION_CODES for c in concept.coding):
        return True
    if not is_red_cells(concept, products):
        return False
    said = concept.words.replace("-", " ")
    named = RED_CELL_NAMES.search(said) is not None
    return product or not named or PACKED.search(said) is not None


# -- amounts, tests ------------------------------------------------------------------------------


def _units(resource: dict[str, Any], concept: CodeableConcept) -> float | None:
    """How many units the order is for; `None` when it does not say."""
    dose = _first(_first(resource.get("dosageInstruction")).get("doseAndRate"))
    dispense = resource.get("dispenseRequest")
    supply = dispense.get("quantity") if isinstance(dispense, dict) else None
    for quantity in (
        resource.get("quantityQuantity"),
        resource.get("quantity"),
        dose.get("doseQuantity"),
        supply,
    ):
        number = _number(quantity)
        if number is not None:
            return number
    said = UNIT_TEXT.search(" ".join([concept.text, *(c.display for c in concept.coding)]))
    return float(said[1]) if said else None


def _first(value: Any) -> dict[str, Any]:
    found = value[0] if isinstance(value, list) and value else value
    return found if isinstance(found, dict) else {}


def _number(quantity: Any) -> float | None:
    if not isinstance(quantity, dict):
        return None
    value, sign = quantity.get("value"), quantity.get("code") or quantity.get("unit") or ""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if str(sign).lower() in UNIT_SIGNS else None


def _tests(resources: list[dict[str, Any]]) -> Iterator[str]:
    """Tests that are ordered already."""
    for resource in resources:
        if resource.get("resourceType") != "ServiceRequest":
            continue
        for concept in _converted(resource.get("code")):
            codes = {c.code for c in concept.coding}
            if codes & set(COUNTS):
                yield "count"
            yield from (name for code, name in TESTS.items() if code in codes)
            if SCREEN.search(concept.words):
                yield "group-and-screen"
