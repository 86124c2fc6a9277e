"""What every part of the interactive chart shares: colors, sizes, axes, and a mark as a row."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from redcell.outputs.chart import day_text
from redcell.outputs.chart.data import Mark

Json = dict[str, Any]
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
BLOOD, HB, INK, SOFT = "var(--rc-blood)", "var(--rc-hb)", "var(--ink)", "var(--soft)"
DRUG, RAY, PAPER = "var(--rc-drug)", "var(--rc-ray)", "var(--paper)"
OTHER = "var(--near)"
HEIGHT, LANE, EXTRA = 260, 24, 78
WIDTH = "$width"
"""Filled by the script: as wide as the page allows."""
TICKS = 8
AXIS = 150
"""Pixels left of every part, so that times stand beneath each other."""


def ms(when: datetime) -> int:
    """Milliseconds since 1970, as Vega counts time."""
    return int(when.timestamp() * 1000)


def time_scale(domain: list[int]) -> Json:
    """The way across: one scale for every part, without labels."""
    return {
        "type": "temporal",
        "scale": {"type": "utc", "domain": domain, "nice": False},
        "axis": {
            "labels": False,
            "ticks": False,
            "title": None,
            "grid": True,
            "domain": False,
            "tickCount": TICKS,
        },
    }


def time_axis() -> Json:
    """The days under the last part."""
    return {
        "title": None,
        "format": "%-d %b",
        "grid": True,
        "labelOverlap": True,
        "tickCount": TICKS,
    }


def left(title: str | None, height: int, **more: Any) -> Json:
    """The axis on the left, its title lying beside the middle of the labels."""
    lying = {"titleAngle": 0, "titleAlign": "right", "titleX": -38, "titleY": height / 2}
    return {"title": title, "minExtent": AXIS, "maxExtent": AXIS, **lying, **more}


def row_of(m: Mark, link: str) -> Json:
    """A mark as a row of data, with what is said of it and where it leads."""
    start, end = day_text(m.start), day_text(m.end)
    span = start if start == end else f"{start} to {'now' if m.open_end else end}"
    note = f"; {m.note}" if m.note else ""
    what = m.lane if m.kind != "hemoglobin" else "hemoglobin"
    return {
        "kind": m.kind,
        "t": ms(m.start),
        "end": max(ms(m.end), ms(m.start) + 1),
        "text": m.text,
        "tip": f"{what}: {m.text}, {span}{note}",
        "href": f"{link}{m.reference}" if link and "/" in m.reference else None,
    }
