"""A call as it comes in: decoded at once, or refused with the issues that a judge finds in it."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from redcell.sources.fhir.times import BadTimeError, moment
from redcell.sources.strict_json import RefusedJsonError, check, text_of
from redcell.web.cds.judge import Issue, judge, outcome, refuses

Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9.-]{1,64}\Z")]
Uuid = Annotated[
    str, Meta(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z", max_length=36)
]
Filled = Annotated[str, Meta(min_length=1, max_length=512, pattern=r"^[^\x00]*\Z")]
NOTHING = msgspec.Raw(b"")
NULL = b"null"
BEARER = "Bearer"
SIGN = 256
"""So many bytes of a part are looked for."""
WORTH_SKIPPING = 1024
"""Prefetch of this size and more is checked once, however often it comes."""


class Authorization(Struct, frozen=True):
    """The right to read from the FHIR server. Used for this call; never kept, never logged."""

    access_token: Filled
    token_type: str = BEARER
    expires_in: int | None = None
    scope: str = ""
    subject: str = ""
    patient: str = ""

    def __repr__(self) -> str:
        return "Authorization(...)"

    @property
    def usable(self) -> bool:
        """Is it a bearer token that has not expired already?"""
        ended = self.expires_in is not None and self.expires_in <= 0
        return self.token_type.lower() == BEARER.lower() and not ended


class Context(Struct, frozen=True):
    """What the user is looking at. Fields that other hooks have are ignored."""

    userId: Filled  # noqa: N815  (names of the standard)
    patientId: Id  # noqa: N815
    encounterId: Id | msgspec.UnsetType = msgspec.UNSET  # noqa: N815
    selections: tuple[str, ...] = ()
    draftOrders: msgspec.Raw = NOTHING  # noqa: N815


class Call(Struct, frozen=True):
    """One call of a service."""

    hook: Filled
    hookInstance: Uuid  # noqa: N815
    context: Context
    prefetch: msgspec.Raw = NOTHING
    fhirServer: str = ""  # noqa: N815
    fhirAuthorization: Authorization | None = None  # noqa: N815


class RefusedCallError(Exception):
    """The call cannot be answered; `status` and `issues` say why."""

    def __init__(self, status: int, issues: list[Issue]) -> None:
        super().__init__(issues[0].text if issues else "")
        self.status = status
        self.issues = issues

    @property
    def body(self) -> bytes:
        """The OperationOutcome."""
        return msgspec.json.encode(outcome(self.issues))


def refused(status: int, text: str, *, code: str = "invalid", path: str = "$") -> RefusedCallError:
    """A refusal with one reason."""
    return RefusedCallError(status, [Issue("error", code, text, path)])


_decode = msgspec.json.Decoder(Call).decode


def decode_call(data: bytes, hooks: tuple[str, ...]) -> Call:
    """The call in a request body. Its prefetch is not yet known to be strict JSON.

    Raises:
        RefusedCallError: with status 400 and every issue in the call itself.
    """
    try:
        call = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _judged(data, str(error)) from error
    if call.hook not in hooks:
        text = f"This service answers on {' and '.join(hooks)}, not on {call.hook!r}."
        raise refused(400, text, code="not-supported", path="CDSHooksRequest.hook")
    if call.fhirAuthorization is not None and not call.fhirServer:
        raise _judged(data, "fhirAuthorization without fhirServer")
    if call.hook != "patient-view" and not bytes(call.context.draftOrders):
        raise _judged(data, "draftOrders is missing")
    return call


def _judged(data: bytes, fallback: str) -> RefusedCallError:
    """Why a call is refused: the errors of the judge, else what the decoder said."""
    own = [i for i in judge(data, "request") if refuses([i]) and not OF_PREFETCH.search(i.path)]
    return RefusedCallError(400, own) if own else refused(400, fallback)


OF_PREFETCH = re.compile(r"^CDSHooksRequest\.prefetch\[")
"""What one prefetch key holds never refuses a call: the key did not come, and is fetched."""


def strict(data: bytes, known_prefetch: bytes = b"") -> None:
    """Refuse ambiguous, oversized or too deep JSON.

    Args:
        data: the body.
        known_prefetch: the part of it that was checked before, byte for byte.

    Raises:
        RefusedCallError: with status 400.
    """
    rest = _without(data, known_prefetch) if len(known_prefetch) >= WORTH_SKIPPING else data
    try:
        check(text_of(rest))
    except RefusedJsonError as error:
        raise refused(400, f"This is not JSON that can be used: {error}") from error


def _without(data: bytes, part: bytes) -> bytes:
    """The body with a part of it replaced by null; found by its beginning, which is quick."""
    start = data.find(part[:SIGN])
    end = start + len(part)
    if start < 0 or data[start:end] != part:
        return data
    return data[:start] + NULL + data[end:]


# -- feedback --------------------------------------------------------------------------------------


class Accepted(Struct, frozen=True):
    """A suggestion that was taken."""

    id: Filled


class Reason(Struct, frozen=True):
    """A coded reason for an override."""

    code: Filled
    system: str = ""
    display: str = ""


class Override(Struct, frozen=True, rename="camel"):
    """Why a card was overridden: a code, words, or both."""

    reason: Reason | None = None
    user_comment: str = ""


class Item(Struct, frozen=True, rename="camel"):
    """What became of one card."""

    card: Filled
    outcome: Filled
    outcome_timestamp: Filled
    accepted_suggestions: tuple[Accepted, ...] = ()
    override_reason: Override | None = None


class Feedback(Struct, frozen=True):
    """A feedback call."""

    feedback: Annotated[tuple[Item, ...], Meta(min_length=1)] = field()


_decode_feedback = msgspec.json.Decoder(Feedback).decode
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


def decode_feedback(data: bytes) -> tuple[Item, ...]:
    """The items of a feedback call.

    Raises:
        RefusedCallError: with status 400 and every issue.
    """
    strict(data)
    try:
        found = _decode_feedback(data).feedback
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise refused(400, str(error), path="feedback") from error
    issues = [
        Issue("error", "invalid", text, f"feedback[{number}]")
        for number, item in enumerate(found)
        for text in _faults(item)
    ]
    if issues:
        raise RefusedCallError(400, issues)
    return found


def _is_instant(text: str) -> bool:
    """Is it a time with an offset, of a day and an hour that there are?"""
    try:
        return INSTANT.fullmatch(text) is not None and not moment(text)[1]
    except BadTimeError:
        return False


def _faults(item: Item) -> list[str]:
    reason = item.override_reason
    found: dict[str, Any] = {
        "outcome is accepted or overridden": item.outcome in ("accepted", "overridden"),
        "outcomeTimestamp is a time with an offset": _is_instant(item.outcome_timestamp),
        "acceptedSuggestions names what was accepted": item.outcome != "accepted"
        or item.accepted_suggestions,
        "overrideReason holds a reason or a comment": reason is None
        or reason.reason is not None
        or reason.user_comment,
    }
    return [f"Expected: {text}." for text, holds in found.items() if not holds]
