"""What a concept id of an OMOP CDM means: by redcell's own table, then by the vocabulary beside it.

The standard concept and the source's own are both used: mappings lose what the source still says.
A source value is a code only where it cannot be anything else; otherwise it is words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from redcell.codes import ATC, CPT, HCPCS, ICD10CM, LOINC, OMOP, RXNORM, SNOMED, UCUM
from redcell.sources.as_fhir import Json, coding, concept, known_code
from redcell.sources.omop.columns import CONCEPTS
from redcell.sources.omop.tables import Cdm
from redcell.sources.terms import Terms

SYSTEMS = {
    "LOINC": LOINC,
    "SNOMED": SNOMED,
    "RxNorm": RXNORM,
    "ICD10CM": ICD10CM,
    "ATC": ATC,
    "CPT4": CPT,
    "HCPCS": HCPCS,
    "UCUM": UCUM,
}
"""FHIR code systems of the vocabularies; concepts of others are known by their names alone."""

LOINC_CODE = re.compile(r"[0-9]{1,5}-[0-9]")
ICD10_CODE = re.compile(r"[A-DF-UW-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?")
"""No E and V: those are codes of ICD-9 too. Shorter codes without a dot may be anything."""
CODE_LIKE = re.compile(r"[0-9.,-]+")
DOUBLED = 9
UNKNOWN = ("", "0")


class Concept(Struct, frozen=True):
    """One concept of the vocabulary."""

    name: str
    vocabulary: str
    code: str

    @property
    def system(self) -> str:
        """The FHIR code system; empty for one that FHIR readers do not use."""
        return SYSTEMS.get(self.vocabulary, "")


class Concepts:
    """Concepts by id, as far as the table of the program and the source's vocabulary know them."""

    def __init__(self, known: Terms, cdm: Cdm) -> None:
        """Look up every concept that the rows of a CDM name.

        Args:
            known: the code tables.
            cdm: the source; its CONCEPT and DRUG_STRENGTH tables are used where they are there.
        """
        self.known = known
        self.table: dict[str, Any] = known.knowledge.file("omop")
        self._listed: dict[tuple[str, str], frozenset[str]] = {}
        self._vocabulary = _vocabulary(cdm)
        self._ingredients = _ingredients(cdm)
        self._ambiguous = {
            id_ for agent in known.knowledge.ambiguous.values() for id_ in agent.omop
        }
        self._never = {str(id_) for id_ in self.table["unit_not"]["ids"]}
        self.types = {
            str(id_): kind for kind, ids in self.table["drug_type"].items() for id_ in ids
        }

    def find(self, id_: str) -> Concept | None:
        """The concept in the source's vocabulary; 0 is none."""
        return None if id_ in UNKNOWN else self._vocabulary.get(id_)

    def analyte(self, id_: str) -> str | None:
        """The result that a standard concept means by redcell's own table."""
        found: str | None = self.table["measurement"].get(id_)
        return found

    def listed(self, group: str, kind: str, id_: str) -> bool:
        """Is it one of the ids of a group in redcell's table?"""
        return id_ not in UNKNOWN and id_ in self._ids(group, kind)

    def _ids(self, group: str, kind: str) -> frozenset[str]:
        found = self._listed.get((group, kind))
        if found is None:
            found = self._listed[group, kind] = frozenset(map(str, self.table[group][kind]))
        return found

    def unit(self, id_: str) -> str:
        """The UCUM code of a unit; empty when it is not known."""
        if id_ in UNKNOWN or id_ in self._never:
            return ""
        own: str | None = self.table["unit"].get(id_)
        found = self._vocabulary.get(id_)
        return own or (found.code if found is not None and found.vocabulary == "UCUM" else "")

    def operator(self, id_: str) -> str | None:
        """`<`, `>` and their kin, empty for an equals sign; `None` for another operator."""
        if id_ in UNKNOWN:
            return ""
        found: str | None = self.table["operator"].get(id_)
        return found

    def answer(self, id_: str) -> Json | None:
        """A coded answer; `None` when nothing is known of it."""
        if id_ in UNKNOWN:
            return None
        if id_ in self.table["answer"]:
            return concept([coding(SNOMED, self.table["answer"][id_])])
        found = self.find(id_)
        if found is None:
            return None
        return concept(
            [coding(found.system, found.code, found.name)] if found.system else [], found.name
        )

    def code(self, standard: str, source: str, written: str, *, drug: bool = False) -> Json:
        """A CodeableConcept of what the standard concept, the source's and its value say.

        Args:
            standard: the id of the standard concept.
            source: the id of the source's concept.
            written: the source value.
            drug: name the ingredients too, and the OMOP concept itself.
        """
        ambiguous = drug and standard in self._ambiguous
        codings: list[Json] = []
        slug = self.analyte(standard)
        if slug is not None:
            codings.append(known_code(self.known, slug))
        ids = [id_ for id_ in (standard, source) if id_ not in UNKNOWN]
        if drug:
            codings += [coding(OMOP, id_) for id_ in ids]
        names: list[str] = []
        for id_ in dict.fromkeys(ids):
            found = self.find(id_)
            if found is None or (ambiguous and id_ == standard):
                continue
            names.append(found.name)
            if found.system:
                codings.append(coding(found.system, found.code, found.name))
        if drug and not ambiguous:
            codings += self._ingredients_of(ids)
        codings += self._written(written, any_code=bool(codings) and not drug)
        words = "" if CODE_LIKE.fullmatch(written) or ICD10_CODE.fullmatch(written) else written
        text = words if drug and words else next(iter(names), words)
        return concept(_once(codings), text)

    def _ingredients_of(self, ids: Iterable[str]) -> list[Json]:
        """Codes of the one ingredient; a product of several is known by its name."""
        found: list[Json] = []
        for id_ in ids:
            ingredients = self._ingredients.get(id_, ())
            if len(ingredients) != 1 or ingredients[0] in self._ambiguous:
                continue
            known = self.find(ingredients[0])
            found.append(coding(OMOP, ingredients[0]))
            if known is not None and known.system:
                found.append(coding(known.system, known.code, known.name))
        return found

    def _written(self, written: str, *, any_code: bool) -> list[Json]:
        """A source value that is a code beyond doubt, where no concept says more."""
        if any_code:
            return []
        if is_loinc(written):
            return [coding(LOINC, written)]
        if ICD10_CODE.fullmatch(written) and "." in written:
            return [coding(ICD10CM, written)]
        return []


def is_loinc(text: str) -> bool:
    """Is it a LOINC code, with the right check digit?"""
    if not LOINC_CODE.fullmatch(text):
        return False
    number, _, check = text.partition("-")
    total = 0
    for place, digit in enumerate(reversed(number)):
        worth = int(digit) * (1 if place % 2 else 2)
        total += worth - DOUBLED if worth > DOUBLED else worth
    return -total % 10 == int(check)


def _once(codings: Iterable[Json]) -> list[Json]:
    seen: dict[tuple[str, str], Json] = {}
    for one in codings:
        seen.setdefault((one.get("system", ""), one.get("code", "")), one)
    return list(seen.values())


def _used(cdm: Cdm) -> str:
    """A query for the ids of all concepts that rows name."""
    parts = [
        f"SELECT {column} AS id FROM {table}_rows"  # noqa: S608
        for table, columns in CONCEPTS.items()
        if cdm.has(table)
        for column in columns
        if column in cdm.columns[table]
    ]
    if cdm.has("drug_strength"):
        parts.append("SELECT ingredient_concept_id AS id FROM drug_strength_rows")
    return " UNION ".join(parts) or "SELECT '' AS id"


def _vocabulary(cdm: Cdm) -> dict[str, Concept]:
    if not cdm.has("concept"):
        return {}
    columns = "concept_id, concept_name, vocabulary_id, concept_code"
    query = f"SELECT {columns} FROM concept_rows WHERE concept_id IN ({_used(cdm)})"  # noqa: S608
    return {
        str(id_): Concept(name or "", vocabulary or "", code or "")
        for id_, name, vocabulary, code in cdm.select(query)
    }


def _ingredients(cdm: Cdm) -> dict[str, tuple[str, ...]]:
    if not (cdm.has("drug_strength") and cdm.has("drug_exposure")):
        return {}
    query = (
        "SELECT DISTINCT drug_concept_id, ingredient_concept_id FROM drug_strength_rows WHERE "
        "drug_concept_id IN (SELECT drug_concept_id FROM drug_exposure_rows) ORDER BY ALL"
    )
    found: dict[str, tuple[str, ...]] = {}
    for drug, ingredient in cdm.select(query):
        found[str(drug)] = (*found.get(str(drug), ()), str(ingredient))
    return found
