"""The files under static/, each with its hash in its address, so that browsers may keep them.

`redcell.css` is one sheet: the design tokens that printed reports use too, then the frame's own.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response
from msgspec import Struct
from starlette.exceptions import HTTPException

from redcell.outputs import templates

FOLDER = Path(__file__).parent / "static"
SHEET = "redcell.css"
TOKENS = templates.FOLDER / "tokens.css"
FOREVER = "public, max-age=31536000, immutable"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".toml": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".license": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}

LINKED = re.compile(rb"url\((vendor/[^)]+)\)")
"""A file that the style sheet loads."""

router = APIRouter()


class Asset(Struct, frozen=True):
    """One file as it is sent."""

    body: bytes
    kind: str
    hash: str


@cache
def found() -> dict[str, Asset]:
    """Every file by its name under static/."""
    files = (path for path in sorted(FOLDER.rglob("*")) if path.is_file())
    return {path.relative_to(FOLDER).as_posix(): _asset(path) for path in files}


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    if path.name == SHEET:
        body = TOKENS.read_bytes() + b"\n" + LINKED.sub(_versioned, body)
    kind = TYPES.get(path.suffix.lower(), "application/octet-stream")
    return Asset(body, kind, hashlib.sha256(body).hexdigest())


def _versioned(match: re.Match[bytes]) -> bytes:
    name = match[1].decode()
    seal = hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()
    return f"url(/static/{name}?v={seal[:12]})".encode()


def address(name: str) -> str:
    """Where a file is; another content has another address."""
    return f"/static/{name}?v={found()[name].hash[:12]}"


@router.get("/static/{name:path}", name="static", include_in_schema=False)
async def static(name: str, v: str = "") -> Response:
    """A file of the pages: style sheet, script, font."""
    asset = found().get(name)
    if asset is None:
        raise HTTPException(404)
    lasting = FOREVER if v and asset.hash.startswith(v) else "no-cache"
    headers = {"Cache-Control": lasting, "ETag": f'"{asset.hash[:24]}"'}
    return Response(asset.body, media_type=asset.kind, headers=headers)
