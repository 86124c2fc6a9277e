"""A page of a chart: whose it is, its tabs, and the way from a reference to its resource."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from redcell.identity.caller import STAFF
from redcell.web.pages import frame
from redcell.web.pages.chart.seen import Seen
from redcell.web.pages.frame import caller_of, render

TEAM_ONLY = ("messages-of", "chart-audit")
"""Tabs for the care team alone, not for those who opened the chart by break-glass."""


def _tabs(request: Request, person: str) -> list[tuple[str, str, bool]]:
    """The tabs of a chart: words, address, is it this page?"""
    named = (
        ("Overview", "chart"),
        ("Results", "chart-results"),
        ("Treatment", "chart-treatment"),
        ("Symptoms", "chart-symptoms"),
        ("Messages", "messages-of"),
        ("Audit", "chart-audit"),
    )
    found = []
    team = caller_of(request).has(*STAFF)
    for label, route in named:
        if route in frame.route_names(request.app) and (team or route not in TEAM_ONLY):
            href = frame.address(request.app, route, person=person)
            found.append((label, href, request.url.path == href))
    return found


def page(request: Request, seen: Seen, name: str, **context: Any) -> Response:
    """A page of a chart: banner, tabs, and what is shown of whom."""
    shared = {
        "person": seen.person,
        "seen": seen,
        "chart_tabs": _tabs(request, seen.person.id),
        "source_of": _source_of(request, seen.person.id),
        "team": caller_of(request).has(*STAFF),
    }
    return render(request, name, **{**shared, **context})


def _source_of(request: Request, person: str) -> Callable[[str], str]:
    """The address of a stored resource, by its reference."""

    def source_of(reference: str) -> str:
        kind, _, rid = reference.partition("/")
        if not rid:
            return ""
        return frame.address(request.app, "source", person=person, kind=kind, rid=rid)

    return source_of
