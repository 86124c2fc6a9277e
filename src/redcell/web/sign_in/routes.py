"""Every route of sign-in, as one router."""

from __future__ import annotations

from fastapi import APIRouter

from redcell.web.sign_in import account, glass, hospital, link, passkey, password

router = APIRouter()
for part in (password, link, passkey, hospital, account, glass):
    router.include_router(part.router)
