"""Writes the builder's facts as a FHIR R4 Bundle, in the shapes of the input contract.

It shares no code with the reader, so that reading what it wrote is a test of the reader.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redcell.codes import ATC, ICD10CM, LOINC, OMOP, REDCELL, RXNORM, SNOMED, UCUM
from redcell.knowledge.load import knowledge
from redcell.record.disease import CareSetting, Diagnosis, Prognosis, Refusal
from redcell.record.measured import Coded, Measured
from redcell.record.moment import Moment
from redcell.record.patient import Patient
from redcell.record.radiation import RadiationCourse, RadiationField
from redcell.record.record import Fact, PlannedTherapy
from redcell.record.symptoms import SymptomReport
from redcell.record.therapies import DrugRecord
from redcell.record.transfusions import Transfusion, TransfusionTotal

Json = dict[str, Any]
MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/"
ICD_OF = {
    "cardiovascular-disease": "I25.10", "acute-coronary-syndrome": "I21.4", "heart-failure": "I50.9",
    "severe-lung-disease": "J44.9", "chronic-kidney-disease": "N18.4", "fluid-overload": "E87.70",
    "venous-thromboembolism": "I82.90", "pleural-effusion": "J90", "active-infection": "N39.0",
    "thalassemia": "D56.3", "sickle-cell-disease": "D57.1", "inherited-hemolytic-anemia": "D58.0",
    "disseminated-intravascular-coagulation": "D65", "pulmonary-embolism": "I26.99",
    "interstitial-lung-disease": "J84.9", "sepsis": "A41.9", "pregnancy": "Z33.1",
    "breast-cancer": "C50.919", "bone-metastasis": "C79.51", "brain-metastasis": "C79.31",
    "marrow-metastasis": "C79.52", "metastasis": "C78.7", "g6pd-deficiency": "D75.A",
}  # fmt: skip
INTENT = {"palliative": "363676003", "curative": "373808002"}
OPTIONAL_LIMITS = ("low", "high")


def write(patient: Patient, facts: Iterable[Fact]) -> Json:
    """A collection Bundle of one patient."""
    who: Json = {"resourceType": "Patient", "id": patient.id, "gender": patient.sex}
    if patient.birth_date is not None:
        who["birthDate"] = patient.birth_date.isoformat()
    if patient.altitude_m is not None:
        height = {"value": patient.altitude_m, "unit": "m", "system": UCUM, "code": "m"}
        who["extension"] = [{"url": "urn:redcell:fhir:residence-altitude", "valueQuantity": height}]
    resources = [who]
    for fact in facts:
        resources += _resources(fact, patient)
    entries = [
        {"fullUrl": f"http://example.org/fhir/{r['resourceType']}/{r['id']}", "resource": r}
        for r in resources
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def _resources(fact: Fact, patient: Patient) -> list[Json]:
    body = _WRITERS[type(fact)](fact)
    kind, _, name = fact.reference.partition("/")  # type: ignore[union-attr]
    owner = {"reference": patient.reference}
    more: list[Json] = []
    for extra in body.pop("_more", []):
        more.append({"resourceType": "BodyStructure", "patient": owner, **extra})
    subject = "patient" if kind == "Consent" else "subject"
    return [{"resourceType": kind, "id": name, subject: owner, **body}, *more]


def _iso(moment: Moment) -> str:
    return moment.day.isoformat() if moment.day_only else moment.iso()


def _period(start: Moment | None, end: Moment | None) -> Json:
    named = {"start": start, "end": end}
    return {name: _iso(time) for name, time in named.items() if time is not None}


def _quantity(value: float, unit: str) -> Json:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def _concept(system: str, code: str, text: str = "") -> Json:
    return {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})}


def _analyte_code(analyte: str) -> Json:
    entry = knowledge().analytes[analyte]
    if entry.loinc:
        return _concept(LOINC, entry.loinc[0], entry.name)
    return _concept(REDCELL, entry.local[0], entry.name)


def _measured(m: Measured) -> Json:
    body: Json = {
        "status": m.status,
        "code": _analyte_code(m.analyte),
        "effectiveDateTime": _iso(m.time),
    }
    if m.analyte == "ecog":
        return {**body, "valueInteger": int(m.value)}
    body["valueQuantity"] = _quantity(m.value, m.ucum)
    if m.comparator:
        body["valueQuantity"]["comparator"] = m.comparator
    limits = {n: _quantity(x, m.ucum) for n in OPTIONAL_LIMITS if (x := getattr(m, n)) is not None}
    return {**body, **({"referenceRange": [limits]} if limits else {})}


def _coded(c: Coded) -> Json:
    answer: Json = {"text": c.answer}
    if c.analyte == "smoking-status":
        answer = _concept(SNOMED, "449868002" if c.positive else "266919005")
    if c.analyte == "pregnancy-status":
        answer = (
            _concept(SNOMED, "77386006", "pregnant") if c.positive else {"text": "not pregnant"}
        )
    return {
        "status": c.status,
        "code": _analyte_code(c.analyte),
        "effectiveDateTime": _iso(c.time),
        "valueCodeableConcept": answer,
    }


def _symptom(s: SymptomReport) -> Json:
    entry = knowledge().symptoms[s.symptom]
    body: Json = {
        "status": s.status,
        "code": _concept(SNOMED, entry.snomed[0], entry.name),
        "effectiveDateTime": _iso(s.time),
        "category": [
            _concept("http://terminology.hl7.org/CodeSystem/observation-category", "survey")
        ],
    }
    body |= {"valueBoolean": True} if s.grade is None else {"valueInteger": s.grade}
    parts: list[Json] = []
    if s.onset is not None:
        parts.append({"code": _concept(LOINC, "11368-8"), "valueDateTime": _iso(s.onset)})
    for name, said in (("course", s.course), ("circumstance", s.circumstance)):
        if said:
            code = _concept(REDCELL, name, name)
            parts.append({"code": code, "valueCodeableConcept": {"text": said}})
    return {**body, **({"component": parts} if parts else {})}


def _drug_code(slug: str) -> Json:
    _, _, ingredient = slug.partition("/")
    if ingredient:
        return {"text": ingredient.replace("-", " ")}
    known = knowledge()
    if slug in known.ambiguous:
        return _concept(OMOP, known.ambiguous[slug].omop[0])
    drug = known.drugs[slug]
    for system, codes in ((RXNORM, drug.rxnorm), (ATC, drug.atc), (OMOP, drug.omop)):
        if codes:
            return _concept(system, codes[0], drug.name)
    return {"text": drug.name}


def _drug(d: DrugRecord) -> Json:
    body: Json = {"medicationCodeableConcept": _drug_code(d.drug)}
    if d.intent:
        url = f"{MCODE}mcode-procedure-intent"
        body["extension"] = [
            {"url": url, "valueCodeableConcept": _concept(SNOMED, INTENT[d.intent])}
        ]
    if d.basis == "administration":
        body["status"] = "completed" if d.given else "not-done"
        return {**body, "effectiveDateTime": _iso(d.start)} if d.start else body
    if d.basis == "statement":
        running = "active" if d.ongoing else "on-hold" if d.hold else "completed"
        body["status"] = running if d.given else "not-taken"
        return {**body, "effectivePeriod": _period(d.start, d.end)}
    if d.basis == "dispense":
        assert d.start is not None
        assert d.end is not None
        supply = (d.end.time - d.start.time).days
        body |= {"status": "completed", "whenHandedOver": _iso(d.start)}
        return {**body, "daysSupply": _quantity(supply, "d")}
    body |= {
        "status": "active" if d.ongoing else "on-hold" if d.hold else "stopped",
        "intent": "order",
    }
    if d.start is not None:
        body["authoredOn"] = _iso(d.start)
    if d.end is not None:
        bounds = {"boundsPeriod": _period(d.start, d.end)}
        body["dosageInstruction"] = [{"timing": {"repeat": bounds}}]
    return body


def _radiation(course: RadiationCourse) -> Json:
    name = course.reference.partition("/")[2]
    volumes, structures = [], []
    for number, field in enumerate(course.fields):
        part = f"{name}-{number}"
        structures.append({"id": part, "location": _location(field)})
        inner = [{"url": "volume", "valueReference": {"reference": f"BodyStructure/{part}"}}]
        if field.dose_gy is not None:
            inner.append(
                {
                    "url": "totalDoseDelivered",
                    "valueQuantity": _quantity(field.dose_gy * 100, "cGy"),
                }
            )
        volumes.append(
            {"url": f"{MCODE}mcode-radiotherapy-dose-delivered-to-volume", "extension": inner}
        )
    return {
        "status": "completed" if course.end else "in-progress",
        "code": _concept(SNOMED, "1217123003", "Radiotherapy course of treatment"),
        "performedPeriod": _period(course.start, course.end),
        "extension": volumes,
        "_more": structures,
    }


def _location(field: RadiationField) -> Json:
    if field.site is None:
        return {"text": "somewhere"}
    site = knowledge().sites[field.site]
    letter = {"cervical-spine": "C", "thoracic-spine": "T", "lumbar-spine": "L"}.get(field.site)
    words = site.name
    if field.segments and letter:
        words = f"{letter}{field.segments[0] + 1}-{letter}{field.segments[-1] + 1}"
    elif field.segments:
        words = f"{'left' if field.segments == (0,) else 'right'} {site.name}"
    return _concept(SNOMED, site.snomed[0], words)


def _transfusion(t: Transfusion) -> Json:
    url = "urn:redcell:fhir:units-transfused"
    return {
        "status": "completed",
        "code": _concept(SNOMED, "71493000"),
        "performedPeriod": _period(t.start, t.end),
        "extension": [{"url": url, "valueQuantity": _quantity(t.units, "{unit}")}],
    }


def _total(t: TransfusionTotal) -> Json:
    return {
        "status": "final",
        "code": _concept(REDCELL, "rbc-units-transfused"),
        "valueInteger": int(t.units),
        "effectivePeriod": _period(t.start, t.end),
    }


def _diagnosis(d: Diagnosis) -> Json:
    code = "I51.9" if d.absent and d.meaning == "cardiovascular-disease" else ICD_OF[d.meaning]
    body: Json = {
        "code": _concept(ICD10CM, code, d.label),
        "verificationStatus": _concept("", "refuted" if d.absent else "confirmed"),
    }
    if not d.absent:
        body["clinicalStatus"] = _concept("", "active" if d.active else "resolved")
    if d.onset is not None:
        body["onsetDateTime"] = _iso(d.onset)
    return body


def _refusal(r: Refusal) -> Json:
    scope = _concept(
        "http://terminology.hl7.org/CodeSystem/consentscope", "treatment" if r.clear else "research"
    )
    deny = {
        "type": "deny",
        "code": [_concept(SNOMED, "116863004", "Transfusion of red blood cells")],
    }
    return {"status": "active", "scope": scope, "provision": deny}


def _prognosis(p: Prognosis) -> Json:
    foreseen = {"outcome": _concept(SNOMED, "419620001"), "whenPeriod": _period(None, p.until)}
    body: Json = {"status": "final", "prediction": [foreseen]}
    return {**body, "occurrenceDateTime": _iso(p.recorded)} if p.recorded else body


def _care(c: CareSetting) -> Json:
    return {
        "status": "in-progress",
        "type": [_concept(SNOMED, "385763009")],
        "period": _period(c.start, None),
    }


def _planned(p: PlannedTherapy) -> Json:
    detail: Json = {"status": "scheduled", "scheduledPeriod": _period(None, p.until)}
    detail |= (
        {"productCodeableConcept": _drug_code(p.drug)}
        if p.drug
        else {"description": "chemotherapy"}
    )
    return {"status": "active", "intent": "plan", "activity": [{"detail": detail}]}


_WRITERS: dict[type, Any] = {
    Measured: _measured, Coded: _coded, SymptomReport: _symptom, DrugRecord: _drug,
    RadiationCourse: _radiation, Transfusion: _transfusion, TransfusionTotal: _total,
    Diagnosis: _diagnosis, Refusal: _refusal, Prognosis: _prognosis, CareSetting: _care,
    PlannedTherapy: _planned,
}  # fmt: skip
