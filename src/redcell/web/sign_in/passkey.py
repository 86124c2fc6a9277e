"""Sign-in by passkey, and registering one: the script asks a question, then sends the answer."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from redcell import clock
from redcell.identity import accounts, passkeys
from redcell.identity.accounts import Account
from redcell.identity.passkeys import PasskeyError
from redcell.identity.sessions import About
from redcell.store import audit
from redcell.web.pages.frame import caller_of, clinic_of
from redcell.web.security import cookies, rates
from redcell.web.security.authorize import unknown
from redcell.web.sign_in.opened import begun, entry, local, refused, site_of

LARGEST = 65_536
MEDIA = "application/json"

router = APIRouter(include_in_schema=False)


@router.post("/sign-in/passkey/question", name="sign-in-passkey-question")
def question(request: Request) -> Response:
    """What an authenticator is to sign; it names no account."""
    rates.attempt(request, "")
    at, site = clock.now(), site_of(request)
    asked = clinic_of(request).writer.write(
        lambda connection: passkeys.signing_in(connection, site, at=at)
    )
    return Response(asked, media_type=MEDIA)


@router.post("/sign-in/passkey", name="sign-in-passkey")
async def sign_in(request: Request, next: str = "") -> Response:  # noqa: A002
    """An authenticator's answer: a session, and where to go."""
    answer = await _answer(request)
    return await run_in_threadpool(_sign_in, request, answer, next)


def _sign_in(request: Request, answer: dict[str, Any], where: str) -> Response:
    at, site = clock.now(), site_of(request)
    try:
        account = clinic_of(request).writer.write(
            lambda connection: passkeys.sign_in(connection, site, answer, at=at)
        )
    except PasskeyError as error:
        refused(request, "passkey")
        return JSONResponse({"detail": str(error)}, 401)
    made = JSONResponse({"next": local(where)})
    cookies.set_session(request, made, begun(request, account, About("passkey")))
    return made


@router.post("/account/passkeys/question", name="passkey-question")
def registration_question(request: Request) -> Response:
    """What a browser needs to make a passkey for this account."""
    at, site, account = clock.now(), site_of(request), _own(request)
    asked = clinic_of(request).writer.write(
        lambda connection: passkeys.registering(connection, account, site, at=at)
    )
    return Response(asked, media_type=MEDIA)


@router.post("/account/passkeys", name="passkey-add")
async def add(request: Request) -> Response:
    """Take the passkey that the browser made."""
    answer = await _answer(request)
    return await run_in_threadpool(_add, request, answer)


def _add(request: Request, answer: dict[str, Any]) -> Response:
    at, site, account = clock.now(), site_of(request), _own(request)
    done = entry(request, account, at, "passkey added")

    def write(connection: Any) -> None:
        passkeys.register(connection, account, site, answer, at=at)
        audit.append(connection, [done])

    try:
        clinic_of(request).writer.write(write)
    except PasskeyError as error:
        return JSONResponse({"detail": str(error)}, 400)
    return JSONResponse({"next": "/account"}, 201)


@router.post("/account/passkeys/{passkey}/remove", name="passkey-remove")
def remove(request: Request, passkey: str) -> Response:
    """Take no answer from one of the account's passkeys any more."""
    account = _own(request)
    done = entry(request, account, clock.now(), "passkey removed")

    def write(connection: Any) -> None:
        passkeys.remove(connection, account.id, passkey)
        audit.append(connection, [done])

    clinic_of(request).writer.write(write)
    return RedirectResponse("/account", 303)


def _own(request: Request) -> Account:
    with clinic_of(request).database.read() as connection:
        found = accounts.by_id(connection, caller_of(request).account)
    if found is None:
        raise unknown()
    return found


async def _answer(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise HTTPException(413, "too long")
    try:
        return msgspec.json.decode(bytes(body), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise HTTPException(400, "expected a JSON object") from None
