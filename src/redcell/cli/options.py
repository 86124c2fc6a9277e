"""What the commands share: options, exit codes, the clock at the edge of the program."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

EXIT_CODES = """\
\b
Exit codes: 0 done; 2 unreadable source, bad use, or a deceased patient; 3 patient under 18;
4 policy file not valid; 5 several patients, none chosen; 6 --strict and something set aside;
7 no such rule or finding ran; 8 calibration file not valid; 9 store or settings not usable;
10 audit chain broken; 11 cds-validate found an error.
"""


class Command(click.Command):
    r"""A command whose docstring may say `\b` before lines that keep their breaks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.help = kept_lines(self.help)


def kept_lines(text: str | None) -> str | None:
    r"""A raw docstring with its `\b` (lines below are not wrapped) as click wants it."""
    return text.replace(r"\b", "\b") if text else text


def options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The named options, in this order in the help."""
    known = {
        "at": click.option(
            "--at", metavar="TIME", help="Assess as known at this moment (default: now, UTC)."
        ),
        "patient": click.option(
            "--patient", metavar="ID", help="Which patient, when there are several."
        ),
        "policy": click.option(
            "--policy",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="The site's own numbers and settings (TOML), laid over the published ones.",
        ),
        "calibration": click.option(
            "--calibration",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="The site's noise and priors, as redcell calibrate wrote them.",
        ),
        "seed": click.option(
            "--seed", type=int, metavar="N", help="Seed of the forecast (default: from the data)."
        ),
        "workers": click.option(
            "--workers",
            type=click.IntRange(1),
            metavar="N",
            help="Processes (default: one for each core).",
        ),
        "from": click.option(
            "--from", "form", type=click.Choice(("fhir", "omop")), default="fhir", show_default=True
        ),
        "rejected": click.option(
            "--rejected",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Keep rejected input here, one JSON object on each line.",
        ),
        "strict": click.option("--strict", is_flag=True, help="Fail when anything was set aside."),
    }

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            function = known[name](function)
        return function

    return decorate


def now() -> str:
    """The present moment, UTC, to the second."""
    from datetime import UTC, datetime

    return datetime.now(UTC).replace(microsecond=0).isoformat()  # noqa: TID251  (the edge of the program)


def color() -> bool:
    """Does standard output take color?"""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def width() -> int:
    """Columns of the terminal."""
    import shutil

    return shutil.get_terminal_size((96, 24)).columns
