"""FHIR resources of people written as an OMOP CDM, and the part of them that a CDM can hold."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from datetime import datetime
from pathlib import Path

from redcell.codes import ATC, EXTENSION, ICD10CM, LOINC, REDCELL, RXNORM, SNOMED
from redcell.knowledge.load import knowledge
from redcell.sources.omop.columns import COLUMNS
from redcell.sources.terms import terms

VOCABULARY = {LOINC: "LOINC", SNOMED: "SNOMED", ICD10CM: "ICD10CM", ATC: "ATC", RXNORM: "RxNorm"}
SEX = {"female": "8532", "male": "8507"}
TYPES = {
    "MedicationAdministration": "32818",
    "MedicationDispense": "32825",
    "MedicationRequest": "32838",
    "MedicationStatement": "32865",
}
OPERATORS = {"<": "4171756", ">": "4172704", "": "0"}
FIRST_OWN = 2_000_000_000


def holds(resource: dict) -> bool:
    """Can a CDM hold it? Not preliminary or corrected results, sites of radiotherapy, consents."""
    kind = resource["resourceType"]
    if kind == "Observation":
        systems = {c["system"] for c in resource["code"].get("coding", ())}
        whole = LOINC in systems or not resource.get("component")
        plain = REDCELL not in systems and not resource.get("note")
        return resource["status"] == "final" and plain and whole
    if kind == "Procedure":
        return not resource.get("bodySite") and resource["status"] == "completed"
    if kind in TYPES:
        return resource["status"] in ("completed", "active", "on-hold", "stopped")
    return kind in ("Patient", "Condition", "Medication")


class Writer:
    """Rows of the tables, and a CONCEPT table with an id for each code that is used."""

    def __init__(self):
        self.rows = defaultdict(list)
        self.concepts = {}
        self.drugs = {}
        self.numbers = defaultdict(int)
        base = knowledge()
        table = base.file("omop")
        self.loinc = {
            code: id_
            for id_, slug in table["measurement"].items()
            for code in base.analytes[slug].loinc[:1]
        }
        self.units = {code: id_ for id_, code in table["unit"].items()}
        self.known = terms(base)

    def add(self, table, **cells):
        self.numbers[table] += 1
        number = (
            {f"{table}_id": str(self.numbers[table])} if table not in ("person", "death") else {}
        )
        self.rows[table].append(number | cells)

    def concept(self, coded):
        """The id of a code, which the CONCEPT table explains."""
        for one in (coded or {}).get("coding", ()):
            if one["system"] == LOINC and one["code"] in self.loinc:
                return self.loinc[one["code"]]
            if one["system"] in VOCABULARY:
                key = (VOCABULARY[one["system"]], one["code"])
                name = one.get("display") or coded.get("text", "")
                known = self.concepts.setdefault(key, (str(FIRST_OWN + len(self.concepts)), name))
                return known[0]
        return "0"

    def person(self, resources):
        """All resources of one person that the CDM can hold."""
        self.drugs = {
            f"Medication/{r['id']}": r["code"]
            for r in resources
            if r["resourceType"] == "Medication"
        }
        for resource in filter(holds, resources):
            kind = resource["resourceType"]
            write = self.drug if kind in TYPES else getattr(self, kind.lower(), None)
            if write is not None:
                write(resource)

    def patient(self, r):
        year, month, day = r["birthDate"].split("-")
        self.add(
            "person", person_id=r["id"], gender_concept_id=SEX.get(r["gender"], "0"),
            year_of_birth=year, month_of_birth=month, day_of_birth=day, person_source_value="x",
        )  # fmt: skip
        if r.get("deceasedDateTime"):
            self.add("death", person_id=r["id"], **when("death", r["deceasedDateTime"]))

    def observation(self, r):
        vital = [r] if not r.get("component") else [{**r, **part} for part in r["component"]]
        for part in vital:
            self.result(part)

    def result(self, r):
        cells = {"person_id": owner(r)}
        code = self.concept(r["code"])
        table = "measurement" if r["code"]["coding"][0]["system"] == LOINC else "observation"
        value = r.get("valueQuantity")
        if value is not None:
            text = json.dumps(value["value"])
            cells |= {
                "value_as_number": text,
                "value_source_value": value.get("comparator", "") + text,
                "operator_concept_id": OPERATORS[value.get("comparator", "")],
                "unit_concept_id": self.units.get(value.get("code", ""), "0"),
                "unit_source_value": value.get("unit", ""),
            }
        elif "valueInteger" in r:
            text = str(r["valueInteger"])
            cells |= {"value_as_number": text, "value_source_value": text}
        elif "valueCodeableConcept" in r:
            cells["value_as_concept_id"] = self.concept(r["valueCodeableConcept"])
        for limits in r.get("referenceRange", ())[:1]:
            for side in ("low", "high"):
                if side in limits:
                    cells[f"range_{side}"] = json.dumps(limits[side]["value"])
        source = r["code"]["coding"][0]["code"]
        names = {f"{table}_concept_id": code, f"{table}_source_value": source}
        self.add(table, **cells, **names, **when(table, r["effectiveDateTime"]))

    def condition(self, r):
        status = " ".join(
            c["code"]
            for name in ("clinicalStatus", "verificationStatus")
            for c in r.get(name, {}).get("coding", ())
        )
        self.add(
            "condition_occurrence", person_id=owner(r), condition_concept_id=self.concept(r["code"]),
            condition_source_value=r["code"].get("text", ""), condition_type_concept_id="32817",
            condition_status_source_value=status,
            **when("condition_start", r.get("onsetDateTime") or r.get("recordedDate", "")),
        )  # fmt: skip

    def drug(self, r):
        code = (
            r.get("medicationCodeableConcept") or self.drugs[r["medicationReference"]["reference"]]
        )
        period = r.get("effectivePeriod") or {"start": r.get("effectiveDateTime", "")}
        start, end = period.get("start", ""), period.get("end", "")
        sig, amount = "", {}
        if r["resourceType"] == "MedicationDispense":
            start = r["whenHandedOver"]
            amount = {"days_supply": str(r["daysSupply"]["value"])}
        if r["resourceType"] == "MedicationRequest":
            bounds = r["dosageInstruction"][0]["timing"]["repeat"]["boundsPeriod"]
            start, end = r["authoredOn"], bounds["end"]
            if r["status"] != "active":
                end = min(end, r["meta"]["lastUpdated"])
        if r["resourceType"] == "MedicationStatement":
            dose = r["dosage"][0]["doseAndRate"][0]["doseQuantity"]
            amount = {"quantity": str(dose["value"]), "dose_unit_source_value": dose["unit"]}
        if r["resourceType"] == "MedicationAdministration":
            dosage = r.get("dosage", {})
            sig, dose = dosage.get("text", ""), dosage.get("dose")
            for extra in r.get("extension", ()):
                if extra["url"] == f"{EXTENSION}cycle-number":
                    sig = f"cycle {extra['valuePositiveInt']}"
            if dose:
                amount = {"quantity": str(dose["value"]), "dose_unit_source_value": dose["unit"]}
        stop = "" if r["status"] in ("active", "completed") else r["status"]
        if r["resourceType"] == "MedicationRequest" and r["status"] == "completed":
            stop = "completed"
        cells = when("drug_exposure_start", start) | when("drug_exposure_end", end)
        self.add(
            "drug_exposure", person_id=owner(r), drug_concept_id=self.concept(code), sig=sig,
            drug_source_value=code.get("text", ""), stop_reason=stop,
            drug_type_concept_id=TYPES[r["resourceType"]], **amount, **cells,
        )  # fmt: skip

    def procedure(self, r):
        units = [
            str(e["valueQuantity"]["value"])
            for e in r.get("extension", ())
            if e["url"] == f"{EXTENSION}units-transfused"
        ]
        period = r.get("performedPeriod") or {"start": r.get("performedDateTime", "")}
        self.add(
            "procedure_occurrence", person_id=owner(r),
            procedure_concept_id=self.concept(r["code"]), quantity=(units or [""])[0],
            procedure_source_value=r["code"].get("text", ""),
            **when("procedure", period.get("start", "")),
            **when("procedure_end", period.get("end", "")),
        )  # fmt: skip

    def save(self, folder: Path, form: str = "csv"):
        """The tables as files, or as one DuckDB database."""
        rows = {
            table: (columns, [[r.get(c, "") for c in columns] for r in self._numbered(table)])
            for table, columns in COLUMNS.items()
            if self.rows[table]
        }
        names = ("concept_id", "concept_name", "vocabulary_id", "concept_code")
        rows["concept"] = (names, [[i, n, v, c] for (v, c), (i, n) in self.concepts.items()])
        if form == "csv":
            folder.mkdir(parents=True)
            for table, (columns, cells) in rows.items():
                with (folder / f"{table.upper()}.csv").open("w", newline="") as file:
                    csv.writer(file).writerows([columns, *cells])
            return
        self._save_tables(folder, rows, form)

    def _save_tables(self, folder: Path, rows, form):
        import duckdb
        import polars

        if form == "parquet":
            folder.mkdir(parents=True)
        base = duckdb.connect(str(folder) if form == "duckdb" else ":memory:")
        for table, (columns, cells) in rows.items():
            frame = polars.DataFrame(
                cells, schema=dict.fromkeys(columns, polars.String), orient="row"
            )
            typed = ", ".join(cast(c) for c in columns)
            base.register("frame", frame.to_arrow())
            base.execute(f"CREATE TABLE {table} AS SELECT {typed} FROM frame")  # noqa: S608
            if form == "parquet":
                base.execute(f"COPY {table} TO '{folder / table}.parquet'")
        base.close()

    def _numbered(self, table):
        """Rows whose number has the name that the CDM gives it."""
        for row in self.rows[table]:
            own = row.get(f"{table}_id", "")
            yield (
                row | {COLUMNS[table][1]: own}
                if own and f"{table}_id" not in COLUMNS[table]
                else row
            )


def cast(column):
    """A column with the type that the CDM gives it."""
    kind = "VARCHAR"
    if column.endswith("_datetime"):
        kind = "TIMESTAMP"
    elif column.endswith("_date"):
        kind = "DATE"
    elif column.endswith("concept_id") or column.endswith("_of_birth"):
        kind = "INTEGER"
    elif column in ("value_as_number", "range_low", "range_high"):
        kind = "DOUBLE"
    return f"CAST(nullif({column}, '') AS {kind}) AS {column}"


def owner(r):
    return r["subject"]["reference"].partition("/")[2]


def when(stem, text):
    """Date and datetime columns; a day alone is written with the midnight that many sources add."""
    if not text:
        return {}
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return {f"{stem}_date": text[:10], f"{stem}_datetime": f"{moment:%Y-%m-%d %H:%M:%S}"}
