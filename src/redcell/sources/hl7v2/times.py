"""Times of one message: with their own offset, else the message's, else the feed's zone, else none.

A message without any offset is common. The feed's zone is then what a person configured, and that
it was used is noted, as is a time that the clock change of that zone makes ambiguous.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from redcell.sources.fhir.times import BadTimeError, moment
from redcell.sources.hl7v2.observed import iso_time

SECONDS_IN_MINUTE = 60
LEAP = ":60"


class Times:
    """Reads the times of one message and remembers what it had to assume."""

    def __init__(self, offset: str, zone: tzinfo | None) -> None:
        """Start with nothing assumed.

        Args:
            offset: what MSH-7 says, like `+0100`; the standard makes it the message's default.
            zone: the feed's zone, for a message that says nothing.
        """
        self.offset = offset
        self.zone = zone
        self.assumed = False
        self.ambiguous: list[str] = []
        self._known: dict[str, str] = {}
        self._instants: dict[str, str] = {}

    def iso(self, text: str) -> str:
        """An HL7 v2 time as a FHIR date or dateTime; without an offset only if no zone is known.

        Raises:
            BadTimeError: a year or month alone, or no time at all.
        """
        written = self._known.get(text)
        if written is not None:  # the results of one order have the same
            return written
        written = iso_time(text, self.offset)
        if "T" not in written or self.zone is None or not moment(written)[1]:
            self._known[text] = written
            return written
        self.assumed = True
        return self._placed(written, self.zone)

    def instant(self, text: str) -> str:
        """The same as an instant: a day is its first second; empty when it is none."""
        if text not in self._instants:
            self._instants[text] = self._instant(text) if text else ""
        return self._instants[text]

    def _instant(self, text: str) -> str:
        try:
            written = self.iso(text)
            if "T" in written:
                return "" if moment(written)[1] else written
            if self.zone is not None:
                return self._placed(f"{written}T00:00:00", self.zone)
        except BadTimeError:
            return ""
        sign = self.offset
        return f"{written}T00:00:00{sign[:3]}:{sign[3:]}" if sign else ""

    def _placed(self, written: str, zone: tzinfo) -> str:
        """A local time with the offset of the zone; the earlier one where the clock goes back."""
        local = datetime.fromisoformat(written.replace(LEAP, ":59", 1)).replace(tzinfo=zone)
        offset = local.utcoffset()
        try:
            if offset != local.replace(fold=1).utcoffset():
                self.ambiguous.append(written)
            whole = offset is not None and offset.seconds % SECONDS_IN_MINUTE == 0
            found = (local if whole else local.astimezone(UTC)).isoformat()
        except OverflowError as error:
            raise BadTimeError("the time lies outside the calendar") from error
        moment(found)
        return found
