"""The service's log: one JSON object on each line of standard error, without personal data.

Only fields that are named here are written: ids, counts, codes and names of parts. A field of any
other name is left out and its name is told, so that a name, a birth date, free text or a token can
not slip in with a new message. Exceptions are told by their type and by where they were raised,
because their texts may quote what was in the data.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, TextIO

import structlog

from redcell import clock

FIELDS = frozenset(
    {
        "actor",
        "address",
        "admin",
        "assessment",
        "attempts",
        "code",
        "count",
        "destination",
        "entries",
        "error",
        "event",
        "feed",
        "form",
        "head",
        "job",
        "key",
        "kind",
        "level",
        "logger",
        "method",
        "mllp",
        "outcome",
        "person",
        "port",
        "process",
        "raised",
        "route",
        "seconds",
        "status",
        "version",
        "worker",
        "workers",
    }
)
"""What a line may hold besides its time."""
LONGEST = 200
DEEPEST = 6
"""Places of an exception that are told, the innermost last."""

Fields = MutableMapping[str, Any]
_PASSED = frozenset({"uvicorn.error", "uvicorn", "alembic.runtime.migration"})
"""Loggers of libraries whose messages are fixed words."""


def configure(level: str = "info", out: TextIO | None = None) -> None:
    """Send every message of this process, and those of libraries, through the rules above."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, _exception, _only_known, _timed, _json],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(out or sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Library()]
    root.setLevel(max(number, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        one = logging.getLogger(name)
        one.handlers.clear()
        one.propagate = name != "uvicorn.access"  # its lines hold addresses with searched words
        one.setLevel(logging.WARNING)


def places(trace: TracebackType | None) -> list[str]:
    """Where an exception came from: module and line, nothing of what was there."""
    frames = traceback.extract_tb(trace)[-DEEPEST:]
    return [f"{_module(frame.filename)}:{frame.lineno}" for frame in frames]


def _module(path: str) -> str:
    parts = path.replace("\\", "/").split("/")
    for top in ("redcell", "site-packages"):
        if top in parts:
            return "/".join(parts[len(parts) - 1 - parts[::-1].index(top) :])
    return parts[-1]


def _exception(_logger: object, _method: str, fields: Fields) -> Fields:
    found = fields.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()[1]
    if isinstance(found, tuple):
        found = found[1]
    if isinstance(found, BaseException):
        fields["error"] = type(found).__name__
        fields["raised"] = places(found.__traceback__)
    return fields


def _only_known(_logger: object, _method: str, fields: Fields) -> Fields:
    known: dict[str, Any] = {name: _plain(v) for name, v in fields.items() if name in FIELDS}
    left_out = sorted(fields.keys() - known.keys())
    if left_out:
        known["left_out"] = left_out
    return known


def _plain(value: object) -> object:
    if isinstance(value, (int, float, bool)) or value is None:
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return str(value)[:LONGEST]


def _timed(_logger: object, _method: str, fields: Fields) -> Fields:
    return {"time": clock.iso(clock.now()), **fields}


_json = structlog.processors.JSONRenderer()


class _Library(logging.Handler):
    """Messages of libraries: which one, how grave and where; its words only if they are fixed."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        event = "library"
        if record.name in _PASSED and not record.args and not record.exc_info:
            event = record.getMessage()
        _levels(structlog.get_logger())[record.levelno // 10](event[:LONGEST], **fields)


def _levels(log: Any) -> Mapping[int, Any]:
    return {1: log.debug, 2: log.info, 3: log.warning, 4: log.error, 5: log.error}
