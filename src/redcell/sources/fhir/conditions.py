"""FHIR Conditions, Consents, prognosis, goals, care settings and questionnaires."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from redcell.codes import ICD10CM
from redcell.record.disease import CareSetting, Diagnosis, Goal, Prognosis, Refusal
from redcell.record.moment import Moment
from redcell.record.symptoms import SymptomReport
from redcell.sources.fhir.datatypes import KEPT, CodeableConcept, Coding
from redcell.sources.fhir.medications import RED_CELL_NAMES
from redcell.sources.fhir.observations import Value, symptom_grade
from redcell.sources.fhir.procedures import names_hospice
from redcell.sources.fhir.reading import Located, Reading
from redcell.sources.fhir.resources import (
    CareResource,
    ClinicalImpression,
    Condition,
    Consent,
    Item,
    ItemAnswer,
    Provision,
    QuestionnaireResponse,
    RiskAssessment,
)
from redcell.sources.fhir.resources import Goal as FhirGoal
from redcell.sources.terms import Code, Concept

ACTIVE = ("active", "recurrence", "relapse")
PRESENT = ("confirmed", "provisional", "differential", "")
DEATH = "419620001"
RED_CELLS = ("116863004", "71493000")
TREATMENT_SCOPES = ("treatment", "adr")
NOT_TRANSFUSION = re.compile(
    r"\b(samples?|specimens?|donat\w*|biobank\w*|draws?|research|phlebotomy|venipuncture)\b"
)
NOT_RED_CELLS = re.compile(r"\b(blood )?(platelets?|plasma)\b( transfusions?)?")
BLOOD_PRODUCTS = re.compile(r"\bblood (products?|components?)\b")


def read_condition(reading: Reading, where: Located, c: Condition) -> None:
    """A diagnosis under every meaning that the rules know, or a symptom on the problem list."""
    verification = _code(c.verificationStatus)
    if reading.entered_in_error(where, verification):
        return
    absent = verification == "refuted"
    if not absent and verification not in PRESENT:
        return
    active = _code(c.clinicalStatus) in (*ACTIVE, "")
    onset, _ = reading.span(where, c.onsetPeriod)
    onset = reading.when(where, c.onsetDateTime) or onset
    recorded = reading.when(where, c.recordedDate)
    for meaning in dict.fromkeys(_meanings(reading, c, absent=absent)):
        reading.add(
            Diagnosis(meaning, where.reference, absent, active, onset, recorded, c.code.label)
        )
    if active and not absent:
        _symptom(reading, where, c, onset, recorded)


def _meanings(reading: Reading, c: Condition, *, absent: bool) -> Iterator[str]:
    yield from reading.terms.meanings(c.code.concept)
    if absent:
        for meaning, entry in reading.knowledge.file("conditions")["refuted"].items():
            codes = [code.replace(".", "") for code in entry["icd10"]]
            if any(x.replace(".", "") in codes for x in c.code.concept.in_system(ICD10CM)):
                yield meaning
        return
    secondary = c.has_profile("mcode-secondary-cancer-condition")
    if c.has_profile("mcode-primary-cancer-condition"):
        yield "breast-cancer"
    if secondary:
        yield "metastasis"
    if secondary or "metasta" in c.code.words or "secondary malignant" in c.code.words:
        for site in c.bodySite:
            yield from _metastasis_site(site.words)
    if secondary and not c.code.concept.in_system(ICD10CM):
        yield from _metastasis_site(c.code.words)


def _metastasis_site(words: str) -> Iterator[str]:
    """The kind of metastasis that a body site names; nodes and soft tissue are no bone."""
    if re.search(r"\b(nodes?|nodal|soft tissue)\b", words):
        return
    if re.search(r"\bmarrow\b", words):
        yield "marrow-metastasis"
    elif BONES.search(words):
        yield "bone-metastasis"
    if re.search(r"\b(brain|cerebr\w*|cerebell\w*)", words):
        yield "brain-metastasis"


BONES = re.compile(
    r"\b(bones?|osseous|skelet\w*|vertebra\w*|spine|spinal column|ribs?|femurs?|skull|sternum|"
    r"humerus|ilium|iliac|sacrum|pelvis)\b"
)


def _symptom(
    reading: Reading, where: Located, c: Condition, onset: Moment | None, recorded: Moment | None
) -> None:
    if reading.terms.meanings(c.code.concept):
        return
    concept = c.code.concept
    coded = reading.terms.symptom_by_code(concept)
    if coded is None and concept.codes:
        return
    match = reading.terms.symptom(concept)
    times = [t for t in (onset, recorded) if t is not None]
    if match is None or not times:
        return
    grade, answered = symptom_grade(reading, Value(c.code.concept, codeable=c.severity))
    reading.add(
        SymptomReport(match.name, grade if answered else None, max(times), where.reference, onset)
    )


def _code(concept: CodeableConcept | None) -> str:
    if concept is None:
        return ""
    return next((c.code for c in concept.coding if c.code), concept.text.lower())


# -- refusal -----------------------------------------------------------------------------------


def read_consent(reading: Reading, where: Located, c: Consent) -> None:
    """A refusal of red cells: clear only in a treatment consent or an advance directive."""
    if reading.entered_in_error(where, c.status):
        return
    if c.status != "active" or c.provision is None:
        return
    scope = _code(c.scope)
    permits: list[str] = []
    clear = unclear = False
    for provision in _provisions(c.provision):
        kind = _names_red_cells(provision.code)
        if provision.type == "deny" and kind == "yes":
            clear = True
        elif provision.type == "deny" and kind == "perhaps":
            unclear = True
        elif provision.type == "permit":
            permits += [code.label for code in provision.code if code.label]
    if not (clear or unclear):
        return
    start, end = reading.span(where, c.provision.period)
    start = start or reading.when(where, c.dateTime)
    words = c.scope.words if c.scope is not None else ""
    treating = scope in TREATMENT_SCOPES or "treatment" in words or "advance" in words
    settled = clear and treating
    reading.add(Refusal(where.reference, settled, start, end, tuple(permits)))


def _provisions(root: Provision) -> Iterator[Provision]:
    yield root
    for inner in root.provision:
        yield from _provisions(inner)


def _names_red_cells(concepts: list[CodeableConcept]) -> str:
    """Does a denial name red cells: yes, no, or perhaps?"""
    verdict = "no"
    for concept in concepts:
        if concept.has(*RED_CELLS):
            return "yes"
        found = _one_denial(concept.words.replace("-", " "))
        if found == "yes":
            return "yes"
        verdict = found if found == "perhaps" else verdict
    return verdict


def _one_denial(words: str) -> str:
    """Platelets or plasma alone are not red cells; samples and donations are not transfusions."""
    if NOT_TRANSFUSION.search(words) and "transfus" not in words:
        return "no"
    rest = NOT_RED_CELLS.sub(" ", words)
    blood, given = "blood" in rest, "transfus" in words
    if RED_CELL_NAMES.search(words) or BLOOD_PRODUCTS.search(rest) or (blood and given):
        return "yes"
    unnamed = given and not NOT_RED_CELLS.search(words)
    return "perhaps" if blood or unnamed or "jehovah" in words else "no"


# -- prognosis, goals, care ---------------------------------------------------------------------


def read_risk(reading: Reading, where: Located, r: RiskAssessment) -> None:
    """A predicted death with an end date."""
    if r.status in ("entered-in-error", "cancelled"):
        return
    for prediction in r.prediction:
        outcome = prediction.outcome
        if outcome is None or not (
            outcome.has(DEATH) or re.search(r"\bdeath\b|\bdying\b", outcome.words)
        ):
            continue
        _, until = reading.span(where, prediction.whenPeriod)
        if until is not None:
            recorded = reading.when(where, r.occurrenceDateTime)
            reading.add(Prognosis(where.reference, recorded, until))


NUMBER = r"([0-9]{1,6})\s{0,3}"
WEEKS = re.compile(
    rf"(?<![0-9])(?=[0-9dwm])(?:(?:{NUMBER}(?:-|–|to)\s{{0,3}})?{NUMBER})?(day|week|month)s?", re.I
)
PER_WEEK = {"day": 1 / 7, "week": 1.0, "month": 52 / 12}
UNNUMBERED = {"day": 1.0, "week": 3.0, "month": 8.0}


def read_impression(reading: Reading, where: Located, c: ClinicalImpression) -> None:
    """A prognosis in words such as "weeks" or "2 weeks"."""
    if c.status == "entered-in-error":
        return
    for concept in c.prognosisCodeableConcept:
        match = WEEKS.search(concept.label)
        if match is None:
            continue
        unit = match[3].lower()
        weeks = int(match[2]) * PER_WEEK[unit] if match[2] else UNNUMBERED[unit]
        if not match[2] and unit == "day":
            weeks = PER_WEEK["day"]
        reading.add(
            Prognosis(
                where.reference, reading.when(where, c.effectiveDateTime, c.date), weeks=weeks
            )
        )


def read_care(reading: Reading, where: Located, r: CareResource) -> None:
    """Active hospice care, wherever it is named."""
    if r.status not in ("active", "in-progress", "arrived", "onleave"):
        return
    concepts = [
        *r.type,
        *r.category,
        *([r.code] if r.code else []),
        *([r.serviceType] if r.serviceType else []),
    ]
    if names_hospice(*concepts) or "hospice" in r.name.lower():
        start, _ = reading.span(where, r.period)
        start = start or reading.when(where, r.authoredOn)
        reading.add(CareSetting("hospice", where.reference, start))


def read_goal(reading: Reading, where: Located, g: FhirGoal) -> None:
    """A goal of care, shown in its own words."""
    if g.lifecycleStatus in ("entered-in-error", "rejected", "cancelled") or g.description is None:
        return
    if g.description.label:
        reading.add(Goal(g.description.label, where.reference))


# -- questionnaires -----------------------------------------------------------------------------


def read_questionnaire(reading: Reading, where: Located, q: QuestionnaireResponse) -> None:
    """Symptom answers of a questionnaire; each item names its symptom."""
    if reading.entered_in_error(where, q.status):
        return
    time = reading.when(where, q.authored)
    if time is None:
        reading.set_aside("time-missing", where, "a questionnaire without a date; it was not used.")
        return
    for item in _items(q.item):
        name = _item_symptom(reading, item)
        if name is None:
            continue
        for reply in item.answer[:1]:
            grade, answered = symptom_grade(reading, _value(reply))
            if answered:
                reading.facts.append(SymptomReport(name, grade, time, where.reference))


def _value(reply: ItemAnswer) -> Value:
    """What a reply says."""
    coding = reply.valueCoding
    return Value(
        NAMELESS,
        codeable=_said(coding) if coding is not None else None,
        text=reply.valueString,
        integer=reply.valueInteger,
        boolean=reply.valueBoolean,
    )


NAMELESS = Concept()


def _said(coding: Coding) -> CodeableConcept:
    size = len(coding.system) + len(coding.code) + len(coding.display)
    return _in_words(coding) if size <= KEPT else _in_words.__wrapped__(coding)


@lru_cache(maxsize=1 << 10)
def _in_words(coding: Coding) -> CodeableConcept:
    return CodeableConcept(coding=(coding,), text=coding.display)


def _items(items: list[Item]) -> Iterator[Item]:
    for item in items:
        yield item
        yield from _items(item.item)
        for reply in item.answer:
            yield from _items(reply.item)


def _item_symptom(reading: Reading, item: Item) -> str | None:
    if item.linkId in reading.knowledge.symptoms:
        return item.linkId
    last = item.definition.rpartition("/")[2].rpartition("#")[2]
    if last in reading.knowledge.symptoms:
        return last
    for text in (item.text, item.definition.replace("-", " ")):
        found = reading.terms.symptoms_in(text)
        if found:
            return found[0]
    return None


__all__ = ["Code", "read_care", "read_condition", "read_consent"]
