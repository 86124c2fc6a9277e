"""Every page in one place: `install` adds the routers and the error pages to an application."""

from __future__ import annotations

from fastapi import FastAPI

from redcell.web.pages import assets, corrections, errors, home, language
from redcell.web.pages.admin import routes as admin
from redcell.web.pages.capacity import routes as capacity
from redcell.web.pages.chart import routes as chart
from redcell.web.pages.entry import routes as entry
from redcell.web.pages.inbox import routes as inbox
from redcell.web.pages.me import routes as me
from redcell.web.pages.release import routes as release
from redcell.web.pages.today import pulse
from redcell.web.pages.today import routes as today

ROUTERS = (
    assets.router,
    language.router,
    home.router,
    pulse.router,
    corrections.router,
    today.router,
    chart.router,
    me.router,
    inbox.router,
    release.router,
    entry.router,
    capacity.router,
    admin.router,
)


def install(app: FastAPI) -> None:
    """Add the pages to an application, before it is protected."""
    for router in ROUTERS:
        app.include_router(router)
    errors.install(app)
