"""Who is asking: the account or client behind a request, its roles, and whose data it may see."""

from __future__ import annotations

from msgspec import Struct

STAFF = frozenset({"nurse", "physician"})
"""Roles that care for every patient of the clinic."""
ROLES = (
    "patient",
    "proxy",
    "nurse",
    "physician",
    "infusion",
    "blood-bank",
    "feed",
    "cds-client",
    "researcher",
    "admin",
)
"""Every role; a caller with none of them is a stranger."""
NOBODY = ""


class Caller(Struct, frozen=True):
    """Somebody who asks. Strangers have no account and no role."""

    account: str = NOBODY
    """Id of the account or client; it stands in the audit."""
    name: str = ""
    """As colleagues see it. Never logged."""
    roles: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()
    """Persons whose data a patient or proxy may see."""
    scopes: frozenset[str] | None = None
    """SMART scopes of a token; `None` for a person who signed in on the pages."""
    launched: str = ""
    """The person in whose context a SMART app was launched; no other one may be seen."""
    glass: frozenset[str] = frozenset()
    """Persons opened by break-glass in this session."""
    everyone: bool = False
    """Does the route's row give the caller every person? Set when a request was authorized."""
    own: str = ""
    """The person whose account it is; others among `people` were granted."""
    session: str = ""
    origin: str = ""
    """The address that the request came from."""

    @property
    def known(self) -> bool:
        """Is this somebody, rather than a stranger?"""
        return bool(self.account)

    @property
    def role(self) -> str:
        """The roles as the audit has them."""
        return " ".join(sorted(self.roles)) or "none"

    def has(self, *roles: str) -> bool:
        """Does the caller have one of these roles?"""
        return not self.roles.isdisjoint(roles)

    def sees(self, person: str) -> bool:
        """May the caller see this person's data at all? What of it, the route's row decides."""
        if self.launched:
            return person == self.launched
        everybody = self.everyone or (self.scopes is None and self.has(*STAFF))
        return everybody or person in self.people or person in self.glass


STRANGER = Caller()
