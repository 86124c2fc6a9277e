"""Sentences for findings: the wording files filled with what each finding was given."""

from __future__ import annotations

import re
from typing import Any

from redcell.findings.red_flags import Alarm, Urgency
from redcell.findings.surveillance import LowerLimit, Trend
from redcell.knowledge.load import Cited, Knowledge
from redcell.plan.alternatives import Counsel
from redcell.plan.bloodwork import Due
from redcell.plan.transfusion import Verdict
from redcell.quantity import plain
from redcell.record.measured import Coded, Measured
from redcell.record.moment import Moment
from redcell.record.symptoms import Answer
from redcell.record.therapies import Treatment
from redcell.rule import Finding, Unassessed

SPACE = re.compile(r"\s+")


class Speech:
    """Turns findings into sentences with one set of wording files."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self._findings = knowledge.wording("findings")
        self._labels = knowledge.wording("labels")
        self._patient = knowledge.wording("patient")

    def statement(self, finding: Finding[Any]) -> str:
        """What one finding says, in a sentence for the care team."""
        table = self._findings.get(finding.name, {})
        keys = _keys(finding.value)
        parts = [table[key] for key in keys if key in table] or [table.get("text", "")]
        context = _Context(self, finding)
        said = " ".join(part.format_map(context) for part in parts if part)
        return SPACE.sub(" ", said).strip() or self._plain(finding)

    def _plain(self, finding: Finding[Any]) -> str:
        return f"{finding.spec.doc.strip().splitlines()[0]} {finding.value}"

    def label(self, topic: str, key: str) -> str:
        """A fixed label such as the name of a cause or of a precaution."""
        found = self._labels.get(topic, {}).get(key)
        return str(found) if found is not None else key.replace("-", " ").replace("_", " ")

    def sentence(self, topic: str, key: str, **values: object) -> str:
        """A fixed sentence by topic and key, filled."""
        table = self._labels.get(topic) or self._patient.get(topic, {})
        text = str(table.get(key, ""))
        return SPACE.sub(" ", text.format_map(_Plain(values))).strip()

    def drug(self, slug: str) -> str:
        """The printed name of a drug; contributors by their ingredient."""
        known = self.knowledge.drugs.get(slug)
        return known.name if known else slug.rpartition("/")[2].replace("-", " ")

    def cause(self, cause: str) -> str:
        """The printed name of a cause."""
        if cause.startswith("drug:"):
            return self.drug(cause.removeprefix("drug:"))
        return self.label("cause", cause)

    def show(self, item: object) -> str:
        """One input of a finding in words."""
        match item:
            case None:
                return "not known"
            case bool():
                return "yes" if item else "no"
            case Measured():
                return self._measured(item)
            case Coded():
                name = self.knowledge.analytes[item.analyte].name
                return f"{name} {item.answer} ({item.time.day.isoformat()})"
            case Answer():
                return self._answer(item)
            case Treatment():
                return self.drug(item.drug)
            case Finding():
                return self.show(item.value)
            case LowerLimit() | Trend() | Cited() | Moment() | str():
                return str(item)
            case Unassessed():
                return f"not known ({', '.join(item.needs)})"
            case float() | int():
                return plain(float(item))
            case tuple() | list() | frozenset():
                return ", ".join(self.show(x) for x in item) or "none"
        return str(item)

    def _measured(self, item: Measured) -> str:
        name = self.knowledge.analytes[item.analyte.removesuffix("-corrected")].name
        corrected = " corrected for albumin" if item.analyte.endswith("-corrected") else ""
        value = f"{item.comparator}{plain(item.value)} {item.ucum}".strip()
        return f"{name}{corrected} {value} ({item.time.day.isoformat()})"

    def _answer(self, reply: Answer) -> str:
        name = self.knowledge.symptoms[reply.symptom].name
        how = "grade unknown" if reply.grade is None else f"grade {reply.grade}"
        return f"{name} ({how}{', new or worse' if reply.new_or_worse else ''})"


class _Plain(dict[str, object]):
    def __init__(self, values: dict[str, object]) -> None:
        super().__init__(values)

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


class _Context(dict[str, str]):
    """The names that a sentence may use: the finding's inputs, and `answer`."""

    def __init__(self, speech: Speech, finding: Finding[Any]) -> None:
        super().__init__()
        self._speech = speech
        self._finding = finding
        self._inputs = finding.inputs

    def __missing__(self, key: str) -> str:
        if key == "answer":
            return self._speech.show(self._finding.value)
        if key.endswith("_present"):
            items = self._inputs.get(key.removesuffix("_present"))
            return self._speech.show(items)
        if key in self._inputs:
            return self._speech.show(self._inputs[key])
        raise KeyError(f"{self._finding.name}: no input {key!r}")


def _keys(value: object) -> tuple[str, ...]:
    """The keys under which a wording file may hold the sentence for this value."""
    match value:
        case Alarm():
            return value.clauses or ("no",)
        case Verdict():
            return value.because[:1]
        case Urgency():
            return (value.level,)
        case Counsel():
            return ("text",)
        case Due():
            return value.because[:1]
        case bool():
            return ("yes",) if value else ("no",)
        case None:
            return ("unknown",)
        case Unassessed():
            return ("unassessed",)
        case str():
            return (value,)
    return ("text",)
