"""One row of the authorization table, and the judgment that it stands for."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from redcell.identity.caller import ROLES, STAFF, Caller


class Reach(StrEnum):
    """Whose data a role reaches over a route."""

    ALL = "all"
    """Every person; on a route without a person: the route itself."""
    OWN = "own"
    """Only persons whom the caller may see: their own, granted, opened by break-glass."""
    NONE = "none"


class Where(StrEnum):
    """Where a route's request names the person."""

    NOWHERE = "nowhere"
    """It is about no single person."""
    PATH = "path"
    """The path parameter `person`."""
    QUERY = "query"
    """The query parameter `person`, or `patient`."""
    ROWS = "rows"
    """The route itself leaves out what `caller.sees()` refuses."""


class Verdict(StrEnum):
    """What a request gets."""

    ALLOWED = "allowed"
    SIGN_IN = "sign-in"
    """A stranger: pages send to sign-in, the API answers 401."""
    UNKNOWN = "unknown"
    """404, the same as for a person whom nobody knows."""
    FORBIDDEN = "forbidden"
    """403: the route is not for this role."""


class Row(Struct, frozen=True, kw_only=True):
    """Who may use a route. What a row does not say is refused."""

    name: str
    """The route's name."""
    methods: tuple[str, ...] = ("GET",)
    where: Where = Where.NOWHERE
    all: tuple[str, ...] = ()
    """Roles with the reach ALL."""
    own: tuple[str, ...] = ()
    """Roles with the reach OWN."""
    everyone: bool = False
    """Open to all, strangers too: sign-in, static files, what checks its own proof."""
    glass: bool = False
    """May a role outside the care team come in for a person opened by break-glass?"""
    scope: str = ""
    """What an access token must grant on this route: a letter of SMART v2 (c r u d s), which binds
    the resource type in the path parameter `kind`; `self` when the route asks `allows()` itself;
    nothing when tokens are refused."""
    csrf: bool = True
    """Must a request that changes something prove that it comes from our own page?"""

    def __post_init__(self) -> None:
        """Refuse a row that contradicts itself."""
        named = (*self.all, *self.own)
        unknown = set(named) - set(ROLES)
        if unknown or len(set(named)) != len(named):
            raise ValueError(f"row {self.name}: unknown or repeated roles: {named}")
        if STAFF & set(self.own):
            raise ValueError(f"row {self.name}: the care team sees all people of the clinic")
        if self.own and self.where is Where.NOWHERE:
            raise ValueError(f"row {self.name}: OWN needs a person, in the path, query or rows")

    def reach(self, role: str) -> Reach:
        """What one role reaches."""
        if role in self.all:
            return Reach.ALL
        return Reach.OWN if role in self.own else Reach.NONE


GLASS_ROLES = frozenset({"infusion", "blood-bank"})
"""Roles of clinicians outside the care team, who may open a person for a stated reason."""


def judge(row: Row, caller: Caller, person: str | None = None) -> Verdict:
    """Whether a caller may use a route, for the person whom the request names.

    A request that names another's person gets the same answer as one that names nobody known.
    """
    if row.everyone:
        return Verdict.ALLOWED
    if not caller.known:
        return Verdict.SIGN_IN
    single = row.where in (Where.PATH, Where.QUERY)
    refused = Verdict.UNKNOWN if single else Verdict.FORBIDDEN
    if caller.scopes is not None and not row.scope:
        return Verdict.FORBIDDEN
    seen = not single or (person is not None and caller.sees(person))
    if caller.has(*row.all):
        elsewhere = single and caller.launched not in ("", person)
        return refused if elsewhere else Verdict.ALLOWED
    if caller.has(*row.own) and seen:
        return Verdict.ALLOWED
    if row.glass and caller.has(*GLASS_ROLES) and single and person in caller.glass:
        return Verdict.ALLOWED
    return refused


def widened(row: Row, caller: Caller) -> Caller:
    """The caller as the route has it: with the reach ALL, `sees` is true for everybody.

    On a route about no person the reach is the route itself, and `sees` stays as the caller has it.
    """
    if row.where is Where.NOWHERE or not caller.has(*row.all):
        return caller
    return replace(caller, everyone=True)
