"""The foot of every card: as of when, what was used, missing and rejected, until when, on what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from redcell.clock import HOUR, micros, when
from redcell.outputs.cards.markdown import labeled, listed, paragraphs
from redcell.outputs.cards.talk import Talk
from redcell.record.moment import Moment, utc
from redcell.record.record import Record, happened

LASTS_HOURS = {"emergency": 1, "same-day-face-to-face": 8, "same-day": 8}
"""How long a card holds when nothing newer comes, by urgency; the others hold LONGEST_HOURS."""
LONGEST_HOURS = 24
REJECTED_SHOWN = 3
SOURCES_SHOWN = 4
FACTS_SHOWN = 6


def expires(talk: Talk) -> int:
    """When the card is out of date by itself."""
    level = talk.steps.flags.urgency.value.level
    hours = LASTS_HOURS.get(level, LONGEST_HOURS)
    return micros(talk.case.at.time) + hours * HOUR


def foot(talk: Talk) -> str:
    """The last paragraphs of a card's detail."""
    words = talk.words["say"]
    return paragraphs(
        labeled(talk.head("as_of"), _as_of(talk)),
        labeled(talk.head("used"), "; ".join(_used(talk)) or words["nothing_rejected"]),
        labeled(talk.head("missing"), "; ".join(_missing(talk)) or words["nothing_missing"]),
        _rejected(talk),
        labeled(
            talk.head("expires"), talk.say("say", "expires", until=utc(when(expires(talk))).iso())
        ),
        labeled(talk.head("basis"), " ".join(_basis(talk))),
    )


# -- as of, used ---------------------------------------------------------------------------------


def _as_of(talk: Talk) -> str:
    newest = newest_result(talk.case.record)
    at = talk.case.at.iso()
    if newest is None:
        return talk.say("say", "no_data", at=at)
    return talk.say("say", "as_of", time=str(newest), at=at)


def newest_result(record: Record) -> Moment | None:
    """The time of the newest result or answer in the record."""
    ends = [rows[-1] for rows in (*record.results.values(), *record.coded.values()) if rows]
    ends += [rows[-1] for rows in record.symptoms.values() if rows]
    times = [when for fact in ends if (when := happened(fact)) is not None]
    return max(times, default=None)


def _used(talk: Talk) -> Iterator[str]:
    """Counts by kind. What was not found is not named here: it may not have come."""
    record = talk.case.record
    counts = record.results.get("hemoglobin", ())
    others = sum(len(rows) for rows in (*record.results.values(), *record.coded.values()))
    found = {
        "hemoglobin": len(counts),
        "results": others - len(counts),
        "symptoms": sum(len(rows) for rows in record.symptoms.values()),
        "drugs": len(record.drugs),
        "radiation": len(record.radiation),
        "cells": len(record.transfusions),
        "diagnoses": len(record.diagnoses),
        "refusals": len(record.refusals),
    }
    for name, number in found.items():
        if number:
            said = talk.say("used", name, n=number)
            if name == "hemoglobin":
                said += f" ({talk.say('used', 'newest', reference=counts[-1].reference)})"
            yield said


# -- missing, rejected -----------------------------------------------------------------------------


def _missing(talk: Talk) -> Iterator[str]:
    for why in ("not_sent", "failed", "cut"):
        names = [m.need for m in talk.asked.missing if m.why == why]
        if names:
            yield talk.say("say", why, names=talk.needs(names))
    gaps = [talk.speech.label("not_assessed", name) for name in talk.steps.gaps]
    if gaps:
        yield talk.say("say", "not_current", names=", ".join(gaps))
    yield from talk.asked.notes


def _rejected(talk: Talk) -> str:
    """How many data were set aside, by reason, and the first of them in full."""
    label, aside = talk.head("rejected"), talk.case.record.set_aside
    if not aside:
        return labeled(label, talk.words["say"]["nothing_rejected"])
    total = Counter(s.code for s in aside)
    counted = ", ".join(f"{n} {code.replace('-', ' ')}" for code, n in sorted(total.items()))
    texts = list(dict.fromkeys(s.text for s in aside))[:REJECTED_SHOWN]
    return listed(f"{label} ({len(aside)})", [counted, *texts])


# -- basis -----------------------------------------------------------------------------------------


def rules_used(talk: Talk) -> tuple[str, ...]:
    """The rules that decided: urgency, red cells, the next count."""
    steps = talk.steps
    found = (
        *steps.flags.urgency.value.because,
        *steps.transfusion.verdict.value.because,
        *steps.monitoring.due.value.because,
    )
    return tuple(dict.fromkeys(found))


def _basis(talk: Talk) -> Iterator[str]:
    deciding = (talk.steps.flags.urgency, talk.steps.transfusion.verdict)
    facts = list(dict.fromkeys(r for f in deciding for r in f.evidence))
    if facts:
        more = f", +{len(facts) - FACTS_SHOWN}" if len(facts) > FACTS_SHOWN else ""
        yield talk.say("say", "facts", facts=", ".join(facts[:FACTS_SHOWN]) + more)
    rules = rules_used(talk)
    if rules:
        yield talk.say("say", "rules", rules=", ".join(rules))
    cited: dict[str, None] = {}
    for rule in rules:
        if rule in talk.knowledge.rules:
            for source in talk.knowledge.rules[rule].sources:
                cited[talk.knowledge.sources[source].cite] = None
    if cited:
        yield talk.say("say", "sources", sources="; ".join([*cited][:SOURCES_SHOWN]))
    if talk.knowledge.policy:
        yield f"{talk.knowledge.policy.title}."
    yield talk.words["say"]["role"]
    if talk.asked.page:
        yield talk.words["say"]["page"]
