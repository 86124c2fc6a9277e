"""The service over HTTP: FHIR, CDS Hooks, sign-in, pages, administration."""
