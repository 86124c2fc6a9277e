"""What is known about one patient: facts only, frozen, no input or output."""

from redcell.record.record import Record

__all__ = ["Record"]
