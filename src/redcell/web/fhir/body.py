"""The body of a request: of a type that is taken, unpacked with a limit."""

from __future__ import annotations

import zlib

from fastapi import Request

from redcell.sources.json_place import RESOURCE
from redcell.web.fhir.outcome import FhirError

MOST = 64 << 20
"""Bytes of a body, unpacked."""
RATIO = 100
SMALL = 1 << 20
JSON_TYPES = frozenset(
    {"application/fhir+json", "application/json+fhir", "application/json", "text/json"}
)
FORM = "application/x-www-form-urlencoded"


def media_type(text: str) -> str:
    """A media type without its parameters."""
    return text.partition(";")[0].strip().lower()


async def json_body(request: Request) -> bytes:
    """The body of a request that brings FHIR JSON.

    Raises:
        FhirError: 400 without a body, 413 for a long one, 415 for another type.
    """
    sent = media_type(request.headers.get("content-type", ""))
    if sent not in JSON_TYPES:
        shown = sent if sent.replace("/", "").replace("+", "").isalnum() else "missing"
        raise FhirError(
            415,
            "not-supported",
            f"Content-Type is {shown[:60]}; expected application/fhir+json.",
            "http.Content-Type",
        )
    data = await body_of(request)
    if not data.strip():
        raise FhirError(
            400, "structure", "the body is empty; a FHIR resource is expected.", RESOURCE
        )
    return data


async def body_of(request: Request) -> bytes:
    """The body, unpacked when it says that it is gzip.

    Raises:
        FhirError: 413 when it is too long, packed or unpacked; 400 or 415 for a bad encoding.
    """
    packing = request.headers.get("content-encoding", "identity").strip().lower()
    if packing not in ("identity", "gzip", ""):
        raise FhirError(
            415, "not-supported", "Content-Encoding is not gzip.", "http.Content-Encoding"
        )
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST:
            raise _too_long()
    return gunzip(bytes(data)) if packing == "gzip" else bytes(data)


def gunzip(data: bytes) -> bytes:
    """Unpacked bytes.

    Raises:
        FhirError: 413 for a bomb, 400 for what is no whole gzip.
    """
    most = min(MOST, max(SMALL, len(data) * RATIO))
    unpacking = zlib.decompressobj(wbits=31)
    try:
        found = unpacking.decompress(data, most + 1)
    except zlib.error as error:
        raise FhirError(400, "structure", "the body is not gzip.", RESOURCE) from error
    if len(found) > most:
        raise _too_long()
    if not unpacking.eof or unpacking.unused_data:
        raise FhirError(400, "structure", "the body is not one whole gzip.", RESOURCE)
    return found


def _too_long() -> FhirError:
    return FhirError(
        413,
        "too-long",
        f"the body is longer than {MOST >> 20} MiB, or unpacks to too much.",
        RESOURCE,
    )
