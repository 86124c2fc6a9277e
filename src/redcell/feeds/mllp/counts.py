"""What a listener has seen, for the metrics."""

from __future__ import annotations

from msgspec import Struct

from redcell.feeds.intake import Verdict


class Counts(Struct):
    """Counts since the listener started."""

    received: int = 0
    accepted: int = 0
    duplicates: int = 0
    held: int = 0
    refused: int = 0
    failed: int = 0
    """Messages that could not be kept now; their senders were told to send them again."""
    ignored: int = 0
    """Acknowledgments that somebody sent here; they are never answered."""
    garbage: int = 0
    """Bytes outside of frames."""
    too_large: int = 0
    connections: int = 0
    """Open now."""
    turned_away: int = 0
    """Connections over a limit."""
    timed_out: int = 0
    last_message: int = 0
    """When the newest message came, in microseconds since 1970; 0 before the first one."""

    def note(self, verdict: Verdict) -> None:
        """Count what became of a message."""
        name = {"duplicate": "duplicates"}.get(verdict, verdict)
        setattr(self, name, getattr(self, name) + 1)
