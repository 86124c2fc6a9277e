"""The tables and columns of the OMOP CDM 5.4 that are read."""

from __future__ import annotations

COLUMNS: dict[str, tuple[str, ...]] = {
    "person": (
        "person_id", "gender_concept_id", "gender_source_value", "year_of_birth",
        "month_of_birth", "day_of_birth", "birth_datetime", "person_source_value",
    ),
    "death": ("person_id", "death_date", "death_datetime"),
    "visit_occurrence": (
        "person_id", "visit_occurrence_id", "visit_concept_id", "visit_start_date",
        "visit_start_datetime", "visit_end_date", "visit_source_value",
    ),
    "condition_occurrence": (
        "person_id", "condition_occurrence_id", "condition_concept_id", "condition_start_date",
        "condition_start_datetime", "condition_end_date", "condition_type_concept_id",
        "condition_source_value", "condition_source_concept_id", "condition_status_source_value",
    ),
    "drug_exposure": (
        "person_id", "drug_exposure_id", "drug_concept_id", "drug_exposure_start_date",
        "drug_exposure_start_datetime", "drug_exposure_end_date", "drug_exposure_end_datetime",
        "drug_type_concept_id", "stop_reason", "quantity", "days_supply", "sig",
        "drug_source_value", "drug_source_concept_id", "dose_unit_source_value",
    ),
    "procedure_occurrence": (
        "person_id", "procedure_occurrence_id", "procedure_concept_id", "procedure_date",
        "procedure_datetime", "procedure_end_date", "procedure_end_datetime", "quantity",
        "procedure_source_value", "procedure_source_concept_id",
    ),
    "device_exposure": (
        "person_id", "device_exposure_id", "device_concept_id", "device_exposure_start_date",
        "device_exposure_start_datetime", "quantity", "device_source_value",
        "device_source_concept_id",
    ),
    "measurement": (
        "person_id", "measurement_id", "measurement_concept_id", "measurement_date",
        "measurement_datetime", "measurement_time", "operator_concept_id", "value_as_number",
        "value_as_concept_id", "unit_concept_id", "range_low", "range_high",
        "measurement_source_value", "measurement_source_concept_id", "unit_source_value",
        "value_source_value",
    ),
    "observation": (
        "person_id", "observation_id", "observation_concept_id", "observation_date",
        "observation_datetime", "value_as_number", "value_as_string", "value_as_concept_id",
        "unit_concept_id", "observation_source_value", "observation_source_concept_id",
        "unit_source_value", "value_source_value",
    ),
}  # fmt: skip
"""Tables of persons; the person comes first, then what numbers the row."""

EVENTS = tuple(name for name in COLUMNS if name != "person")

VOCABULARY: dict[str, tuple[str, ...]] = {
    "concept": ("concept_id", "concept_name", "vocabulary_id", "concept_code"),
    "drug_strength": ("drug_concept_id", "ingredient_concept_id"),
}
"""Tables of the vocabularies, used where they are there."""

CONCEPTS: dict[str, tuple[str, ...]] = {
    table: tuple(c for c in columns if c.endswith("concept_id"))
    for table, columns in COLUMNS.items()
    if table not in ("person", "death")
}
"""Which columns of a table name concepts."""
