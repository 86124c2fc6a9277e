"""How CDS calls are answered: whose tokens are taken, which servers are asked, how long."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

SECOND = 1.0
MEBIBYTE = 1 << 20


class Issuer(Struct, frozen=True):
    """A CDS client whose tokens are taken.

    Args:
        iss: its name, as the token has it.
        jku: where its keys are; the only address from which keys are fetched.
        keys: its keys, given out of band as a JWK Set.
        tenants: the tenants it may speak for; empty when it names none.
        servers: FHIR servers (base addresses) from which missing prefetch may be fetched.
    """

    iss: str
    jku: str = ""
    keys: dict[str, Any] | None = None
    tenants: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()


class CdsSettings(Struct, frozen=True):
    """Settings of the CDS service.

    Args:
        base: the address by which clients reach this service; tokens must name it as audience.
        open: answer without a token, to callers on this machine alone.
        issuers: whose tokens are taken.
        origins: web origins that may call from a browser.
        servers: FHIR servers that may be asked for missing prefetch, whoever calls.
        private_hosts: hosts that may be reached although their address is private.
        certificate_header: the header in which the proxy says that it verified the caller's
            certificate (`SUCCESS`); empty without mutual TLS.
        page: address of the page with the whole basis; `{patient}` in it stands for the id.
        smart: is that page launched as a SMART app?
        dated: offer prefetch keys with CDS Hooks 3.0 date tokens beside the plain ones.
        answer_seconds: how long one answer of a FHIR server may take.
        all_seconds: how long fetching may take together.
        pages: how many pages of one search are read.
        most_bytes: how large one answer of a FHIR server may be.
        body_bytes: how large a call may be.
        turn_seconds: how long a call may wait for its turn at reading a record; one that would
            wait longer is turned away with 503.
    """

    base: str
    open: bool = False
    issuers: tuple[Issuer, ...] = ()
    origins: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    private_hosts: tuple[str, ...] = ()
    certificate_header: str = ""
    page: str = ""
    smart: bool = True
    dated: bool = True
    answer_seconds: float = 3 * SECOND
    all_seconds: float = 6 * SECOND
    pages: int = 5
    most_bytes: int = 8 * MEBIBYTE
    body_bytes: int = 16 * MEBIBYTE
    turn_seconds: float = 0.25 * SECOND

    def issuer(self, iss: str) -> Issuer | None:
        """The issuer of this name."""
        return next((i for i in self.issuers if i.iss == iss), None)

    def servers_of(self, iss: str) -> tuple[str, ...]:
        """The FHIR servers that may be asked on behalf of an issuer."""
        found = self.issuer(iss)
        return (*self.servers, *(found.servers if found is not None else ()))
