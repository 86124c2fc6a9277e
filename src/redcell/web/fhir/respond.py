"""Resources as answers: `meta` is filled in, and the headers say which version it is."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import format_datetime
from typing import Any, Protocol

import msgspec
from starlette.responses import Response

from redcell import clock
from redcell.clinic import moved
from redcell.clinic.resources import with_meta
from redcell.clinic.versions import decode_json, encode_json

Json = dict[str, Any]
MEDIA = "application/fhir+json"


class Stored(moved.Stored, Protocol):
    """A version of a resource as the store gives it, with its number and time."""

    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def received(self) -> int: ...  # noqa: D102


def resource_of(one: Stored) -> Json:
    """The resource with the number of its version and the time since which it is kept."""
    resource: Json = decode_json(one.body)
    return with_meta(resource, one.version, one.received)


def etag(version: int) -> str:
    """The weak ETag of a version."""
    return f'W/"{version}"'


def http_date(at: int) -> str:
    """A time as HTTP headers have it."""
    return format_datetime(clock.when(at).replace(microsecond=0), usegmt=True)


def version_headers(one: Stored) -> dict[str, str]:
    """ETag and Last-Modified of a version."""
    return {"ETag": etag(one.version), "Last-Modified": http_date(one.received)}


def answer(
    body: Json | None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    pretty: bool = False,
) -> Response:
    """A resource as a response, never to be stored by caches on the way."""
    data = b"" if body is None else encode_json(body)
    if pretty:
        data = msgspec.json.format(data, indent=2)
    sent = {"Cache-Control": "no-store", **(headers or {})}
    media = f"{MEDIA}; charset=utf-8" if body is not None else None
    return Response(data, status, sent, media)
