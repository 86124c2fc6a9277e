"""What would change what a person does, as one hash: the same state is not said twice."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from redcell.loop import Steps


def state_of(steps: Steps, *more: object) -> str:
    """The hash of count, urgency, red flags, decisions and due date; of no time and no forecast."""
    return sha256(msgspec.json.encode([_facts(steps), more], enc_hook=str)).hexdigest()[:32]


def _facts(steps: Steps) -> list[Any]:
    found, verdict = steps.case.hemoglobin, steps.transfusion.verdict.value
    return [
        steps.survey.status.value,
        None if found is None else (found.value, found.time.iso(), found.status),
        steps.survey.grade.value,
        steps.flags.urgency.value.level,
        sorted((f.rule, f.value.level, f.value.clauses) for f in steps.flags.flags),
        (verdict.decision, verdict.because, steps.transfusion.units.value),
        sorted(p.code for p in steps.transfusion.precautions if p.code not in FORECAST),
        [(o.name, o.counsel.value.advice) for o in steps.alternatives.options],
        steps.monitoring.overdue.value is True,
    ]


FORECAST = frozenset({"escalate-if-forecast-below-7"})
"""Precautions that follow from the forecast: it never raises an alarm."""
