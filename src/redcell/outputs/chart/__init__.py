"""The hemoglobin chart: one set of rows, drawn as a picture (SVG) and as its table twin."""

from redcell.outputs.chart.data import ChartData, chart_data, day_text, table
from redcell.outputs.chart.picture import NARROW, WIDE, svg

__all__ = ["NARROW", "WIDE", "ChartData", "chart_data", "day_text", "svg", "table"]
