"""Every route of administration."""

from __future__ import annotations

from fastapi import APIRouter

from redcell.web.pages.admin import copies, feeds, health, log, models, rules, trail, users

router = APIRouter()
for part in (health, users, feeds, rules, models, trail, copies, log):
    router.include_router(part.router)
