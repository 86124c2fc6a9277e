"""CORS: browsers may call from the listed origins, and from no other."""

from __future__ import annotations

from collections.abc import Iterable

METHODS = "GET, POST, OPTIONS"
HEADERS = "Authorization, Content-Type, Accept, If-None-Match"
EXPOSED = "ETag, WWW-Authenticate"
KEPT_SECONDS = "600"


class CrossOrigin:
    """Headers for answers to calls from other origins."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.rstrip("/") for origin in origins)

    def allows(self, origin: str) -> bool:
        """May pages of this origin call?"""
        return origin in self._origins

    def headers(self, origin: str) -> dict[str, str]:
        """Headers of an answer. `Vary` always: what is cached for one origin serves no other."""
        if not self.allows(origin):
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": EXPOSED,
        }

    def preflight(self, origin: str) -> dict[str, str]:
        """Headers of the answer to a preflight."""
        found = self.headers(origin)
        if "Access-Control-Allow-Origin" not in found:
            return found
        return found | {
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": HEADERS,
            "Access-Control-Max-Age": KEPT_SECONDS,
        }
