"""FHIR R4 (4.0.1) resources read into facts, as the input contract says."""
