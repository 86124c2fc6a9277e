"""Code systems by the URI that FHIR uses, and the short names that redcell prints."""

from __future__ import annotations

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
OMOP = "https://fhir-terminology.ohdsi.org"
REDCELL = "urn:redcell:codes"
CPT = "http://www.ama-assn.org/go/cpt"
HCPCS = "urn:oid:2.16.840.1.113883.6.285"
HCPCS_URL = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
EXTENSION = "urn:redcell:fhir:"

SHORT_NAMES = {
    LOINC: "LOINC",
    SNOMED: "SNOMED CT",
    RXNORM: "RxNorm",
    ATC: "ATC",
    ICD10CM: "ICD-10-CM",
    OMOP: "OMOP",
    REDCELL: "redcell",
    CPT: "CPT",
}
