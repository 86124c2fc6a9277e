"""MLLP frames out of a stream of bytes: 0x0B, a message, 0x1C 0x0D. No I/O, no clock.

A sender may write two frames at once, or one byte at a time. What stands outside of frames is
counted and thrown away. A new start inside a frame means that the sender began anew: what it had
sent of the message before was never answered, so it will send that again.
"""

from __future__ import annotations

from collections.abc import Iterator

START = b"\x0b"
END = b"\x1c\r"
LARGEST = 4 << 20


class FrameTooLargeError(ValueError):
    """A frame grew past the limit. `begun` is what came of it, enough to name the message."""

    def __init__(self, begun: bytes) -> None:
        super().__init__("the message is larger than this listener takes")
        self.begun = begun


class Framer:
    """Collects the bytes of one connection and gives out whole messages."""

    def __init__(self, largest: int = LARGEST) -> None:
        self.largest = largest
        self.garbage = 0
        """Bytes that stood in no frame, or in one that was begun anew."""
        self._kept = bytearray()
        self._open = False
        self._seen = 0

    @property
    def open(self) -> bool:
        """Has a frame begun that has not ended?"""
        return self._open

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that are whole with these bytes, without what frames them.

        Raises:
            FrameTooLargeError: a frame is larger than the limit; the stream cannot be read on.
        """
        self._kept += data
        while (message := self._next()) is not None:
            yield message

    def _next(self) -> bytes | None:
        if not self._open and not self._begin():
            return None
        end = self._kept.find(END, max(self._seen - 1, 0))
        end = self._begun_anew(len(self._kept) if end < 0 else end, found=end >= 0)
        if max(end, len(self._kept) if end < 0 else 0) > self.largest:
            raise FrameTooLargeError(bytes(self._kept[: self.largest]))
        if end < 0:
            self._seen = len(self._kept)
            return None
        message = bytes(self._kept[:end])
        del self._kept[: end + len(END)]
        self._open = False
        return message

    def _begin(self) -> bool:
        """Throw away what stands before the next frame; is there one?"""
        start = self._kept.find(START)
        self.garbage += len(self._kept) if start < 0 else start
        del self._kept[: len(self._kept) if start < 0 else start + 1]
        self._open, self._seen = start >= 0, 0
        return self._open

    def _begun_anew(self, upto: int, *, found: bool) -> int:
        """Throw away a frame that was begun anew before `upto`; where its end is now, or -1."""
        again = self._kept.rfind(START, self._seen, upto)
        if again >= 0:
            self.garbage += again - self._kept.count(START, 0, again)
            del self._kept[: again + 1]
            upto -= again + 1
            self._seen = 0
        return upto if found else -1


def framed(message: bytes) -> bytes:
    """A message in its frame."""
    return START + message + END
