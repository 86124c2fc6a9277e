"""Pieces that every FHIR resource is made of: ids, references, concepts, notes, narrative."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from html import escape
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from redcell.codes import REDCELL, UCUM
from redcell.loop import Steps
from redcell.outputs.assessment import to_dict
from redcell.outputs.speech import Speech
from redcell.record.moment import Moment
from redcell.rule import Finding

Json = dict[str, Any]

NAMESPACE = uuid5(NAMESPACE_URL, "urn:redcell:fhir")
SOURCE = "urn:redcell"
SOURCE_IDS = "urn:redcell:source"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
SOFTWARE = f"redcell {sys.modules['redcell'].__version__}"
"""Name and version; taken from the loaded package, whose import would reach above this layer."""
XHTML = "http://www.w3.org/1999/xhtml"

RELATIVE = re.compile(r"([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}")
TYPED = re.compile(r"([A-Z][A-Za-z]+)/")
FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
SPACES = re.compile(r"\s+")
TAG = re.compile(r"<(?=[A-Za-z/!?])")


class Whole(dict[str, Any]):
    """An element in which nothing is empty or forbidden: `pruned` leaves it as it is."""

    __slots__ = ()


class Context:
    """One assessment with its words, and the ids of the resources made from it so far.

    Args:
        steps: the assessment.
        out: its parts that are spoken from, where they are at hand.
        speech: its sentences, where they are at hand.
        narrative: give each resource its text for people.
    """

    def __init__(
        self,
        steps: Steps,
        out: Json | None = None,
        speech: Speech | None = None,
        *,
        narrative: bool = True,
    ) -> None:
        self._narrative = narrative
        self.steps = steps
        self.case = steps.case
        self.speech = speech or Speech(steps.case.knowledge)
        self.out = to_dict(steps) if out is None else out
        self.at = steps.case.at.iso()
        self.subject = source(steps.case.record.patient.reference)
        self.made: dict[str, Json] = {}

    def id(self, key: str) -> str:
        """The same id for the same patient, moment and key, whatever else is in the bundle."""
        patient = self.case.record.patient.id
        return str(uuid5(NAMESPACE, f"{patient}|{self.at}|{key}"))

    def link(self, *keys: str) -> list[Json]:
        """References to resources of this bundle; a key that was not made gives none."""
        return [self.made[key] for key in keys if key in self.made]

    def one(self, key: str) -> Json | None:
        """A reference to one resource of this bundle, when it was made."""
        return next(iter(self.link(key)), None)

    def resource(self, kind: str, key: str, title: str, lines: Iterable[str], body: Json) -> Json:
        """A resource with its id and narrative, without anything empty."""
        name = self.id(key)
        self.made[key] = {"reference": f"urn:uuid:{name}", "type": kind}
        head = {"resourceType": kind, "id": name, "meta": {"source": SOURCE}}
        if self._narrative:
            head["text"] = narrative(title, lines)
        full: Json = pruned({**head, **body})
        return full

    def notes(self, *texts: str) -> list[Json]:
        """Annotations by the software; texts without content give none."""
        found = [TAG.sub("&lt;", clean(text)) for text in texts]
        return [{"authorString": SOFTWARE, "time": self.at, "text": t} for t in found if t]

    def sources_of(self, *findings: Finding[Any]) -> str:
        """One line that names the publications under these findings."""
        cited: dict[str, None] = {}
        for finding in findings:
            cited.update(dict.fromkeys(self.case.knowledge.citations(finding.rule)))
            cited.update(dict.fromkeys(c.citation for c in finding.cited.values()))
        return f"Sources: {'; '.join(cited)}." if cited else ""


def software() -> Json:
    """A reference that names this program and its version."""
    return Whole(type="Device", display=SOFTWARE)


def source(reference: str) -> Json:
    """A reference to something in the record: literal where FHIR allows, else by identifier."""
    if RELATIVE.fullmatch(reference):
        return Whole(reference=reference)
    typed = TYPED.match(reference)
    value = reference.partition("/")[2] if typed else reference
    return {
        "type": typed[1] if typed else None,
        "identifier": {"system": SOURCE_IDS, "value": value},
        "display": reference,
    }


def sources(references: Iterable[str], *kinds: str) -> list[Json]:
    """References to the record, each once; only to these kinds of resource when any is named."""
    found = dict.fromkeys(references)
    return [source(r) for r in found if not kinds or kind_of(r) in (*kinds, "")]


def kind_of(reference: str) -> str:
    """The resource type that a reference names; empty for a place in a file of another format."""
    typed = TYPED.match(reference)
    return typed[1] if typed else ""


def own(code: str, text: str) -> Json:
    """A concept of redcell's own code system."""
    return {"coding": [{"system": REDCELL, "code": code}], "text": text}


def concept(system: str, code: str, text: str) -> Json:
    """A concept with one published code."""
    return {"coding": [{"system": system, "code": code}], "text": text}


def quantity(value: float, ucum: str, unit: str = "") -> Json:
    """An amount with its UCUM code."""
    return {"value": value, "unit": unit or ucum, "system": UCUM, "code": ucum}


def time_of(moment: Moment) -> str:
    """A FHIR dateTime: a calendar day stays one."""
    return str(moment)


def narrative(title: str, lines: Iterable[str]) -> Json:
    """Generated text for people, everything foreign escaped."""
    items = "".join(f"<li>{escape(said)}</li>" for line in lines if (said := clean(line)))
    body = f"<p><b>{escape(clean(title))}</b></p>" + (f"<ul>{items}</ul>" if items else "")
    return {"status": "generated", "div": f'<div xmlns="{XHTML}">{body}</div>'}


def clean(text: str) -> str:
    """Text without the characters that FHIR forbids, on one line."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()  # as it is: the usual case
    return FORBIDDEN.sub("", SPACES.sub(" ", text)).strip()


def pruned(item: Any) -> Any:
    """The same without nulls and empty strings, arrays or objects, however deep."""
    if isinstance(item, Whole):
        return item
    if isinstance(item, dict):
        found = {}
        for key, value in item.items():
            kept = clean(value) if value.__class__ is str else pruned(value)
            if kept or not empty(kept):
                found[key] = kept
        return found
    if isinstance(item, (list, tuple)):
        return [kept for v in item if not empty(kept := pruned(v))]
    return clean(item) if isinstance(item, str) else item


def empty(item: object) -> bool:
    """Is there nothing in it? Zero and false are something."""
    return item is None or (not item and isinstance(item, (str, list, dict)))


def capital(text: str) -> str:
    """Text that begins with a capital."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """Text that begins with a capital and ends like a sentence."""
    said = capital(clean(text))
    return said if not said or said[-1] in ".!?" else f"{said}."
