"""The calibration file, and its report as text or JSON."""

from __future__ import annotations

from pathlib import Path

import msgspec

from redcell.forecasting import Calibration
from redcell.population.calibrate.report import Report
from redcell.population.files import replacing


def write(calibration: Calibration, path: Path) -> None:
    """Write a calibration under its name, whole or not at all.

    Raises:
        RedcellError: the folder is not there or may not be written.
    """
    with replacing(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(calibration), indent=2) + b"\n")


def as_text(report: Report) -> str:
    """The report for people."""
    return "\n".join(report.lines()) + "\n"


def as_json(report: Report) -> bytes:
    """The report for programs."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
