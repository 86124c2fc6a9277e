"""Passkeys: register one, sign in with one. The authenticator proves presence and the person.

A challenge works once. An answer from another origin or for another site is refused, and so is one
whose counter did not grow: somebody else holds a copy of the key.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clock import MINUTE
from redcell.errors import RedcellError
from redcell.identity import accounts, base64url, one_time
from redcell.identity.accounts import Account
from redcell.store.schema import passkeys

KIND = "passkey"
MINUTES = 5


class PasskeyError(RedcellError):
    """The authenticator's answer is not taken. The text names no one."""


class Site(Struct, frozen=True):
    """Who we are to authenticators."""

    name: str
    host: str
    origin: str


class Passkey(Struct, frozen=True):
    """One registered passkey."""

    id: str
    made: int
    used: int | None


def every(connection: Connection, account: str) -> list[Passkey]:
    """The passkeys of an account."""
    query = sa.select(passkeys).where(passkeys.c.account == account).order_by(passkeys.c.made)
    return [Passkey(row.id, row.made, row.used) for row in connection.execute(query)]


def remove(connection: Connection, account: str, passkey: str) -> None:
    """Take no answer from a passkey any more."""
    same = (passkeys.c.account == account, passkeys.c.id == passkey)
    connection.execute(sa.delete(passkeys).where(*same))


def registering(connection: Connection, account: Account, site: Site, *, at: int) -> str:
    """Options for the browser to make a passkey, as JSON."""
    import webauthn  # with all that it needs a tenth of a start: loaded when it is used
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    challenge = _challenge(connection, {"account": account.id}, at)
    known = [
        PublicKeyCredentialDescriptor(id=base64url.to_bytes(p.id))
        for p in every(connection, account.id)
    ]
    options = webauthn.generate_registration_options(
        rp_id=site.host,
        rp_name=site.name,
        user_name=account.login,
        user_display_name=account.name,
        user_id=account.id.encode(),
        challenge=challenge,
        exclude_credentials=known,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
    )
    return webauthn.options_to_json(options)


def register(
    connection: Connection, account: Account, site: Site, answer: dict[str, Any], *, at: int
) -> None:
    """Take the passkey that a browser made.

    Raises:
        PasskeyError: the answer does not fit what was asked, or this site.
    """
    import webauthn
    from webauthn.helpers.exceptions import WebAuthnException

    challenge, begun = _answered(connection, answer, at)
    if begun.get("account") != account.id:
        raise PasskeyError("this passkey was asked for by somebody else.")
    try:
        found = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise PasskeyError(f"the passkey is refused: {type(error).__name__}.") from error
    name = base64url.of_bytes(found.credential_id)
    if connection.scalar(sa.select(passkeys.c.id).where(passkeys.c.id == name)) is not None:
        raise PasskeyError("this passkey is registered already.")
    row = {"id": name, "account": account.id, "public_key": found.credential_public_key}
    connection.execute(sa.insert(passkeys).values(**row, counter=found.sign_count, made=at))


def signing_in(connection: Connection, site: Site, *, at: int) -> str:
    """Options for the browser to find a passkey, as JSON; they name no account."""
    import webauthn
    from webauthn.helpers.structs import UserVerificationRequirement

    options = webauthn.generate_authentication_options(
        rp_id=site.host,
        challenge=_challenge(connection, {}, at),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


def sign_in(connection: Connection, site: Site, answer: dict[str, Any], *, at: int) -> Account:
    """Whose passkey answered.

    Raises:
        PasskeyError: nobody's, or not to our question, or a copy of the key exists.
    """
    import webauthn
    from webauthn.helpers.exceptions import WebAuthnException

    challenge, begun = _answered(connection, answer, at)
    row = connection.execute(
        sa.select(passkeys).where(passkeys.c.id == str(answer.get("id", "")))
    ).first()
    account = accounts.by_id(connection, row.account) if row is not None else None
    if begun or row is None or account is None or not account.open:
        raise PasskeyError("this passkey is not known here.")
    try:
        found = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=row.public_key,
            credential_current_sign_count=row.counter,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise PasskeyError(f"the passkey is refused: {type(error).__name__}.") from error
    used = {"counter": found.new_sign_count, "used": at}
    connection.execute(sa.update(passkeys).where(passkeys.c.id == row.id).values(**used))
    return account


def _challenge(connection: Connection, body: dict[str, Any], at: int) -> bytes:
    return one_time.keep(connection, KIND, body, until=at + MINUTES * MINUTE).encode()


def _answered(
    connection: Connection, answer: dict[str, Any], at: int
) -> tuple[bytes, dict[str, Any]]:
    """The challenge that an answer says it answers, if we asked it, and for what."""
    try:
        said = base64url.to_bytes(answer["response"]["clientDataJSON"])
        challenge = base64url.to_bytes(msgspec.json.decode(said)["challenge"])
        begun = one_time.take(connection, KIND, challenge.decode(), at=at)
    except (KeyError, TypeError, ValueError, msgspec.DecodeError) as error:
        raise PasskeyError("the authenticator's answer cannot be read.") from error
    if begun is None:
        raise PasskeyError("this question was not asked here, or too long ago. Try again.")
    return challenge, begun
