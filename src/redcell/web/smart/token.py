"""The token endpoint, and what resource servers and clients ask about tokens afterwards."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.engine import Connection
from starlette.concurrency import run_in_threadpool

from redcell import clock
from redcell.clock import MINUTE, SECOND
from redcell.identity import assertions, clients, one_time, tokens
from redcell.identity.assertions import AssertionRefusedError
from redcell.identity.clients import Client
from redcell.identity.scopes import granted
from redcell.identity.tokens import Granted
from redcell.store import audit
from redcell.store.audit import Entry
from redcell.web.pages.frame import caller_of, clinic_of
from redcell.web.smart import openapi, server
from redcell.web.smart.consent import CODE

SYSTEM = frozenset({"system"})
MOST_FIELDS = 30

router = APIRouter(tags=["SMART"])


class TokenError(Exception):
    """An error code of OAuth 2."""


@router.post(
    server.TOKEN,
    name="smart-token",
    responses=openapi.TOKEN,
    openapi_extra=openapi.ASKS,
)
async def token(request: Request) -> Response:
    """A token for a code, or for a backend service's signed assertion."""
    return await _answer(request, _token)


@router.post(
    server.INTROSPECT,
    name="smart-introspect",
    responses=openapi.INTROSPECTION,
    openapi_extra=openapi.NAMES_TOKEN,
)
async def introspect(request: Request) -> Response:
    """What a token grants, for a service that proves who it is."""
    return await _answer(request, _introspect)


@router.post(
    server.REVOKE,
    name="smart-revoke",
    responses=openapi.REVOKED,
    openapi_extra=openapi.NAMES_TOKEN,
)
async def revoke(request: Request) -> Response:
    """End a token. The answer is the same whether there was one."""
    return await _answer(request, _revoke)


async def _answer(request: Request, work: Any) -> Response:
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    try:
        if len(fields) != len(form.multi_items()) or "\x00" in "".join(fields.values()):
            raise TokenError("invalid_request")
        return JSONResponse(await run_in_threadpool(work, request, fields))
    except AssertionRefusedError:
        return JSONResponse({"error": "invalid_client"}, 401)
    except TokenError as error:
        return JSONResponse({"error": str(error)}, 400)


def _token(request: Request, fields: Mapping[str, str]) -> dict[str, Any]:
    kind = fields.get("grant_type")
    if kind == "client_credentials":
        return _for_service(request, fields)
    if kind == "authorization_code":
        return _for_code(request, fields)
    raise TokenError("unsupported_grant_type")


def _for_service(request: Request, fields: Mapping[str, str]) -> dict[str, Any]:
    client, claims = _proved(request, fields)
    if client.kind != "backend":
        raise TokenError("unauthorized_client")
    scopes = granted(fields.get("scope", "").split(), client.details.scopes, SYSTEM)
    if not scopes:
        raise TokenError("invalid_scope")

    def write(connection: Connection) -> dict[str, Any]:
        assertions.once(connection, client, claims)
        return _issued(request, connection, Granted(client.id, scopes))

    return clinic_of(request).writer.write(write)


def _for_code(request: Request, fields: Mapping[str, str]) -> dict[str, Any]:
    clinic, at = clinic_of(request), clock.now()
    with clinic.database.read() as connection:
        client = clients.by_id(connection, fields.get("client_id", ""))
    claims = None
    if client is None or client.details.keys or client.details.keys_url:
        client, claims = _proved(request, fields)
    known = client
    code = fields.get("code", "")

    def take(connection: Connection) -> dict[str, Any] | None:
        body = one_time.take(connection, CODE, code, at=at)
        if body is None:
            one_time.used_again(connection, code, at=at)
        return body

    body = clinic.writer.write(take)
    if body is None or not known.open or not _fits(body, known, fields):
        raise TokenError("invalid_grant")
    found = Granted(known.id, tuple(body["scopes"]), body["account"], body["launched"])

    def write(connection: Connection) -> dict[str, Any]:
        if claims is not None:
            assertions.once(connection, known, claims)
        answer = _issued(request, connection, found)
        until = at + tokens.USER_MINUTES * MINUTE
        one_time.note_use(connection, code, answer["access_token"], until=until)
        return answer

    return clinic.writer.write(write)


def _fits(body: Mapping[str, Any], client: Client, fields: Mapping[str, str]) -> bool:
    made = create_s256_code_challenge(fields.get("code_verifier", ""))
    return (
        body["client"] == client.id
        and body["redirect"] == fields.get("redirect_uri")
        and hmac.compare_digest(str(made), body["challenge"])
    )


def _issued(request: Request, connection: Connection, found: Granted) -> dict[str, Any]:
    at = clock.now()
    one_time.forget_old(connection, at=at)
    value, seconds = tokens.issue(connection, found, at=at)
    entry = Entry(
        at=at,
        actor=found.account or found.client,
        role="client",
        action="E",
        what="token",
        person=found.launched or None,
        purpose="SIGN-IN",
        origin=caller_of(request).origin,
        detail=f"{found.client} {' '.join(found.scopes)}",
    )
    audit.append(connection, [entry])
    answer: dict[str, Any] = {
        "access_token": value,
        "token_type": "Bearer",
        "expires_in": seconds,
        "scope": " ".join(found.scopes),
    }
    if found.launched:
        answer |= {"patient": found.launched, "need_patient_banner": True}
    return answer


def _proved(request: Request, fields: Mapping[str, str]) -> tuple[Client, Any]:
    """The client that signed the assertion, and its claims; not yet marked as used."""
    if fields.get("client_assertion_type") != assertions.TYPE:
        raise AssertionRefusedError("no assertion")
    signed = fields.get("client_assertion", "")
    name = assertions.claimed(signed)
    with clinic_of(request).database.read() as connection:
        client = clients.by_id(connection, name)
    if client is None or not client.open or fields.get("client_id", name) != name:
        raise AssertionRefusedError("unknown client")
    audience = (server.address(request, server.TOKEN),)
    keys = assertions.keys_of(client)
    return client, assertions.checked(signed, client, keys, audience, at=clock.now())


def _introspect(request: Request, fields: Mapping[str, str]) -> dict[str, Any]:
    client, claims = _proved(request, fields)
    clinic, at = clinic_of(request), clock.now()
    clinic.writer.write(lambda connection: assertions.once(connection, client, claims))
    with clinic.database.read() as connection:
        found = tokens.read(connection, fields.get("token", ""), at=at)
    if found is None:
        return {"active": False}
    about: dict[str, Any] = {
        "active": True,
        "scope": " ".join(found.scopes),
        "client_id": found.client,
        "sub": found.account or found.client,
        "exp": found.until // SECOND,
    }
    return about | ({"patient": found.launched} if found.launched else {})


def _revoke(request: Request, fields: Mapping[str, str]) -> dict[str, Any]:
    clinic, at = clinic_of(request), clock.now()
    name, claims = fields.get("client_id", ""), None
    with clinic.database.read() as connection:
        client = clients.by_id(connection, name)
    if client is None or client.details.keys or client.details.keys_url:
        client, claims = _proved(request, fields)
    known = client

    def write(connection: Connection) -> None:
        if claims is not None:
            assertions.once(connection, known, claims)
        tokens.revoke(connection, fields.get("token", ""), known.id, at=at)

    clinic.writer.write(write)
    return {}
