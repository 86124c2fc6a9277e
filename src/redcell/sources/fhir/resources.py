"""The parts of FHIR R4 resources that redcell reads. Everything else is skipped unread."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from redcell.codes import MCODE
from redcell.sources.fhir.datatypes import (
    Annotation,
    CodeableConcept,
    Coding,
    Dosage,
    Extension,
    Meta,
    Period,
    Quantity,
    Reference,
    ReferenceRange,
)


class Component(Struct):
    """Observation.component."""

    code: CodeableConcept = msgspec.field(default_factory=CodeableConcept)
    valueQuantity: Quantity | None = None
    valueCodeableConcept: CodeableConcept | None = None
    valueString: str = ""
    valueDateTime: str = ""
    valueInteger: int | None = None
    valueBoolean: bool | None = None
    dataAbsentReason: CodeableConcept | None = None
    referenceRange: tuple[ReferenceRange, ...] = ()


class Resource(Struct):
    """What every resource has."""

    resourceType: str = ""
    id: str = ""
    meta: Meta = msgspec.field(default_factory=Meta)
    status: str = ""
    subject: Reference | None = None
    patient: Reference | None = None
    extension: list[Extension] = []

    @property
    def owner(self) -> str:
        """The reference to the patient."""
        found = self.subject or self.patient
        return found.reference if found else ""

    def has_profile(self, name: str) -> bool:
        """Does it claim a profile of mCODE, whatever its version suffix?"""
        wanted = MCODE + name
        return any(p.partition("|")[0] == wanted for p in self.meta.profile)


class Observation(Resource):
    """FHIR Observation."""

    category: list[CodeableConcept] = []
    code: CodeableConcept = msgspec.field(default_factory=CodeableConcept)
    effectiveDateTime: str = ""
    effectiveInstant: str = ""
    effectivePeriod: Period | None = None
    issued: str = ""
    valueQuantity: Quantity | None = None
    valueCodeableConcept: CodeableConcept | None = None
    valueString: str = ""
    valueBoolean: bool | None = None
    valueInteger: int | None = None
    dataAbsentReason: CodeableConcept | None = None
    referenceRange: tuple[ReferenceRange, ...] = ()
    component: list[Component] = []
    note: list[Annotation] = []
    specimen: Reference | None = None
    method: CodeableConcept | None = None


class Patient(Resource):
    """FHIR Patient, without names or addresses."""

    gender: str = ""
    birthDate: str = ""
    deceasedBoolean: bool | None = None
    deceasedDateTime: str = ""


class Stage(Struct):
    """Condition.stage."""

    summary: CodeableConcept | None = None


class Condition(Resource):
    """FHIR Condition."""

    clinicalStatus: CodeableConcept | None = None
    verificationStatus: CodeableConcept | None = None
    severity: CodeableConcept | None = None
    code: CodeableConcept = msgspec.field(default_factory=CodeableConcept)
    bodySite: list[CodeableConcept] = []
    onsetDateTime: str = ""
    onsetPeriod: Period | None = None
    abatementDateTime: str = ""
    recordedDate: str = ""


class Ingredient(Struct):
    """Medication.ingredient."""

    itemCodeableConcept: CodeableConcept | None = None


class Medication(Resource):
    """FHIR Medication."""

    code: CodeableConcept | None = None
    ingredient: list[Ingredient] = []


class MedicationUse(Resource):
    """What the four medication resources share."""

    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None
    contained: list[msgspec.Raw] = []


class MedicationAdministration(MedicationUse):
    """FHIR MedicationAdministration."""

    effectiveDateTime: str = ""
    effectivePeriod: Period | None = None
    dosage: Dosage | None = None


class MedicationStatement(MedicationUse):
    """FHIR MedicationStatement."""

    effectiveDateTime: str = ""
    effectivePeriod: Period | None = None
    dateAsserted: str = ""
    dosage: list[Dosage] = []


class MedicationRequest(MedicationUse):
    """FHIR MedicationRequest."""

    intent: str = ""
    authoredOn: str = ""
    dosageInstruction: list[Dosage] = []


class MedicationDispense(MedicationUse):
    """FHIR MedicationDispense."""

    whenHandedOver: str = ""
    whenPrepared: str = ""
    daysSupply: Quantity | None = None


class Procedure(Resource):
    """FHIR Procedure."""

    category: CodeableConcept | None = None
    code: CodeableConcept = msgspec.field(default_factory=CodeableConcept)
    performedDateTime: str = ""
    performedPeriod: Period | None = None
    bodySite: list[CodeableConcept] = []
    complication: list[CodeableConcept] = []
    outcome: CodeableConcept | None = None
    note: list[Annotation] = []


class BodyStructure(Resource):
    """FHIR BodyStructure."""

    location: CodeableConcept | None = None
    locationQualifier: list[CodeableConcept] = []
    morphology: CodeableConcept | None = None
    description: str = ""


class Provision(Struct):
    """Consent.provision, nested."""

    type: str = ""
    period: Period | None = None
    code: list[CodeableConcept] = []
    purpose: list[Coding] = []
    provision: list[Provision] = []


class Consent(Resource):
    """FHIR Consent."""

    scope: CodeableConcept | None = None
    category: list[CodeableConcept] = []
    dateTime: str = ""
    provision: Provision | None = None


class Prediction(Struct):
    """RiskAssessment.prediction."""

    outcome: CodeableConcept | None = None
    whenPeriod: Period | None = None


class RiskAssessment(Resource):
    """FHIR RiskAssessment."""

    occurrenceDateTime: str = ""
    prediction: list[Prediction] = []


class ClinicalImpression(Resource):
    """FHIR ClinicalImpression."""

    date: str = ""
    effectiveDateTime: str = ""
    prognosisCodeableConcept: list[CodeableConcept] = []


class CareResource(Resource):
    """Encounter, EpisodeOfCare, CareTeam and ServiceRequest: only whether they name hospice."""

    type: list[CodeableConcept] = []
    category: list[CodeableConcept] = []
    code: CodeableConcept | None = None
    serviceType: CodeableConcept | None = None
    name: str = ""
    period: Period | None = None
    authoredOn: str = ""
    reasonCode: list[CodeableConcept] = []


class Goal(Resource):
    """FHIR Goal."""

    lifecycleStatus: str = ""
    description: CodeableConcept | None = None


class ActivityDetail(Struct):
    """CarePlan.activity.detail."""

    code: CodeableConcept | None = None
    productCodeableConcept: CodeableConcept | None = None
    scheduledPeriod: Period | None = None
    status: str = ""
    description: str = ""


class Activity(Struct):
    """CarePlan.activity."""

    detail: ActivityDetail | None = None


class CarePlan(Resource):
    """FHIR CarePlan."""

    activity: list[Activity] = []


class ItemAnswer(Struct):
    """QuestionnaireResponse.item.answer."""

    valueCoding: Coding | None = None
    valueInteger: int | None = None
    valueBoolean: bool | None = None
    valueString: str = ""
    item: list[Item] = []


class Item(Struct):
    """QuestionnaireResponse.item."""

    linkId: str = ""
    definition: str = ""
    text: str = ""
    answer: list[ItemAnswer] = []
    item: list[Item] = []


class QuestionnaireResponse(Resource):
    """FHIR QuestionnaireResponse."""

    authored: str = ""
    item: list[Item] = []


TYPES: dict[str, type[Resource]] = {
    "Observation": Observation,
    "Patient": Patient,
    "Condition": Condition,
    "Medication": Medication,
    "MedicationAdministration": MedicationAdministration,
    "MedicationStatement": MedicationStatement,
    "MedicationRequest": MedicationRequest,
    "MedicationDispense": MedicationDispense,
    "Procedure": Procedure,
    "BodyStructure": BodyStructure,
    "BiologicallyDerivedProduct": Resource,
    "Consent": Consent,
    "RiskAssessment": RiskAssessment,
    "ClinicalImpression": ClinicalImpression,
    "Encounter": CareResource,
    "EpisodeOfCare": CareResource,
    "CareTeam": CareResource,
    "ServiceRequest": CareResource,
    "Goal": Goal,
    "CarePlan": CarePlan,
    "QuestionnaireResponse": QuestionnaireResponse,
}
"""The resource types that are read. Others are counted and left alone."""

DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    name: msgspec.json.Decoder(kind) for name, kind in TYPES.items()
}
