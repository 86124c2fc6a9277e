"""Sentences for findings: the wording files filled with what each finding was given."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from redcell.findings.red_flags import Alarm, Urgency
from redcell.findings.surveillance import Mismatch
from redcell.knowledge.load import Knowledge
from redcell.plan.alternatives import Counsel
from redcell.plan.bloodwork import Due
from redcell.plan.transfusion import Verdict
from redcell.quantity import plain, printed
from redcell.record.measured import Coded, Measured
from redcell.record.symptoms import Answer, SymptomReport
from redcell.record.therapies import Treatment
from redcell.rule import Finding, Unassessed

ENGLISH, SPANISH = "en", "es"
"""The languages that the patient's sentences are in; the care team's are English."""


class Speech:
    """Turns findings into sentences with one set of wording files."""

    def __init__(self, knowledge: Knowledge, language: str = ENGLISH) -> None:
        self.knowledge = knowledge
        self.language = language
        self._findings = knowledge.wording("findings")
        self._labels = knowledge.wording("labels")
        name = "patient" if language == ENGLISH else f"patient.{language}"
        self.patient: dict[str, dict[str, str]] = knowledge.wording(name)
        """The patient's sentences by topic and key."""
        self._shows = self._tables()
        self._by_kind: dict[type, Callable[[Any], str]] = {}
        self._said: dict[int, tuple[Finding[Any], str]] = {}

    def statement(self, finding: Finding[Any]) -> str:
        """What one finding says, in a sentence for the care team."""
        known = self._said.get(id(finding))
        if known is None:
            known = self._said[id(finding)] = (finding, self._statement(finding))
        return known[1]

    def _statement(self, finding: Finding[Any]) -> str:
        table = self._findings.get(finding.name, {})
        keys = _keys(finding.value)
        parts = [table[key] for key in keys if key in table] or [table.get("text", "")]
        context = _Context(self, finding)
        said = " ".join(part.format_map(context) for part in parts if part)
        said = one_line(said) or self._plain(finding)
        return said[:1].upper() + said[1:]

    def _plain(self, finding: Finding[Any]) -> str:
        return f"{finding.spec.doc.strip().splitlines()[0]} {finding.value}"

    def label(self, topic: str, key: str) -> str:
        """A fixed label such as the name of a cause or of a precaution."""
        found = self._labels.get(topic, {}).get(key)
        return str(found) if found is not None else key.replace("-", " ").replace("_", " ")

    def sentence(self, topic: str, key: str, **values: object) -> str:
        """A fixed sentence by topic and key, filled."""
        table = self._labels.get(topic) or self.patient.get(topic, {})
        text = str(table.get(key, ""))
        if "{" not in text and "}" not in text:
            return _fixed(text)
        return one_line(text.format_map(_Plain(values)))

    def symptom(self, name: str) -> str:
        """A symptom in the patient's words."""
        known = self.patient.get("symptom", {}).get(name)
        return known or self.knowledge.symptoms[name].patient_name

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
        words = self._by_kind.get(item.__class__)
        if words is None:
            fitting = (words for kind, words in self._shows if isinstance(item, kind))
            words = self._by_kind[item.__class__] = next(fitting, str)
        return words(item)

    def _tables(self) -> tuple[tuple[type | tuple[type, ...], Callable[[Any], str]], ...]:
        """How each kind of input is put into words; the first that fits is used."""
        return (
            (type(None), lambda _: "not known"),
            (bool, lambda item: "yes" if item else "no"),
            (Measured, self._measured),
            (Coded, self._coded),
            (Answer, self._answer),
            (Treatment, lambda item: self.drug(item.drug)),
            (SymptomReport, lambda item: self.knowledge.symptoms[item.symptom].name),
            (Finding, lambda item: self.show(item.value)),
            (Counsel, lambda item: self.label("advice", item.advice)),
            (str, lambda item: str(self._labels.get("cause", {}).get(item, item))),
            (Unassessed, lambda item: f"not known ({', '.join(item.needs)})"),
            ((float, int), lambda item: plain(float(item))),
            ((tuple, list, frozenset), lambda item: ", ".join(map(self.show, item)) or "none"),
        )

    def _coded(self, item: Coded) -> str:
        name = self.knowledge.analytes[item.analyte].name
        return f"{name} {item.answer} ({item.time.day.isoformat()})"

    def _measured(self, item: Measured) -> str:
        name = self.knowledge.analytes[item.analyte.removesuffix("-corrected")].name
        corrected = " corrected for albumin" if item.analyte.endswith("-corrected") else ""
        value = f"{item.comparator}{plain(item.value)} {printed(item.ucum)}".strip()
        return f"{name}{corrected} {value} ({item.time.day.isoformat()})"

    def _answer(self, reply: Answer) -> str:
        name = self.knowledge.symptoms[reply.symptom].name
        how = "grade unknown" if reply.grade is None else f"grade {reply.grade}"
        return f"{name} ({how}{', new or worse' if reply.new_or_worse else ''})"


def one_line(text: str) -> str:
    """Text with single spaces, and none at its ends."""
    return " ".join(text.split())


_fixed = lru_cache(maxsize=1024)(one_line)
"""The same of a sentence of the wording files that has nothing to be filled in."""


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
    for kind, keys in KEYS:
        if isinstance(value, kind):
            return keys(value)
    return ("text",)


KEYS: tuple[tuple[type, Callable[[Any], tuple[str, ...]]], ...] = (
    (Alarm, lambda value: value.clauses or ("no",)),
    (Verdict, lambda value: value.because[:1]),
    (Due, lambda value: value.because[:1]),
    (Urgency, lambda value: (value.level,)),
    (Mismatch, lambda value: (value.said,)),
    (bool, lambda value: ("yes",) if value else ("no",)),
    (type(None), lambda _: ("unknown",)),
    (Unassessed, lambda _: ("unassessed",)),
    (str, lambda value: (value,)),
)
