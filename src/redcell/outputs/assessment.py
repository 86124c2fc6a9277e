"""The assessment as the output contract has it: one JSON object, the same bytes every time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from redcell.findings.causes import Attribution
from redcell.findings.red_flags import EMERGENCY
from redcell.findings.symptoms import SymptomFinding
from redcell.loop import Steps
from redcell.outputs.forecast import forecast_dict
from redcell.outputs.sentences import (
    cause_label,
    conversation_text,
    flag_statement,
    precaution_text,
    reassess_text,
)
from redcell.outputs.speech import Speech
from redcell.outputs.warnings import warnings_of
from redcell.plan.alternatives import Option
from redcell.quantity import half_up
from redcell.rule import Finding, references

SCHEMA = "redcell.assessment/1"
Json = dict[str, Any]

GRADE4 = ("W0", "S-R4", "M8", "W-a", "S-R27")
GRADE_3 = 3


Number = Callable[..., list[str]]
"""Gives the ids of findings."""


class Numbering:
    """Numbers findings in the order in which the output first cites them."""

    def __init__(self, speech: Speech) -> None:
        self.speech = speech
        self._ids: dict[int, str] = {}
        self.findings: list[Finding[Any]] = []

    def __call__(self, *findings: Finding[Any]) -> list[str]:
        """Ids of these findings, numbering the ones not cited before."""
        return [self._id(f) for f in dict.fromkeys(findings)]

    def _id(self, finding: Finding[Any]) -> str:
        known = self._ids.get(id(finding))
        if known is None:
            known = f"f{len(self.findings) + 1}"
            self._ids[id(finding)] = known
            self.findings.append(finding)
        return known

    def entries(self) -> list[Json]:
        """Every cited finding with its statement, evidence and sources."""
        return [self._entry(f) for f in self.findings]

    def _entry(self, finding: Finding[Any]) -> Json:
        own = self.speech.knowledge.citations(finding.rule)
        cited = [c.citation for c in finding.cited.values()]
        return {
            "id": self._ids[id(finding)],
            "rule": finding.rule,
            "statement": self.speech.statement(finding),
            "evidence": list(finding.evidence),
            "source": list(dict.fromkeys([*own, *cited])),
        }


def to_dict(steps: Steps) -> Json:
    """The contract's object for one assessment, keys in the contract's order."""
    found = _filled(steps, Numbering(Speech(steps.case.knowledge)))
    return {key: found[key] for key in KEYS}


class Parts(dict[str, Any]):
    """The parts that a short text speaks from, each made when it is first asked for.

    Findings are not numbered in them: every list of evidence is empty.
    """

    def __init__(self, steps: Steps, speech: Speech) -> None:
        super().__init__()
        self._steps, self._speech = steps, speech

    def __missing__(self, key: str) -> Any:
        self[key] = made = self._made(key)
        return made

    def _made(self, key: str) -> Any:
        steps, speech = self._steps, self._speech
        if key == "anemia":
            return _anemia(steps, _uncited)
        if key == "red_flags":
            return [_red_flag(steps, f, speech, _uncited) for f in steps.flags.flags]
        if key == "transfusion":
            return _transfusion(steps, speech, _uncited)
        if key == "alternatives":
            return [_alternative(o, speech) for o in steps.alternatives.options]
        raise KeyError(key)


def _uncited(*_: Finding[Any]) -> list[str]:
    """What takes the place of a numbering where nothing is numbered."""
    return []


def numbered(steps: Steps) -> list[Finding[Any]]:
    """The findings that the output cites, in the order of their numbers."""
    number = Numbering(Speech(steps.case.knowledge))
    _filled(steps, number)
    return number.findings


def _filled(steps: Steps, number: Numbering) -> Json:
    speech = number.speech
    urgency = _urgency(steps, number)
    return {
        "schema": SCHEMA,
        "at": steps.case.at.iso(),
        "patient": _patient(steps),
        "urgency": urgency,
        "anemia": _anemia(steps, number),
        "causes": [_cause(steps, a, speech, number) for a in steps.causes.ranked],
        "not_assessed": list(steps.gaps),
        "symptoms": [_symptom(s) for s in steps.symptoms.symptoms],
        "red_flags": [_red_flag(steps, f, speech, number) for f in steps.flags.flags],
        "transfusion": _transfusion(steps, speech, number),
        "alternatives": [_alternative(o, speech) for o in _cite_options(steps, number)],
        "monitoring": _monitoring(steps, number),
        "self_care": _self_care(steps, speech),
        "education": _education(steps, speech),
        "conversation": _conversation(steps, speech, number),
        "forecast": _forecast(steps),
        "warnings": [
            {"code": w.code, "text": w.text, "evidence": number(*w.findings)}
            for w in warnings_of(steps, speech)
        ],
        "findings": number.entries(),
    }


def _urgency(steps: Steps, number: Numbering) -> Json:
    urgency = steps.flags.urgency.value
    winning = [f for f in steps.flags.fired() if f.rule in urgency.because]
    number(*winning) if winning else number(steps.flags.urgency)
    because = urgency.because or steps.monitoring.due.value.because[:1]
    return {"level": urgency.level, "because": list(because)}


def _red_flag(steps: Steps, flag: Finding[Any], speech: Speech, number: Number) -> Json:
    return {
        "rule": flag.rule,
        "urgency": flag.value.level,
        "statement": flag_statement(steps, flag, speech),
        "evidence": number(flag),
    }


def _self_care(steps: Steps, speech: Speech) -> list[Json]:
    return [
        {
            "id": item.id,
            "text": speech.sentence("self_care", _variant(item.id, item.variant)),
            "rules": list(dict.fromkeys(f.rule for f in item.findings)),
        }
        for item in steps.self_care
    ]


def _education(steps: Steps, speech: Speech) -> list[Json]:
    return [
        {
            "id": page.id,
            "text": speech.sentence("education", _variant(page.id, page.variant)),
            "rules": list(page.rules),
        }
        for page in steps.education
    ]


def _conversation(steps: Steps, speech: Speech, number: Numbering) -> list[Json]:
    return [
        {
            "id": topic.id,
            "text": conversation_text(steps, topic.id, speech),
            "evidence": number(*topic.findings),
        }
        for topic in steps.conversation
    ]


KEYS = (
    "schema",
    "at",
    "patient",
    "urgency",
    "anemia",
    "causes",
    "not_assessed",
    "symptoms",
    "red_flags",
    "transfusion",
    "alternatives",
    "monitoring",
    "self_care",
    "education",
    "conversation",
    "forecast",
    "findings",
    "warnings",
)


def to_json(steps: Steps) -> bytes:
    """The contract's object as UTF-8 JSON, indented, keys in the contract's order."""
    return msgspec.json.format(msgspec.json.encode(to_dict(steps)), indent=1) + b"\n"


def _variant(page: str, variant: str) -> str:
    return f"{page}.{variant}" if variant else page


def _patient(steps: Steps) -> Json:
    patient = steps.case.record.patient
    return {"id": patient.id, "sex": patient.sex, "age_years": patient.age_years(steps.case.at)}


def _anemia(steps: Steps, number: Number) -> Json:
    survey = steps.survey
    number(survey.status, survey.lower_limit, survey.grade, survey.who)
    number(*(f for f in steps.blood.patterns if f.value))
    limit = survey.lower_limit.value
    return {
        "status": survey.status.value,
        "hemoglobin": _hemoglobin(steps),
        "lower_limit": {"value": limit.value, "from": limit.origin},
        "ctcae_grade": survey.grade.value,
        "ctcae_grade4_prompt": grade4_prompt(steps),
        "who_severity": survey.who.value,
        "who_adjusted_hemoglobin": survey.who_adjusted.value,
        "morphology": _morphology(steps),
        "reticulocyte_production_index": survey.production_index.value,
        "trend": _trend(steps),
        "asymptomatic": steps.symptoms.asymptomatic.value,
    }


def _hemoglobin(steps: Steps) -> Json | None:
    measured = steps.case.hemoglobin
    if measured is None:
        return None
    return {
        "value": half_up(measured.value, 2),
        "unit": "g/dL",
        "time": measured.time.iso(),
        "reference": measured.reference,
    }


def _morphology(steps: Steps) -> Json:
    mcv = steps.survey.size.inputs["mcv"]
    return {
        "size": steps.survey.size.value,
        "mcv": half_up(mcv.value, 2) if mcv is not None else None,
        "patterns": list(steps.blood.rules),
    }


def _trend(steps: Steps) -> Json | None:
    trend = steps.survey.trend.value
    if trend is None:
        return None
    return {"g_dl_per_week": trend.g_dl_per_week, "days": trend.days, "points": trend.points}


def grade4_prompt(steps: Steps) -> bool:
    """Ask a clinician whether this is grade 4: grade 3 with a life-threatening emergency."""
    emergency = steps.flags.urgency.value.level == EMERGENCY
    severe = any(f.value.level == EMERGENCY for f in steps.flags.fired(*GRADE4))
    return emergency and steps.survey.grade.value == GRADE_3 and severe


def _cause(steps: Steps, attribution: Attribution, speech: Speech, number: Numbering) -> Json:
    start = steps.causes.started[attribution.cause]
    return {
        "cause": attribution.cause,
        "label": cause_label(steps, attribution, speech),
        "probability": attribution.probability,
        "evidence": number(start, *(s.finding for s in attribution.support)),
    }


def _symptom(found: SymptomFinding) -> Json:
    return {
        "symptom": found.answer.symptom,
        "grade": found.answer.grade,
        "anemia_contribution": found.contribution.value,
        "other_causes": list(found.other_causes),
        "evidence": [found.answer.reference],
    }


def _transfusion(steps: Steps, speech: Speech, number: Number) -> Json:
    plan = steps.transfusion
    verdict = plan.verdict.value
    number(plan.verdict)
    giving = verdict.decision in ("recommend", "consider")
    return {
        "decision": verdict.decision,
        "component": plan.component,
        "units": plan.units.value,
        "infusion_hours": _pair(plan.infusion_hours),
        "chair_hours": _pair(plan.chair_hours),
        "expected_rise_g_dl": _pair(plan.expected_rise.value),
        "target": _pair(verdict.target) if giving else None,
        "precautions": [
            {
                "code": p.code,
                "text": precaution_text(steps, p.code, speech),
                "evidence": number(*p.evidence),
            }
            for p in plan.precautions
        ],
        "reassess": reassess_text(steps, speech),
        "because": list(verdict.because),
    }


def _cite_options(steps: Steps, number: Numbering) -> Iterable[Option]:
    for option in steps.alternatives.options:
        number(option.counsel)
        yield option


def _alternative(option: Option, speech: Speech) -> Json:
    names = ", ".join(speech.drug(n) for n in option.names) or speech.label("option", "the-drug")
    counsel = option.counsel.value
    labels = [speech.knowledge.drugs[n] for n in option.names if n in speech.knowledge.drugs]
    label = " ".join(d.label_action for d in labels if d.label_action)
    restart = " ".join(d.label_restart for d in labels if d.label_restart)
    values = {"drugs": names, "label": label, "restart": restart}
    return {
        "option": option.name,
        "advice": counsel.advice,
        "because": [s for r in counsel.reasons if (s := speech.sentence("because", r, **values))],
        "disagreements": [speech.sentence("disagreement", d) for d in counsel.disagreements],
    }


def _monitoring(steps: Steps, number: Numbering) -> Json:
    due = steps.monitoring.due.value
    number(steps.monitoring.due)
    return {
        "next_cbc_due": due.day.isoformat() if due.day else None,
        "interval_days": due.interval_days,
        "overdue": steps.monitoring.overdue.value,
        "because": list(due.because),
    }


def _forecast(steps: Steps) -> Json | None:
    return None if steps.forecast is None else forecast_dict(steps.forecast, steps)


def _pair(values: tuple[float, float] | None) -> list[float] | None:
    return None if values is None else [values[0], values[1]]


__all__ = ["references", "to_dict", "to_json"]
