"""The application: one FastAPI over one clinic, each part a router that says what it needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from msgspec import Struct
from starlette.concurrency import run_in_threadpool

from redcell.clinic.service import Clinic
from redcell.version import __version__
from redcell.web import failures, health
from redcell.web.cds.service import cds_router
from redcell.web.fhir import router as fhir
from redcell.web.pages import routes as pages
from redcell.web.patience import Arriving
from redcell.web.security.authorize import authorize
from redcell.web.security.protect import protect
from redcell.web.shedding import Shedding, share_processor
from redcell.web.sign_in import routes as sign_in
from redcell.web.smart import routes as smart
from redcell.web.turnstile import Turnstile


class Options(Struct, frozen=True):
    """How this process serves."""

    cds_open: bool = False
    """Answer CDS calls without a token; on loopback only."""
    loopback: bool = True
    """Is the service bound to loopback alone?"""
    works: bool = True
    """Does this process run background jobs?"""
    address: str = ""
    """Where this service is reached, when the settings name no `base_url`."""


def create_app(clinic: Clinic, options: Options | None = None) -> FastAPI:
    """The application over an open clinic; the caller closes the clinic."""
    options = options or Options()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        from redcell.clinic.background import Background

        share_processor()
        background = Background(clinic)
        if options.works:
            background.start()
        yield
        if options.works:
            await run_in_threadpool(background.stop)

    app = FastAPI(
        title="redcell",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,  # such a redirect would lead where the Host header says
        dependencies=[Depends(authorize)],
    )
    app.state.clinic = clinic
    app.state.options = options
    app.state.turnstile = Turnstile()
    app.include_router(health.router)
    app.include_router(sign_in.router)
    app.include_router(smart.router)
    app.include_router(fhir)
    app.include_router(cds_router(clinic, open_here=options.cds_open, address=options.address))
    failures.install(app)
    pages.install(app)
    protect(app, clinic, loopback=options.loopback)
    app.add_middleware(Shedding, turnstile=app.state.turnstile)
    app.add_middleware(Arriving)
    app.add_middleware(health.Counted)
    return app
