"""Reads HL7 v2 result messages (ORU^R01): any bytes become facts, or a reason why not."""

from redcell.sources.hl7v2.read import read_messages

__all__ = ["read_messages"]
