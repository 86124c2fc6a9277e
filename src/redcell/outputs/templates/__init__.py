"""The templates of the pages and the environment that fills them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

FOLDER = Path(__file__).parent
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line ends, and what turns the direction of text."""


@cache
def environment() -> Environment:
    """Jinja with every value escaped, without control signs, and every missing name an error."""
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=printable,
    )


def printable(value: Any) -> Any:
    """A value as a page or a terminal may get it: signs that steer a terminal are left out."""
    if isinstance(value, str) and not isinstance(value, Markup) and CONTROL.search(value):
        return CONTROL.sub("", value)
    return value
