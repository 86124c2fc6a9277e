"""FHIR R4 (4.0.1) in small: its resource types, and what the ones in requests have to hold."""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


TYPES = _names(
    """
    Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse
    AuditEvent Basic Binary BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement
    CarePlan CareTeam CatalogEntry ChargeItem ChargeItemDefinition Claim ClaimResponse
    ClinicalImpression CodeSystem Communication CommunicationRequest CompartmentDefinition
    Composition ConceptMap Condition Consent Contract Coverage CoverageEligibilityRequest
    CoverageEligibilityResponse DetectedIssue Device DeviceDefinition DeviceMetric DeviceRequest
    DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference
    EffectEvidenceSynthesis Encounter Endpoint EnrollmentRequest EnrollmentResponse EpisodeOfCare
    EventDefinition Evidence EvidenceVariable ExampleScenario ExplanationOfBenefit
    FamilyMemberHistory Flag Goal GraphDefinition Group GuidanceResponse HealthcareService
    ImagingStudy Immunization ImmunizationEvaluation ImmunizationRecommendation
    ImplementationGuide InsurancePlan Invoice Library Linkage List Location Measure MeasureReport
    Media Medication MedicationAdministration MedicationDispense MedicationKnowledge
    MedicationRequest MedicationStatement MedicinalProduct MedicinalProductAuthorization
    MedicinalProductContraindication MedicinalProductIndication MedicinalProductIngredient
    MedicinalProductInteraction MedicinalProductManufactured MedicinalProductPackaged
    MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition
    MessageHeader MolecularSequence NamingSystem NutritionOrder Observation
    ObservationDefinition OperationDefinition OperationOutcome Organization
    OrganizationAffiliation Parameters Patient PaymentNotice PaymentReconciliation Person
    PlanDefinition Practitioner PractitionerRole Procedure Provenance Questionnaire
    QuestionnaireResponse RelatedPerson RequestGroup ResearchDefinition
    ResearchElementDefinition ResearchStudy ResearchSubject RiskAssessment
    RiskEvidenceSynthesis Schedule SearchParameter ServiceRequest Slot Specimen
    SpecimenDefinition StructureDefinition StructureMap Subscription Substance
    SubstanceNucleicAcid SubstancePolymer SubstanceProtein SubstanceReferenceInformation
    SubstanceSourceMaterial SubstanceSpecification SupplyDelivery SupplyRequest Task
    TerminologyCapabilities TestReport TestScript ValueSet VerificationResult VisionPrescription
    """
)

REQUEST = ("draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown")
INTENT = (
    "proposal",
    "plan",
    "directive",
    "order",
    "original-order",
    "reflex-order",
    "filler-order",
    "instance-order",
    "option",
)
PRIORITY = ("routine", "urgent", "asap", "stat")
EVENT = (
    "preparation",
    "in-progress",
    "not-done",
    "on-hold",
    "stopped",
    "completed",
    "entered-in-error",
    "unknown",
)
DOSE = ("active", "completed", "entered-in-error", "intended", "stopped", "on-hold", "unknown")

REQUIRED: dict[str, tuple[str, ...]] = {
    "Appointment": ("status", "participant"),
    "Bundle": ("type",),
    "CarePlan": ("status", "intent", "subject"),
    "CommunicationRequest": ("status",),
    "Condition": ("subject",),
    "Consent": ("status", "scope", "category"),
    "Coverage": ("status", "beneficiary", "payor"),
    "DeviceRequest": ("intent", "code[x]", "subject"),
    "DiagnosticReport": ("status", "code"),
    "Encounter": ("status", "class"),
    "MedicationAdministration": ("status", "medication[x]", "subject", "effective[x]"),
    "MedicationDispense": ("status", "medication[x]"),
    "MedicationRequest": ("status", "intent", "medication[x]", "subject"),
    "MedicationStatement": ("status", "medication[x]", "subject"),
    "NutritionOrder": ("status", "intent", "patient", "dateTime"),
    "Observation": ("status", "code"),
    "OperationOutcome": ("issue",),
    "Procedure": ("status", "subject"),
    "QuestionnaireResponse": ("status",),
    "ServiceRequest": ("status", "intent", "subject"),
    "SupplyRequest": ("item[x]", "quantity"),
    "Task": ("status", "intent"),
    "VisionPrescription": (
        "status",
        "created",
        "patient",
        "dateWritten",
        "prescriber",
        "lensSpecification",
    ),
}
"""Elements without which a resource of the type is not valid; only types that requests carry."""

CODES: dict[str, dict[str, tuple[str, ...]]] = {
    "Bundle": {
        "type": (
            "document",
            "message",
            "transaction",
            "transaction-response",
            "batch",
            "batch-response",
            "history",
            "searchset",
            "collection",
        )
    },
    "CarePlan": {
        "status": REQUEST,
        "intent": ("proposal", "plan", "order", "option"),
    },
    "CommunicationRequest": {"status": REQUEST, "priority": PRIORITY},
    "Consent": {
        "status": (
            "draft",
            "proposed",
            "active",
            "rejected",
            "inactive",
            "entered-in-error",
        )
    },
    "DeviceRequest": {"status": REQUEST, "intent": INTENT, "priority": PRIORITY},
    "DiagnosticReport": {
        "status": (
            "registered",
            "partial",
            "preliminary",
            "final",
            "amended",
            "corrected",
            "appended",
            "cancelled",
            "entered-in-error",
            "unknown",
        )
    },
    "MedicationAdministration": {
        "status": (
            "in-progress",
            "not-done",
            "on-hold",
            "completed",
            "entered-in-error",
            "stopped",
            "unknown",
        )
    },
    "MedicationRequest": {
        "status": (
            "active",
            "on-hold",
            "cancelled",
            "completed",
            "entered-in-error",
            "stopped",
            "draft",
            "unknown",
        ),
        "intent": (
            "proposal",
            "plan",
            "order",
            "original-order",
            "reflex-order",
            "filler-order",
            "instance-order",
            "option",
        ),
        "priority": PRIORITY,
    },
    "MedicationStatement": {"status": (*DOSE, "not-taken")},
    "NutritionOrder": {"status": REQUEST, "intent": INTENT},
    "Observation": {
        "status": (
            "registered",
            "preliminary",
            "final",
            "amended",
            "corrected",
            "cancelled",
            "entered-in-error",
            "unknown",
        )
    },
    "Patient": {"gender": ("male", "female", "other", "unknown")},
    "Procedure": {"status": EVENT},
    "QuestionnaireResponse": {
        "status": ("in-progress", "completed", "amended", "entered-in-error", "stopped")
    },
    "ServiceRequest": {"status": REQUEST, "intent": INTENT, "priority": PRIORITY},
    "SupplyRequest": {
        "status": (
            "draft",
            "active",
            "suspended",
            "cancelled",
            "completed",
            "entered-in-error",
            "unknown",
        ),
        "priority": PRIORITY,
    },
    "VisionPrescription": {"status": ("active", "cancelled", "draft", "entered-in-error")},
}
"""Closed lists of codes, by type and element."""

DATES = (
    "birthDate",
    "authoredOn",
    "effectiveDateTime",
    "recordedDate",
    "onsetDateTime",
    "abatementDateTime",
    "performedDateTime",
    "issued",
    "dateAsserted",
    "whenHandedOver",
    "authored",
    "dateTime",
)
"""Elements of any type that hold a date or time."""
