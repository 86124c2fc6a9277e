"""Signs that steer a terminal, or turn text around, reach neither a report nor the store of forms."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

import pytest
from markupsafe import Markup
from starlette.requests import Request

from redcell.outputs.templates import environment
from redcell.web.pages import frame

STEERING = "a\x1b[31mb\x07\x9bc\u202ed\te\nf"
LEFT = "a[31mbcd\te\nf"


@pytest.mark.trust("S8")
def test_a_report_holds_none():
    template = environment().from_string("{{ text }}|{{ safe }}|{{ number }}")
    filled = template.render(text=f"<{STEERING}>", safe=Markup("<b>"), number=7)
    assert filled == f"&lt;{LEFT}&gt;|<b>|7"


@pytest.mark.trust("S8")
def test_a_form_brings_none():
    body = urlencode({"text": STEERING}).encode()

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    kind = (b"content-type", b"application/x-www-form-urlencoded")
    request = Request({"type": "http", "method": "POST", "headers": [kind]}, receive)
    assert asyncio.run(frame._form(request)) == {"text": LEFT}
