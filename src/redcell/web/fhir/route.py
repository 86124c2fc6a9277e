"""The class of every FHIR route: JSON only, and each error an OperationOutcome."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from fastapi import Request, Response
from fastapi.routing import APIRoute
from msgspec.structs import replace

from redcell.sources.json_place import RESOURCE
from redcell.web.fhir.body import JSON_TYPES, media_type
from redcell.web.fhir.outcome import FhirError, Issue, outcome, plain
from redcell.web.fhir.respond import answer

KIND = re.compile(r"[A-Z][A-Za-z]{1,63}")
ANY = frozenset({"*/*", "application/*", "*", ""})
FAULT = Issue("exception", "redcell failed; the service's log says where.")


class FhirRoute(APIRoute):
    """A route whose errors are OperationOutcomes."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with its errors turned into answers."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                require_json(request)
                return await handle(request)
            except Exception as error:
                answered = failed(request, error)
                forget(error)
                return answered

        return handler


def forget(error: BaseException | None) -> None:
    """Let go of the frames that an answered error still names: they hold the whole request.

    A future and its callbacks hold each other and the error until the collector comes, which is
    rarely: without this the bodies of many refused requests stay in memory together.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def failed(request: Request, error: Exception) -> Response:
    """The answer for an error; a fault is logged by its kind and place alone."""
    expected = plain(error)
    if expected is not None:
        issues = [_placed(request, issue) for issue in expected.issues]
        return answer(outcome(issues), expected.status, expected.headers)
    name = getattr(request.scope.get("route"), "name", "")
    structlog.get_logger("redcell.fhir").error("fhir-failed", route=name, exc_info=error)
    return answer(outcome([FAULT]), 500)


def _placed(request: Request, issue: Issue) -> Issue:
    """An issue with a path: that of the type in the address, where nothing nearer is known."""
    if issue.expression:
        return issue
    kind = str(request.path_params.get("kind", ""))
    return replace(issue, expression=kind if KIND.fullmatch(kind) else RESOURCE)


def require_json(request: Request) -> None:
    """Refuse a request that wants something other than JSON.

    Raises:
        FhirError: 406.
    """
    wanted = request.query_params.get("_format")
    if wanted is not None and wanted != "":
        if wanted != "json" and media_type(wanted.replace(" ", "+")) not in JSON_TYPES:
            raise FhirError(406, "not-supported", "_format: only json is sent.", "http._format")
        return
    sent = ",".join(request.headers.getlist("accept"))
    types = {media_type(part) for part in sent.split(",") if "q=0" not in _quality(part)}
    if not types & (JSON_TYPES | ANY):
        raise FhirError(
            406, "not-supported", "Accept: only application/fhir+json is sent.", "http.Accept"
        )


def _quality(part: str) -> str:
    found = part.replace(" ", "").partition(";q=")[2].partition(";")[0]
    return "q=0" if found and not found.strip("0.") else ""
