"""The lanes under the hemoglobin: drugs, radiation, red cells, symptoms, the next count."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from redcell.outputs.chart import ChartData, day_text
from redcell.outputs.chart.data import KIND_NAMES, Mark
from redcell.web.pages.chart.axes import (
    AXIS,
    BLOOD,
    DRUG,
    INK,
    LANE,
    RAY,
    SOFT,
    WIDTH,
    Json,
    left,
    row_of,
    time_scale,
)


def lanes(data: ChartData, domain: list[int], link: str) -> Json | None:
    """One lane for each drug and symptom, and one each for radiation, red cells, the next count."""
    marks = [m for m in data.marks if m.kind not in ("hemoglobin", "limit")]
    if not marks:
        return None
    rows = [_held_in(row_of(m, link), domain) | _lane(m) | {"v": m.value} for m in marks]
    names = list(dict.fromkeys(row["lane"] for row in rows))
    return {
        "width": WIDTH,
        "height": LANE * len(names),
        "layer": list(_lane_layers(rows)),
        "encoding": {
            "x": time_scale(domain),
            "y": {
                "field": "lane",
                "type": "nominal",
                "scale": {"domain": names},
                "axis": left(None, 0, labelLimit=AXIS - 8, ticks=False, grid=True, domain=False),
            },
        },
    }


def _lane_layers(rows: list[Json]) -> Iterator[Json]:
    def layer(kinds: tuple[str, ...], mark: Json, **encoding: Any) -> Iterator[Json]:
        values = [row for row in rows if row["kind"] in kinds]
        if values:
            yield {
                "data": {"values": values},
                "mark": {"tooltip": True, **mark},
                "encoding": {
                    "x": {"field": "t"}, "tooltip": {"field": "tip", "type": "nominal"},
                    "href": {"field": "href", "type": "nominal"}, **encoding,
                },
            }  # fmt: skip

    end = {"x2": {"field": "end"}}
    drug = {"type": "bar", "height": 11, "color": "var(--rc-drug-fill)", "stroke": DRUG}
    ray = {"type": "bar", "height": 11, "color": RAY, "opacity": 0.85}
    yield from layer(("exposure",), drug, **end)
    yield from layer(("dose",), {"type": "tick", "color": DRUG, "thickness": 3, "height": 13})
    yield from layer(("hold",), {"type": "text", "text": "‖", "color": DRUG, "fontSize": 15})
    yield from layer(("radiation",), ray, **end)
    yield from layer(
        ("transfusion",),
        {"type": "point", "shape": "triangle-down", "filled": True, "size": 110, "color": BLOOD},
    )
    words = {"type": "text", "align": "left", "baseline": "middle", "dx": 9}
    beyond = {**words, "dx": 6, "fontSize": 11}
    yield from layer(("transfusion",), {**words, "fontSize": 11}, text={"field": "text"})
    box = {"type": "square", "size": 190, "opacity": 1, "fill": "var(--card)", "stroke": SOFT}
    yield from layer(("symptom",), box)
    grade = {"type": "text", "baseline": "middle", "fontSize": 11, "fontWeight": 650}
    yield from layer(("symptom",), grade, text={"field": "grade"})
    due = {"type": "point", "shape": "diamond", "size": 90, "color": INK, "strokeWidth": 2}
    yield from layer(("radiation",), beyond, x={"field": "end"}, text={"field": "text"})
    yield from layer(("due",), due)
    yield from layer(("due",), {**words, "fontSize": 11}, text={"field": "day"})


def _held_in(row: Json, domain: list[int]) -> Json:
    """A mark that began before the picture, or ends after it, held inside."""
    start, end = domain
    return row | {"t": min(max(row["t"], start), end), "end": min(max(row["end"], start), end)}


def _lane(m: Mark) -> Json:
    named = m.kind in ("radiation", "transfusion", "due")
    lane = KIND_NAMES[m.kind] if named else m.lane
    grade = "?" if m.value is None else f"{m.value:g}"
    return {"lane": lane, "grade": grade, "day": day_text(m.start).rsplit(" ", 1)[0]}
