"""Every page in one place: `install` adds the routers and the error pages to an application."""

from __future__ import annotations

from fastapi import FastAPI

from redcell.web.pages import assets, errors, language


def install(app: FastAPI) -> None:
    """Add the pages to an application."""
    for router in (assets.router, language.router):
        app.include_router(router)
    errors.install(app)
