"""What holds for every card, over every bundled patient: who is told what, and what never is."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

import redcell
from cds.world import SHARED, call, cells, drug, prefetch
from redcell.clock import micros
from redcell.findings.red_flags import EMERGENCY
from redcell.knowledge.load import knowledge
from redcell.loop import Steps
from redcell.outputs.cards import (
    Asked,
    Draft,
    Missing,
    Order,
    issued,
    order_drafts,
    status_drafts,
    underage_draft,
)
from redcell.outputs.cards.state import state_of
from redcell.web.cds.answers import Response
from redcell.web.cds.judge import judge
from redcell.web.cds.news import Viewer
from redcell.web.cds.services import needs

VIGNETTES = sorted((SHARED / "examples" / "vignettes").glob("[0-9]*.json"))
PATIENTS: list[Any] = ["demo::okafor", *VIGNETTES]
AT = {"demo::okafor": "2026-11-22T09:00:00Z"}
PAGE = "https://redcell.example/launch"
DETAIL = ("Data as of", "Used", "Missing", "Expires", "Basis")
HTML = re.compile(r"<[A-Za-z/!?]")
LINK = re.compile(r"(?<!\\)\]\(")


def name(patient: Any) -> str:
    return patient if isinstance(patient, str) else patient.stem


@cache
def steps_of(patient: Any) -> Steps:
    at = AT.get(str(patient), "2026-11-20T09:00:00Z")
    return redcell.assess(redcell.read(patient), at=at, forecast=False).steps


def order(kind: str, text: str, units: float | None = None, drug: str = "") -> Order:
    draft = cells(units)
    return Order("ServiceRequest/draft-1", kind, text, units, drug, draft)


EVERY_ORDER = (
    order("red-cells", "Red cells", 2),
    order("oral-iron", "Ferrous sulfate"),
    order("iv-iron", "Iron sucrose"),
    order("esa", "Darbepoetin"),
    order("folate", "Folic acid"),
    order("vitamin-b12", "Cobalamin"),
    order("drug", "Capecitabine", drug="capecitabine"),
)


def everything(patient: Any) -> list[Draft]:
    """The cards of a patient: the state, and every kind of order, whole and with gaps."""
    steps = steps_of(patient)
    gaps = tuple(Missing(need, "not_sent") for need in needs(knowledge()) if need != "hemoglobin")
    found: list[Draft] = []
    for missing in ((), gaps):
        asked = Asked(missing=missing, page=PAGE)
        found += status_drafts(steps, asked)
        found += order_drafts(steps, msgspec.structs.replace(asked, orders=EVERY_ORDER))
    return found


def sent(drafts: list[Draft]) -> bytes:
    viewer = Viewer("c", "u", "p", "s", "patient-view", "i", 0)
    cards = tuple(issued(d, viewer.uuid(d)) for d in drafts)
    return msgspec.json.encode(Response(cards))


@pytest.fixture(params=PATIENTS, ids=name)
def patient(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_every_card_is_valid_beyond_the_reference_validator(patient):
    assert judge(sent(everything(patient)), "response", strict=True) == []


@pytest.mark.trust("X10", "P6", "U10")
def test_every_card_says_as_of_used_missing_rejected_expiry_and_basis(patient):
    for draft in everything(patient):
        for label in DETAIL:
            assert f"**{label}:**" in draft.card.detail, label
        assert re.search(r"\*\*Rejected(:\*\*| \\?\(\d+\\?\)\*\*)", draft.card.detail)
        assert "Options for the care team, who decide" in draft.card.detail


def test_a_card_is_critical_for_a_red_flag_or_a_critical_value_alone(patient):
    steps = steps_of(patient)
    found = steps.case.hemoglobin
    lowest = knowledge().value("urgency.hemoglobin_very_low")
    value = found is not None and found.value < lowest and not steps.survey.stale.value
    flag = any(f.value.level == EMERGENCY for f in steps.flags.flags)
    for draft in everything(patient):
        assert (draft.card.indicator == "critical") == (flag or value)


def test_a_card_about_an_order_begins_with_the_orders_name(patient):
    for draft in everything(patient):
        if draft.topic != "status":
            names = [o.name for o in EVERY_ORDER]
            assert draft.card.summary.partition(":")[0] in names


def test_nothing_is_in_a_card_that_a_client_could_take_for_html(patient):
    for draft in everything(patient):
        assert not HTML.search(json.dumps(msgspec.to_builtins(draft.card)))


@pytest.mark.trust("S7.2")
def test_suggestions_are_drafts_of_this_patient(patient):
    steps = steps_of(patient)
    for draft in everything(patient):
        for suggestion in draft.card.suggestions:
            for action in suggestion.actions:
                if action.type != "create":
                    continue
                resource = action.resource
                assert resource["resourceType"] == "ServiceRequest"
                assert (resource["status"], resource["intent"]) == ("draft", "proposal")
                assert resource["subject"]["reference"] == steps.case.record.patient.reference
                assert resource["id"]


@pytest.mark.trust("H11.2", "S4.1")
def test_no_blood_is_offered_where_the_rules_do_not_advise_it(patient):
    decision = steps_of(patient).transfusion.verdict.value.decision
    offered = [
        s for d in everything(patient) for s in d.card.suggestions if "of red cells" in s.label
    ]
    assert bool(offered) == (decision in ("recommend", "consider"))


def test_every_override_reason_has_words(patient):
    for draft in everything(patient):
        assert [r.code for r in draft.card.override_reasons][-1] == "patient-declines-transfusion"
        assert all(r.display and r.system for r in draft.card.override_reasons)


def test_with_gaps_nothing_rests_on_what_did_not_come(patient):
    gaps = tuple(Missing(need, "failed") for need in needs(knowledge()))
    for draft in status_drafts(steps_of(patient), Asked(missing=gaps)):
        assert "**What fits:** Not shown" in draft.card.detail
        assert "irradiation not needed" not in draft.card.detail


# -- the forecast ----------------------------------------------------------------------------------


@pytest.mark.trust("P9", "H5.4")
def test_the_forecast_changes_neither_color_nor_state():
    record = redcell.read("demo::okafor")
    with_one = redcell.assess(record, at=AT["demo::okafor"]).steps
    without = steps_of("demo::okafor")
    assert with_one.forecast is not None
    (one,), (other,) = (status_drafts(s, Asked()) for s in (with_one, without))
    assert state_of(with_one) == state_of(without)
    assert (one.card.indicator, one.card.summary) == (other.card.indicator, other.card.summary)
    assert one.card.suggestions == other.card.suggestions
    assert "**Forecast**" in one.card.detail
    assert "Advisory" in one.card.detail


# -- foreign text ----------------------------------------------------------------------------------

NASTY = '<img src=x onerror=alert(1)>[x](javascript:alert(1)) **b** https://evil.example "\\'


@pytest.mark.trust("S6")
def test_foreign_text_cannot_become_markup(world):
    data = prefetch()
    odd = json.loads(json.dumps(data["hemoglobin_v1"]["entry"][-1]))
    odd["resource"] |= {"id": "odd", "effectiveDateTime": "2026-11-21T08:00:00Z"}
    odd["resource"]["valueQuantity"] |= {"unit": NASTY, "code": NASTY}
    data["hemoglobin_v1"]["entry"].append(odd)
    goal = {
        "resourceType": "Goal",
        "id": "g",
        "lifecycleStatus": "active",
        "description": {"text": NASTY},
        "subject": {"reference": "Patient/okafor"},
    }
    data["goals"] = goal
    order = drug("ferrous sulfate " + NASTY)
    for service, body in (
        ("redcell-anemia", call(data=data)),
        ("redcell-orders", call("order-sign", data, context={"draftOrders": {
            "resourceType": "Bundle", "type": "collection",
            "entry": [{"fullUrl": "urn:uuid:1", "resource": order}]}})),
    ):  # fmt: skip
        answer = world.post(service, body)
        assert judge(answer.content, "response", strict=True) == []
        (card,) = answer.json()["cards"]
        assert "<" not in card["summary"] + card["detail"]
        assert not LINK.search(card["detail"])
        assert "://evil" not in card["detail"]


# -- states ----------------------------------------------------------------------------------------


def test_somebody_who_is_not_anemic_gets_no_card():
    from builder import assess, patient

    steps = assess(patient(hemoglobin=13.5))
    assert status_drafts(steps, Asked()) == ()


def test_the_card_of_somebody_under_18_names_no_number():
    draft = underage_draft(knowledge(), micros(datetime(2026, 11, 22, tzinfo=UTC)))
    assert draft.card.indicator == "info"
    assert all(f"**{label}:**" in draft.card.detail for label in (*DETAIL, "Rejected"))
    assert judge(sent([draft]), "response", strict=True) == []


def test_every_sentence_of_the_wording_file_is_used():
    words = knowledge().wording("cards")
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in Path(redcell.__file__).parent.glob("outputs/cards/*.py")
    )
    for topic, table in words.items():
        if topic in ("override", "need", "used", "order"):
            continue
        for key in table:
            assert re.search(f"""["']{key}["']""", source), f"{topic}.{key}"
