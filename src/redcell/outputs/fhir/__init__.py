"""FHIR R4 (4.0.1): findings and proposals of one assessment as a Bundle; no orders."""

from redcell.outputs.fhir.bundle import to_bundle, to_json

__all__ = ["to_bundle", "to_json"]
