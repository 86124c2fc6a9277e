"""Warnings of the output contract: problems in the data, each said once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from msgspec import Struct

from redcell.findings.gaps import cardiovascular_history_known, transfusion_history_known
from redcell.loop import Steps
from redcell.outputs.speech import Speech
from redcell.record.record import SetAside
from redcell.rule import Finding

CODES = (
    "ambiguous-drug",
    "unmapped-drug",
    "unmapped-code",
    "unit-not-understood",
    "implausible-value",
    "delta-check-failed",
    "parallel-cell-line-shift",
    "hematocrit-hemoglobin-mismatch",
    "preliminary-result",
    "entered-in-error-ignored",
    "corrected-result-used",
    "stale-hemoglobin",
    "no-hemoglobin",
    "symptoms-not-recorded",
    "cardiovascular-history-unknown",
    "transfusion-history-unknown",
    "weight-missing",
    "height-missing",
    "conflicting-records",
    "naive-time-assumed-utc",
    "future-data-ignored",
    "post-transfusion-distortion",
    "site-mapping-unknown",
    "foreign-patient-ignored",
    "code-display-mismatch",
    "large-hemoglobin-fall",
)

GROUPED = 3

SAID_AS = {"value-not-a-number": "implausible-value", "value-not-understood": "implausible-value"}
"""Problems of reading that the contract's list has no code of its own for."""


class DataWarning(Struct, frozen=True):
    """One warning: its code, its text, the findings behind it."""

    code: str
    text: str
    findings: tuple[Finding[Any], ...] = ()


def warnings_of(steps: Steps, speech: Speech, codes: Collection[str] = CODES) -> list[DataWarning]:
    """Warnings in the order of the contract's list: from the reading, then from the findings.

    Args:
        steps: the assessment.
        speech: its sentences.
        codes: the warnings that are wanted.
    """
    found = [*_from_reading(steps, codes), *_from_findings(steps, speech, codes)]
    return sorted(found, key=lambda w: (CODES.index(w.code), w.text))


def _from_reading(steps: Steps, codes: Collection[str]) -> list[DataWarning]:
    """What the reader set aside, the same problem of several resources said once."""
    grouped: dict[str, list[SetAside]] = {}
    for aside in steps.case.record.set_aside:
        code = SAID_AS.get(aside.code, aside.code)
        if code in codes:
            grouped.setdefault(code, []).append(aside)
    found: list[DataWarning] = []
    for code, rows in grouped.items():
        texts = sorted({row.text for row in rows})
        if len(texts) <= GROUPED:
            found += [DataWarning(code, text) for text in texts]
            continue
        rest = len(texts) - GROUPED
        shown = " ".join(texts[:GROUPED])
        found.append(DataWarning(code, f"{shown} And {rest} more; list all with: redcell check."))
    return found


def _from_findings(steps: Steps, speech: Speech, codes: Collection[str]) -> list[DataWarning]:
    case, survey = steps.case, steps.survey
    hemoglobin, delta = case.hemoglobin, survey.delta
    decision = steps.transfusion.verdict
    heart = [
        p.evidence
        for p in steps.transfusion.precautions
        if p.code == "cardiovascular-history-unknown"
    ]
    wanted: tuple[tuple[str, object, tuple[Finding[Any], ...]], ...] = (
        ("delta-check-failed", delta.value.failed, (delta,)),
        ("parallel-cell-line-shift", delta.value.parallel, (delta,)),
        ("hematocrit-hemoglobin-mismatch", delta.value.hematocrit_mismatch, (delta,)),
        ("large-hemoglobin-fall", delta.value.large_fall, (delta,)),
        (
            "preliminary-result",
            _preliminary(steps),
            (survey.status,),
        ),
        ("stale-hemoglobin", survey.stale.value, (survey.stale,)),
        ("no-hemoglobin", hemoglobin is None, (survey.status,)),
        ("symptoms-not-recorded", not case.answers, ()),
        ("cardiovascular-history-unknown", bool(heart), heart[0] if heart else ()),
        ("transfusion-history-unknown", not transfusion_history_known(case), ()),
        ("weight-missing", case.current("weight") is None, ()),
        ("height-missing", case.current("height") is None, ()),
        ("post-transfusion-distortion", _distorted(steps), (decision,)),
    )
    return [
        DataWarning(code, speech.sentence("warning", code), findings)
        for code, holds, findings in wanted
        if holds and code in codes
    ]


def identity_doubt(steps: Steps, speech: Speech) -> str:
    """That a sample may be another person's, with the rows it is said from; empty when it is not.

    The contract's closed list of warnings has no code for it: it stands beside the warnings.
    """
    found = steps.survey.identity
    if not found.value.suspected:
        return ""
    return f"{speech.statement(found)} Rows: {', '.join(found.evidence)}."


def _preliminary(steps: Steps) -> bool:
    """Is any current result preliminary?"""
    case = steps.case
    results = (
        case.current(name) for name in case.record.results if name in case.knowledge.analytes
    )
    coded = (case.coded(name) for name in case.record.coded)
    return any(r is not None and r.status == "preliminary" for r in (*results, *coded))


def _distorted(steps: Steps) -> bool:
    """Red cells after the newest count, or a sample taken soon after red cells."""
    case = steps.case
    if case.transfusion_since_count is not None:
        return True
    window = case.knowledge.value("attribution.donor_cells_days")
    sample = case.hemoglobin
    return sample is not None and case.after_red_cells(sample, window)


__all__ = ["CODES", "cardiovascular_history_known", "identity_doubt", "warnings_of"]
