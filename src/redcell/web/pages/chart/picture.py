"""The interactive chart: plain data in, a Vega-Lite specification out. The same rows as the table.

Colors are named as CSS variables (`var(--rc-hb)`); the page's script puts in what the reader's
theme has. Shapes, lines and words carry the meaning; a forecast is a band without dots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from redcell.outputs.chart import ChartData, day_text
from redcell.outputs.chart.data import Mark, Ribbon, tenths
from redcell.record.measured import Measured
from redcell.web.pages.chart.axes import (
    BLOOD,
    EXTRA,
    HB,
    HEIGHT,
    INK,
    OTHER,
    PAPER,
    SCHEMA,
    SOFT,
    WIDTH,
    Json,
    left,
    ms,
    row_of,
    time_axis,
    time_scale,
)
from redcell.web.pages.chart.lanes import lanes


def spec(
    data: ChartData,
    *,
    link: str = "",
    extras: Sequence[tuple[str, Sequence[Measured]]] = (),
    changed: Sequence[Ribbon] = (),
) -> Json:
    """The chart as a Vega-Lite specification.

    Args:
        data: from `outputs.chart.chart_data`.
        link: begins the address of a source; a click on a mark opens it.
        extras: further courses by name, each in a part of its own.
        changed: the band of a what-if, beside the planned one.
    """
    domain = [ms(data.since), ms(_until(data, changed))]
    parts = [_counts(data, domain, link, changed)]
    parts += [_extra(name, rows, data, domain, link) for name, rows in extras]
    below = lanes(data, domain, link)
    parts += [below] if below else []
    parts[-1]["encoding"]["x"]["axis"] = time_axis()
    return {
        "$schema": SCHEMA,
        "vconcat": parts,
        "spacing": 6,
        "bounds": "flush",
        "background": None,
        "config": _config(),
    }


def _until(data: ChartData, changed: Sequence[Ribbon]) -> datetime:
    ends = [data.at, *(r.day for r in data.ribbon), *(r.day for r in changed)]
    ends += [m.start for m in data.of("due")]
    last = max(ends)
    return last + (last - data.since) * 0.02


def _config() -> Json:
    return {
        "view": {"stroke": None},
        "font": "Source Sans 3, Segoe UI, Arial, sans-serif",
        "aria": False,
        "axis": {
            "labelColor": SOFT,
            "titleColor": SOFT,
            "gridColor": "var(--rule)",
            "domainColor": "var(--line)",
            "tickColor": "var(--line)",
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": 600,
        },
        "text": {"color": INK, "fontSize": 12},
    }


# -- hemoglobin -----------------------------------------------------------------------------------


def _counts(data: ChartData, domain: list[int], link: str, changed: Sequence[Ribbon]) -> Json:
    low, high = _range(data, changed)
    layers = [*_bands(data.ribbon, HB, 0.13), *_bands(changed, OTHER, 0.0)]
    layers += [*_limits(data, domain), *_given(data, low, high), *_now(data, low, high)]
    layers += [*_fitted(data, low, high), *_points(data, link)]
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "layer": layers,
        "encoding": {
            "x": time_scale(domain),
            "y": {
                "type": "quantitative",
                "scale": {"domain": [low, high], "nice": False, "zero": False},
                "axis": left("g/dL", HEIGHT, values=list(range(low, high + 1))),
            },
        },
    }


def _range(data: ChartData, changed: Sequence[Ribbon]) -> tuple[int, int]:
    values = [m.value for m in data.of("hemoglobin", "limit") if m.value is not None]
    values += [edge for r in (*data.ribbon, *changed) for edge in (r.q05, r.q95)]
    return int(min(values, default=6) - 0.6), int(max(values, default=13) + 1.5)


def _bands(ribbon: Sequence[Ribbon], color: str, fill: float) -> Iterator[Json]:
    if not ribbon:
        return
    rows = [
        {"t": ms(r.day), "q05": r.q05, "q25": r.q25, "q50": r.q50, "q75": r.q75, "q95": r.q95}
        | {"tip": f"forecast {day_text(r.day)}: {r.q50:.1f} ({r.q05:.1f} to {r.q95:.1f}), not data"}
        for r in ribbon
    ]
    outline = {"stroke": color, "strokeDash": [3, 3], "strokeWidth": 1.4} if not fill else {}
    bands = (("q05", "q95", 1.0), ("q25", "q75", 2.0))
    for low, high, weight in bands if fill else bands[:1]:
        yield {
            "data": {"values": rows},
            "mark": {
                "type": "area", "color": color, "fillOpacity": fill * weight,
                "interpolate": "monotone", **outline,
            },
            "encoding": {"x": {"field": "t"}, "y": {"field": low}, "y2": {"field": high}},
        }  # fmt: skip
    yield {
        "data": {"values": rows},
        "mark": {"type": "line", "color": color, "strokeDash": [5, 4], "strokeWidth": 1.8},
        "encoding": {"x": {"field": "t"}, "y": {"field": "q50"}},
    }
    yield {
        "data": {"values": rows},
        "mark": {"type": "bar", "opacity": 0, "width": 8, "tooltip": True},
        "encoding": {
            "x": {"field": "t"}, "y": {"field": "q05"}, "y2": {"field": "q95"},
            "tooltip": {"field": "tip"},
        },
    }  # fmt: skip


def _limits(data: ChartData, domain: list[int]) -> Iterator[Json]:
    rows = [
        {"v": m.value, "text": f"{tenths(m.value)} {m.lane}", "first": n == 0}
        | {"t": domain[0], "end": domain[1]}
        for n, m in enumerate(data.of("limit"))
        if m.value is not None
    ]
    yield {
        "data": {"values": rows},
        "mark": {"type": "rule", "color": SOFT, "strokeWidth": 1.2},
        "encoding": {
            "x": {"field": "t"},
            "x2": {"field": "end"},
            "y": {"field": "v"},
            "strokeDash": {
                "field": "first",
                "type": "nominal",
                "scale": {"domain": [True, False], "range": [[9, 4], [2, 4]]},
                "legend": None,
            },
        },
    }
    yield {
        "data": {"values": rows},
        "mark": {"type": "text", "align": "left", "dx": 6, "baseline": "middle", "color": SOFT},
        "encoding": {
            "x": {"field": "end"},
            "y": {"field": "v"},
            "text": {"field": "text", "type": "nominal"},
        },
    }


def _given(data: ChartData, low: int, high: int) -> Iterator[Json]:
    rows = [{"t": ms(m.start), "low": low, "high": high} for m in data.of("transfusion")]
    if rows:
        yield {
            "data": {"values": rows},
            "mark": {"type": "rule", "color": BLOOD, "strokeDash": [1, 4]},
            "encoding": {"x": {"field": "t"}, "y": {"field": "low"}, "y2": {"field": "high"}},
        }


def _now(data: ChartData, low: int, high: int) -> Iterator[Json]:
    rows = [{"t": ms(data.at), "text": f"assessed {day_text(data.at).rsplit(' ', 1)[0]}"}]
    rows = [row | {"low": low, "high": high} for row in rows]
    yield {
        "data": {"values": rows},
        "mark": {"type": "rule", "color": INK, "strokeWidth": 1.2},
        "encoding": {"x": {"field": "t"}, "y": {"field": "low"}, "y2": {"field": "high"}},
    }
    text = {"type": "text", "baseline": "top", "fontSize": 11.5}
    yield {
        "data": {"values": rows},
        "mark": {**text, "align": "right", "dx": -5},
        "encoding": {"x": {"field": "t"}, "y": {"field": "high"}, "text": {"field": "text"}},
    }
    if data.ribbon:
        yield {
            "data": {"values": [rows[0] | {"text": "forecast, not data"}]},
            "mark": {**text, "align": "left", "dx": 5, "fontStyle": "italic", "color": HB},
            "encoding": {"x": {"field": "t"}, "y": {"field": "high"}, "text": {"field": "text"}},
        }


def _fitted(data: ChartData, low: int, high: int) -> Iterator[Json]:
    rows = [{"t": ms(w), "v": min(max(v, low), high)} for w, v in data.fitted]
    if rows:
        yield {
            "data": {"values": rows},
            "mark": {"type": "line", "color": HB, "opacity": 0.4, "strokeWidth": 1.2},
            "encoding": {"x": {"field": "t"}, "y": {"field": "v"}},
        }


def _points(data: ChartData, link: str) -> Iterator[Json]:
    rows = [row_of(m, link) | {"v": m.value, "look": _look(m)} for m in data.of("hemoglobin")]
    used = [row for row in rows if row["look"] != "held"]
    yield {
        "data": {"values": used},
        "mark": {"type": "line", "color": HB, "strokeWidth": 1.8},
        "encoding": {"x": {"field": "t"}, "y": {"field": "v"}},
    }
    yield {
        "data": {"values": rows},
        "mark": {"type": "point", "filled": True, "opacity": 1, "stroke": HB, "tooltip": True},
        "encoding": {
            "x": {"field": "t"},
            "y": {"field": "v"},
            "shape": {
                "field": "look", "type": "nominal", "legend": None,
                "scale": {"domain": LOOKS, "range": ["circle", "diamond", "M-1,-1L1,1M1,-1L-1,1"]},
            },
            "fill": {
                "field": "look", "type": "nominal", "legend": None,
                "scale": {"domain": LOOKS, "range": [HB, PAPER, PAPER]},
            },
            "size": {
                "field": "look", "type": "nominal", "legend": None,
                "scale": {"domain": LOOKS, "range": [62, 90, 80]},
            },
            "tooltip": {"field": "tip"},
            "href": {"field": "href", "type": "nominal"},
        },
    }  # fmt: skip
    if used:
        yield {
            "data": {"values": [used[-1] | {"text": tenths(used[-1]["v"])}]},
            "mark": {"type": "text", "align": "right", "dx": -9, "dy": 1, "fontSize": 16,
                     "fontWeight": 700},
            "encoding": {"x": {"field": "t"}, "y": {"field": "v"}, "text": {"field": "text"}},
        }  # fmt: skip


LOOKS = ["count", "preliminary", "held"]


def _look(mark: Mark) -> str:
    if mark.struck:
        return "held"
    return "preliminary" if mark.note.startswith("preliminary") else "count"


# -- further courses ------------------------------------------------------------------------------


def _extra(
    name: str, found: Sequence[Measured], data: ChartData, domain: list[int], link: str
) -> Json:
    rows = [
        {
            "t": ms(m.time.time),
            "v": m.value,
            "tip": f"{name}: {m.comparator}{m.value:g}, {day_text(m.time.time)}",
            "href": f"{link}{m.reference}" if link else None,
        }
        for m in found
        if data.since <= m.time.time <= data.at
    ]
    return {
        "width": WIDTH,
        "height": EXTRA,
        "data": {"values": rows},
        "layer": [
            {"mark": {"type": "line", "color": OTHER, "strokeWidth": 1.4}},
            {
                "mark": {"type": "point", "filled": True, "size": 40, "color": OTHER,
                         "opacity": 1, "tooltip": True},
                "encoding": {
                    "tooltip": {"field": "tip"}, "href": {"field": "href", "type": "nominal"},
                },
            },
        ],
        "encoding": {
            "x": {"field": "t", **time_scale(domain)},
            "y": {
                "field": "v", "type": "quantitative", "scale": {"zero": False, "nice": True},
                "axis": left(name, EXTRA, tickCount=3),
            },
        },
    }  # fmt: skip
