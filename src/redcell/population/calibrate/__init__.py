"""A site's own numbers: noise, priors and the recalibration of P(transfusion), from its series."""

from __future__ import annotations

from redcell.population.calibrate.calibrate import calibrate
from redcell.population.calibrate.people import records
from redcell.population.calibrate.report import Report
from redcell.population.calibrate.write import as_json, as_text, write

__all__ = ["Report", "as_json", "as_text", "calibrate", "records", "write"]
