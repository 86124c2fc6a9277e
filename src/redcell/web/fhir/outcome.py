"""Errors as OperationOutcomes: a code, a sentence, and where the problem stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from redcell.clinic.resources import MALFORMED
from redcell.clinic.versions import RefusedResourceError
from redcell.errors import StoreError
from redcell.store.database import StoreBusyError, UnfitError
from redcell.store.writer import OverloadedError

Json = dict[str, Any]
RETRY_SECONDS, LATER_SECONDS = "2", "30"


class Issue(Struct, frozen=True):
    """One issue of an OperationOutcome. `code` is of FHIR's IssueType."""

    code: str
    text: str
    expression: str = ""
    severity: str = "error"

    @property
    def json(self) -> Json:
        """As FHIR has it."""
        found: Json = {
            "severity": self.severity,
            "code": self.code,
            "diagnostics": self.text,
        }
        return found | ({"expression": [self.expression]} if self.expression else {})


class FhirError(Exception):
    """An answer that is an OperationOutcome."""

    def __init__(
        self,
        status: int,
        code: str,
        text: str,
        expression: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(text)
        self.status, self.headers = status, dict(headers or {})
        self.issues: tuple[Issue, ...] = (Issue(code, text, expression),)


def outcome(issues: Sequence[Issue]) -> Json:
    """An OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": [issue.json for issue in issues]}


def unknown(kind: str, rid: str) -> FhirError:
    """The answer for what is not there, and for what is not to be seen: one and the same."""
    return FhirError(404, "not-found", f"{kind}/{rid[:64]} is not known.")


def refused(error: RefusedResourceError, place: str = "") -> FhirError:
    """The answer for a payload that cannot be kept."""
    status = 400 if error.code == MALFORMED else 422
    return FhirError(status, error.code, error.text, within(place, error.path))


def within(place: str, path: str) -> str:
    """The path of a problem inside an entry of a Bundle: the resource's type gives way."""
    if not place:
        return path
    _, dot, rest = path.partition(".")
    return f"{place}.{rest}" if dot else place


def plain(error: Exception) -> FhirError | None:
    """The answer for an error that is expected; `None` for a fault."""
    match error:
        case FhirError():
            return error
        case RefusedResourceError():
            return refused(error)
        case StoreBusyError() | OverloadedError():
            return FhirError(503, "transient", str(error), headers={"Retry-After": RETRY_SECONDS})
        case UnfitError():
            return FhirError(422, "value", str(error))
        case StoreError():
            text = "the store cannot be used now."
            return FhirError(503, "transient", text, headers={"Retry-After": LATER_SECONDS})
        case ClientDisconnect():
            return FhirError(400, "incomplete", "the sender left before the whole body was here.")
        case HTTPException():
            code = _CODES.get(error.status_code, "processing")
            return FhirError(error.status_code, code, str(error.detail), headers=error.headers)
    return None


_CODES = {
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    413: "too-long",
    429: "throttled",
}
