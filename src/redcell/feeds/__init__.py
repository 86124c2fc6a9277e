"""How data come in: HL7 v2 over MLLP, a drop folder, FHIR Bulk files, a FHIR server."""
