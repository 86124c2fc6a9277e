"""Where radiation was given, how much, and when."""

from __future__ import annotations

from msgspec import Struct

from redcell.record.moment import Moment


class RadiationField(Struct, frozen=True):
    """One irradiated site: its key in the site table, the dose in Gy, and the part in the field.

    `segments` numbers the vertebral levels from the top (0 is C1, T1 or L1), or the sides of a
    paired site (0 left, 1 right); empty is the whole site.
    """

    site: str | None
    segments: tuple[int, ...] = ()
    dose_gy: float | None = None
    fractions: int | None = None
    label: str = ""


class RadiationCourse(Struct, frozen=True):
    """One course of radiotherapy. `end` is the last day known, `None` while it is in progress."""

    fields: tuple[RadiationField, ...]
    start: Moment | None
    end: Moment | None
    reference: str
    technique: str = ""

    def __str__(self) -> str:
        sites = ", ".join(f.label or f.site or "site unknown" for f in self.fields)
        return f"radiotherapy to {sites or 'an unknown site'}"
