"""Dates and times of OMOP rows as FHIR writes them.

A datetime at midnight is what most mappings write when they know the day alone, so it counts as a
day. Times have no zone; they are read in the zone that the user names.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, tzinfo

from redcell.sources.omop.tables import Row

DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
MIDNIGHT = time(0)


class Clock:
    """Reads the times of one source, all in one zone."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        self.zone = zone
        self.used = False
        """Was a time of day read in this zone?"""

    def start(self, row: Row, stem: str) -> str:
        """When a row began: `STEM_datetime`, else `STEM_date` with a `measurement_time`, as FHIR.

        Empty when neither is there; a text that is no time is given back as it stands, for the
        reader to refuse.
        """
        day, moment = row.get(f"{stem}_date", ""), row.get(f"{stem}_datetime", "")
        found = self._read(moment)
        if isinstance(found, datetime) and found.time() == MIDNIGHT:
            apart = _time(row.get(f"{stem}_time", ""))
            if apart is None:
                return found.date().isoformat()
            found = datetime.combine(found.date(), apart, found.tzinfo)
        if found is None and day:
            whole, apart = self._read(day), _time(row.get(f"{stem}_time", ""))
            if whole is None:
                return day
            if apart is None and whole.time() == MIDNIGHT:
                return whole.date().isoformat()
            found = datetime.combine(whole.date(), apart or whole.time(), whole.tzinfo)
        return moment if found is None else self._placed(found)

    def _read(self, text: str) -> datetime | None:
        plain = text.strip()
        match = DAY.match(plain)
        if match is None:
            return None
        rest = plain[match.end() :].strip().lstrip("T").removesuffix("UTC").strip()
        try:
            return datetime.fromisoformat(
                f"{match[1]}-{match[2]}-{match[3]}" + (f"T{rest}" if rest else "")
            )
        except ValueError:
            return None

    def _placed(self, found: datetime) -> str:
        if found.tzinfo is None:
            self.used = True
            found = found.replace(tzinfo=self.zone)
        return found.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _time(text: str) -> time | None:
    """A time of day such as `08:15` or `08:15:00`; a date in its place, as some write, is none."""
    try:
        found = time.fromisoformat(text) if ":" in text and "-" not in text else None
    except ValueError:
        return None
    return found if found != MIDNIGHT else None
