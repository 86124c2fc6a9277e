"""The CDS service put together: over a clinic's store, or by itself in memory."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import APIRouter

from redcell.clinic.service import Clinic
from redcell.clinic.settings import Issuer as IssuerSettings
from redcell.clock import now as clock
from redcell.errors import SettingsError
from redcell.knowledge.load import Knowledge, knowledge
from redcell.web.cds.answers import Dependencies
from redcell.web.cds.fetch import Fetcher
from redcell.web.cds.kept import KeptFeedback, KeptPeople, KeptSeen
from redcell.web.cds.keys import Keys
from redcell.web.cds.memory import MemoryFeedback, MemorySeen, NobodyStored
from redcell.web.cds.outbound import Outbound
from redcell.web.cds.protocols import FeedbackStore, Seen, Stored
from redcell.web.cds.router import router
from redcell.web.cds.settings import CdsSettings, Issuer
from redcell.web.cds.tokens import Verifier

LAUNCH, CHART = "/launch", "/patients/{patient}"
"""Where the chart page is: launched by an EHR, or plainly opened by somebody who is signed in."""


def cds_router(clinic: Clinic, *, open_here: bool = False, address: str = "") -> APIRouter:
    """The CDS routes of a clinic.

    Args:
        clinic: the open store with its settings.
        open_here: answer without a token, to callers on this machine alone.
        address: where this service is reached, when the settings name no `base_url`.

    Raises:
        SettingsError: a file of keys cannot be read.
    """
    return assembled(
        settings_of(clinic, open_here=open_here, address=address),
        lambda: clinic.basis().knowledge,
        KeptSeen(clinic),
        KeptFeedback(clinic),
        KeptPeople(clinic),
    )


def stateless_router(settings: CdsSettings, now: Callable[[], int] = clock) -> APIRouter:
    """The CDS routes without a store: every call is answered from what it brings."""
    return assembled(settings, knowledge, MemorySeen(), MemoryFeedback(), NobodyStored(), now=now)


def assembled(
    settings: CdsSettings,
    known: Callable[[], Knowledge],
    seen: Seen,
    feedback: FeedbackStore,
    stored: Stored,
    *,
    now: Callable[[], int] = clock,
    outbound: Outbound | None = None,
) -> APIRouter:
    """The CDS routes over these parts."""
    out = outbound or Outbound(
        private_hosts=settings.private_hosts,
        insecure_loopback=settings.open,
        seconds=settings.answer_seconds,
        most_bytes=settings.most_bytes,
    )
    fetcher = Fetcher(out, seconds=settings.all_seconds, pages=settings.pages)
    needed = Dependencies(settings, known, seen, feedback, stored, fetcher)
    made = router(needed, Verifier(settings, Keys(out), seen), now)
    made.lifespan_context = _closing(out)
    return made


def _closing(out: Outbound) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """Connections to other servers end with the application."""

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await out.close()

    return lifespan


def settings_of(clinic: Clinic, *, open_here: bool, address: str = "") -> CdsSettings:
    """The settings of a clinic, as the CDS service needs them."""
    found = clinic.settings
    base = (found.base_url or address).rstrip("/")
    smart = any(ehr.client_id for ehr in found.ehr)
    return CdsSettings(
        base=base,
        open=open_here,
        issuers=tuple(_issuer(clinic, one) for one in found.cds.issuers),
        origins=found.cds.origins,
        private_hosts=found.cds.private_hosts,
        certificate_header=found.cds.certificate_header,
        dated=found.cds.dated,
        servers=tuple(ehr.fhir for ehr in found.ehr),
        page=base + (LAUNCH if smart else CHART) if base else "",
        smart=smart,
    )


def _issuer(clinic: Clinic, one: IssuerSettings) -> Issuer:
    keys: Any = None
    if one.keys:
        path = clinic.folder / one.keys
        try:
            keys = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path}: not a JWK Set: {error}") from error
    tenants = (one.tenant,) if one.tenant else ()
    return Issuer(one.iss, one.jku, keys, tenants, one.servers)
