"""Rows about a person as FHIR: PERSON, DEATH, CONDITION_OCCURRENCE, VISIT_OCCURRENCE, refusals."""

from __future__ import annotations

import re
from collections.abc import Sequence

from redcell.sources.as_fhir import Json, concept, filled, subject
from redcell.sources.omop.concepts import UNKNOWN, Concepts
from redcell.sources.omop.tables import Row
from redcell.sources.omop.times import Clock

WRONG = re.compile(r"\bentered[- ]in[- ]error\b", re.IGNORECASE)
REFUTED = re.compile(r"\b(refuted|ruled[- ]out|excluded)\b", re.IGNORECASE)
OVER = re.compile(r"\b(resolved|inactive|remission|abated)\b", re.IGNORECASE)
REFUSES = re.compile(r"\b(refus\w*|declin\w*|reject\w*)\b", re.IGNORECASE)
BLOOD = re.compile(r"\b(blood|transfus\w*|red (blood )?cells?|jehovah\w*)\b", re.IGNORECASE)


def patient(
    row: Row, deaths: Sequence[Row], concepts: Concepts, clock: Clock, source: Json
) -> Json:
    """One row of PERSON with what DEATH says.

    The day of birth is as exact as the columns for year, month and day; `birth_datetime` is used
    only without them, since many sources fill it up with a first of January.
    """
    made: Json = {
        "resourceType": "Patient",
        "id": row["person_id"],
        "meta": source,
        "gender": _sex(row, concepts),
        "birthDate": _born(row),
    }
    if deaths:
        times = sorted(t for d in deaths if (t := clock.start(d, "death")))
        made |= {"deceasedDateTime": times[0]} if times else {"deceasedBoolean": True}
    return filled(made)


def _sex(row: Row, concepts: Concepts) -> str:
    id_, table = row.get("gender_concept_id", ""), concepts.table["sex"]
    if id_ not in UNKNOWN:
        return str(table.get(id_, "unknown"))
    return str(table["sent"].get(row.get("gender_source_value", "").upper(), "unknown"))


def _born(row: Row) -> str:
    year = row.get("year_of_birth", "")
    if not year.isdigit():
        return row.get("birth_datetime", "")[:10]
    parts = [year]
    for name in ("month_of_birth", "day_of_birth"):
        part = row.get(name, "")
        if not part.isdigit() or part == "0":
            break
        parts.append(part.zfill(2))
    return "-".join(parts)


def condition(row: Row, concepts: Concepts, clock: Clock, source: Json) -> Json:
    """One row of CONDITION_OCCURRENCE.

    An end date ends a problem only on a problem list: elsewhere it is the end of the visit.
    """
    said = row.get("condition_status_source_value", "")
    kind = row.get("condition_type_concept_id", "")
    ended = "condition_end_date" in row and concepts.listed("condition", "problem_list", kind)
    verification = "entered-in-error" if WRONG.search(said) else ""
    verification = verification or ("refuted" if REFUTED.search(said) else "")
    over = ended or OVER.search(said) is not None
    made: Json = {
        "resourceType": "Condition",
        "id": f"condition-{row.get('condition_occurrence_id', '')}",
        "meta": source,
        "clinicalStatus": {"coding": [{"code": "inactive"}]} if over else {},
        "verificationStatus": {"coding": [{"code": verification}]} if verification else {},
        "code": concepts.code(
            row.get("condition_concept_id", ""),
            row.get("condition_source_concept_id", ""),
            row.get("condition_source_value", ""),
        ),
        "subject": subject(row["person_id"]),
        "onsetDateTime": clock.start(row, "condition_start"),
    }
    return filled(made)


def visit(row: Row, concepts: Concepts, clock: Clock, source: Json) -> Json | None:
    """One row of VISIT_OCCURRENCE: hospice care that has not ended; no other visit is evidence."""
    id_, said = row.get("visit_concept_id", ""), row.get("visit_source_value", "")
    if not (concepts.listed("visit", "hospice", id_) or "hospice" in said.lower()):
        return None
    return filled(
        {
            "resourceType": "Encounter",
            "id": f"visit-{row.get('visit_occurrence_id', '')}",
            "meta": source,
            "status": "finished" if "visit_end_date" in row else "in-progress",
            "type": [concept([], "hospice")],
            "subject": subject(row["person_id"]),
            "period": filled({"start": clock.start(row, "visit_start")}),
        }
    )


def refusal(made: Json) -> Json | None:
    """A Consent that denies red cells, of an observation or a condition that says so in words."""
    parts = [made.get("code", {}), made.get("valueCodeableConcept", {})]
    words = " ".join(
        text
        for part in parts
        for text in (part.get("text", ""), *(c.get("display", "") for c in part.get("coding", ())))
    )
    said = f"{words} {made.get('valueString', '')}".strip()
    if not (REFUSES.search(said) and BLOOD.search(said)):
        return None
    return {
        "resourceType": "Consent",
        "id": f"refusal-{made['id']}"[:64],
        "meta": made["meta"],
        "status": "active",
        "scope": {"coding": [{"code": "treatment"}]},
        "patient": made["subject"],
        "dateTime": made.get("effectiveDateTime", "") or made.get("onsetDateTime", ""),
        "provision": {"type": "deny", "code": [{"text": said}]},
    }
