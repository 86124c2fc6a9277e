"""Every route of SMART, as one router. Include it before the FHIR API, whose paths are wider."""

from __future__ import annotations

from fastapi import APIRouter

from redcell.web.smart import apps, configuration, consent, launch, token

router = APIRouter()
for part in (configuration, apps, consent, token, launch):
    router.include_router(part.router)
