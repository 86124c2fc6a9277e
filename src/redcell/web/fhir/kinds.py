"""What can be searched for: each type of resource with its parameters. The one table of search.

It makes the CapabilityStatement and the OpenAPI description, and search reads it; what is not here
is not understood.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from redcell.clinic.versions import KINDS

Type = Literal["token", "date", "string", "reference", "uri"]


class Parameter(Struct, frozen=True):
    """One search parameter of one type of resource."""

    name: str
    type: Type
    paths: tuple[str, ...]
    """Elements that it looks at. Of a token: the one under which the store keeps its codes."""
    means: str


CONCLUDED = (
    "CarePlan",
    "ClinicalImpression",
    "Communication",
    "DetectedIssue",
    "Observation",
    "Provenance",
    "RiskAssessment",
    "ServiceRequest",
)
"""Types that redcell itself makes; read off the newest assessment of a person."""
ONLY_CONCLUDED = ("DetectedIssue",)
AUDITED = "AuditEvent"
TRACED = "Provenance"
SERVED = tuple(sorted({*KINDS, *CONCLUDED, AUDITED}))
"""Every type that can be read."""


def _token(name: str, means: str, stored: str = "") -> Parameter:
    return Parameter(name, "token", (stored or name,), means)


def _date(name: str, *paths: str, means: str = "") -> Parameter:
    return Parameter(name, "date", paths, means or f"When: {', '.join(paths)}.")


_ID = _token("_id", "Logical id; several are separated by commas.")
_UPDATED = Parameter("_lastUpdated", "date", ("meta.lastUpdated",), "When this version was kept.")
_SOURCE = Parameter(
    "_source",
    "uri",
    ("meta.source",),
    "Where it is from; urn:redcell marks what redcell concludes.",
)
COMMON = (_ID, _UPDATED, _SOURCE)
_PATIENT = Parameter(
    "patient",
    "reference",
    ("subject", "patient"),
    "Whose it is: an id, or Patient/id. Every id of the same person finds the same.",
)
_SUBJECT = Parameter("subject", "reference", ("subject",), "The same as patient.")
_CODE = _token("code", "What it is: code, system|code, |code, or system|.")
_CATEGORY = _token("category", "In which category it is.")
_STATUS = _token("status", "Its status.")
_IDENTIFIER = _token("identifier", "A business identifier: value, or system|value.")
_INTENT = _token("intent", "Proposal, plan, order, and so on.")
_TYPE = _token("type", "Of which type it is.")
_OWNED = (_PATIENT, _SUBJECT, _IDENTIFIER, _STATUS)
_PART = (_PATIENT, _IDENTIFIER, _STATUS)

_EFFECTIVE = ("effectiveDateTime", "effectivePeriod", "effectiveInstant", "effectiveTiming")
_OCCURRENCE = ("occurrenceDateTime", "occurrencePeriod", "occurrenceTiming")
_ONSET = ("onsetDateTime", "onsetPeriod")

_OWN: dict[str, tuple[Parameter, ...]] = {
    "Appointment": (*_PART, _date("date", "start")),
    "BiologicallyDerivedProduct": (_IDENTIFIER, _STATUS),
    "BodyStructure": (_PATIENT, _IDENTIFIER),
    "CarePlan": (*_OWNED, _CATEGORY, _INTENT, _date("date", "period")),
    "CareTeam": (*_OWNED, _CATEGORY, _date("date", "period")),
    "ClinicalImpression": (*_OWNED, _CODE, _date("date", *_EFFECTIVE[:2], "date")),
    "Communication": (
        *_OWNED,
        _CATEGORY,
        _date("sent", "sent"),
        _date("received", "received"),
        _date("date", "sent", "received"),
    ),
    "Condition": (
        _PATIENT,
        _SUBJECT,
        _IDENTIFIER,
        _CODE,
        _CATEGORY,
        _token("clinical-status", "Active, resolved, and so on."),
        _token("verification-status", "Confirmed, refuted, and so on."),
        _date("onset-date", *_ONSET),
        _date("recorded-date", "recordedDate"),
        _date("date", *_ONSET, "recordedDate"),
    ),
    "Consent": (*_PART, _CATEGORY, _date("date", "dateTime")),
    "DetectedIssue": (
        _PATIENT,
        _STATUS,
        _CODE,
        _date("identified", "identifiedDateTime"),
        _date("date", "identifiedDateTime"),
    ),
    "DiagnosticReport": (*_OWNED, _CODE, _CATEGORY, _date("date", *_EFFECTIVE[:2])),
    "Encounter": (*_OWNED, _TYPE, _date("date", "period")),
    "EpisodeOfCare": (*_PART, _TYPE, _date("date", "period")),
    "FamilyMemberHistory": (*_PART, _date("date", "date")),
    "Goal": (
        _PATIENT,
        _SUBJECT,
        _IDENTIFIER,
        _CATEGORY,
        _date("start-date", "startDate"),
        _date("date", "startDate", "statusDate"),
    ),
    "Medication": (_IDENTIFIER, _CODE, _STATUS),
    "MedicationAdministration": (
        *_OWNED,
        _CODE,
        _CATEGORY,
        _date("effective-time", *_EFFECTIVE[:2]),
        _date("date", *_EFFECTIVE[:2]),
    ),
    "MedicationDispense": (
        *_OWNED,
        _CODE,
        _CATEGORY,
        _TYPE,
        _date("whenhandedover", "whenHandedOver"),
        _date("whenprepared", "whenPrepared"),
        _date("date", "whenHandedOver", "whenPrepared"),
    ),
    "MedicationRequest": (
        *_OWNED,
        _CODE,
        _CATEGORY,
        _INTENT,
        _date("authoredon", "authoredOn"),
        _date("date", "authoredOn"),
    ),
    "MedicationStatement": (
        *_OWNED,
        _CODE,
        _CATEGORY,
        _date("effective", *_EFFECTIVE[:2]),
        _date("date", *_EFFECTIVE[:2]),
    ),
    "Observation": (*_OWNED, _CODE, _CATEGORY, _date("date", *_EFFECTIVE)),
    "Patient": (
        _IDENTIFIER,
        _token("gender", "Administrative gender."),
        _date("birthdate", "birthDate"),
        Parameter("family", "string", ("name.family",), "Beginning of the family name."),
        Parameter("given", "string", ("name.given",), "Beginning of a given name."),
        Parameter(
            "name",
            "string",
            ("name.family", "name.given", "name.text", "name.prefix", "name.suffix"),
            "Beginning of any part of the name.",
        ),
    ),
    "Practitioner": (
        _IDENTIFIER,
        Parameter("family", "string", ("name.family",), "Beginning of the family name."),
        Parameter("name", "string", ("name.family", "name.given", "name.text"), "Of the name."),
    ),
    "Procedure": (
        *_OWNED,
        _CODE,
        _CATEGORY,
        _date("date", "performedDateTime", "performedPeriod"),
    ),
    "QuestionnaireResponse": (*_OWNED, _date("authored", "authored"), _date("date", "authored")),
    "RiskAssessment": (*_OWNED, _CODE, _date("date", *_OCCURRENCE[:2])),
    "ServiceRequest": (
        *_OWNED,
        _CODE,
        _CATEGORY,
        _INTENT,
        _date("authored", "authoredOn"),
        _date("occurrence", *_OCCURRENCE),
        _date("date", "authoredOn"),
    ),
    "Specimen": (*_OWNED, _TYPE, _date("collected", "collection.collectedDateTime")),
}

PARAMETERS: dict[str, dict[str, Parameter]] = {
    kind: {one.name: one for one in (*COMMON, *own)} for kind, own in _OWN.items()
}
PARAMETERS[TRACED] = {
    one.name: one
    for one in (
        _ID,
        _PATIENT,
        Parameter(
            "target", "reference", ("target",), "A resource that came, or was made: Type/id."
        ),
        _date("recorded", "recorded"),
    )
}
PARAMETERS[AUDITED] = {
    one.name: one
    for one in (
        _ID,
        _PATIENT,
        _date("date", "recorded"),
        _token("action", "C, R, U, D or E."),
    )
}
"""Every type's parameters by name."""

RESULTS = ("_count", "_sort", "_format", "_pretty", "_summary", "_after", "_total")
"""Parameters about the answer rather than about resources."""
SORTS = ("_id", "_lastUpdated", "date")
