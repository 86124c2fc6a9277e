"""FHIR R4 over HTTP: what is kept and what was concluded, as resources."""

from redcell.web.fhir.routes import router

__all__ = ["router"]
