"""Base64 for addresses and tokens, in which the padding is left out."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

PADDING = "==="
"""As much as any text may need: more than enough is no fault."""


def to_bytes(text: str) -> bytes:
    """What a text stands for.

    Raises:
        ValueError: it is no such text.
    """
    return urlsafe_b64decode(text + PADDING)


def of_bytes(data: bytes) -> str:
    """The text that stands for these bytes, without padding."""
    return urlsafe_b64encode(data).decode("ascii").rstrip("=")
