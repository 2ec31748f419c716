"""Pictures of the HTML report as SVG text, to be placed inline.

Belongs here: drawing rows of numbers. Must not be here: SQL (`published`), which rows are drawn, HTML (`trend_report`).

The charts are Vega-Lite, rendered offline by vl-convert. Their specifications are written as plain dictionaries:
altair would make the same JSON, but importing it takes 2.1 s, more than the whole report (vl-convert: 0.02 s, its
first chart 1.0 s, each further one under 0.1 s). A sparkline is drawn by hand: it is one path, and eight of them
through Vega-Lite would take as long as all charts.

Colours are CSS variables of the page, so that one picture serves light and dark. Labels stand above their marks, not
beside them: on a phone there is no room for both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from services.text_safety import visible_line
from warehouse import machine

Values = Sequence[dict[str, Any]]
Layer = dict[str, Any]

# Drawn at the width of a phone; the page scales it up.
WIDTH = 340
ROW_HEIGHT = 36
LABEL_CHARACTERS = 48
SPARK_WIDTH, SPARK_HEIGHT = 96, 40

ACCENT, OTHER, SOFT, INK, MUTED, LINE = (
    f"var(--{name})" for name in ("accent", "other", "soft", "ink", "muted", "line")
)
_CONFIG: dict[str, Any] = {
    "background": "transparent",
    # Said once for the whole picture: the numbers stand beside it as text.
    "aria": False,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED, "titleColor": MUTED, "gridColor": LINE, "domain": False, "ticks": False,
        "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "labelPadding": 4,
    },
    "text": {"color": INK, "fontSize": 12},
    "rule": {"color": INK},
}  # fmt: skip
# Where none can be drawn: the numbers stand beside it.
NO_CHART = (
    "<p class=muted>No chart: this shell bounds the addresses of a process, and drawing reserves more."
    " <code>ulimit -v unlimited</code> brings it back.</p>"
)
# An SVG inside HTML needs neither names of XML namespaces nor a size in pixels.
_SVG_HEAD = re.compile(r'<svg [^>]*?class="marks" width="[\d.]+" height="[\d.]+" viewBox="([^"]+)">')


def range_chart(values: Values, axis_title: str) -> str:
    """A range with its middle per row.

    Args:
        values: `label`, `low`, `middle`, `high` of each row, in display order.
        axis_title: What the axis counts; trusted text.
    """
    x = {"type": "quantitative", "title": axis_title, "axis": {"format": "~s", "tickCount": 5}}
    layers: list[Layer] = [
        {
            "mark": {"type": "bar", "height": 9, "yOffset": 8, "color": SOFT, "cornerRadius": 4},
            "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}},
        },
        {
            "mark": {"type": "tick", "thickness": 4, "size": 17, "yOffset": 8, "color": ACCENT},
            "encoding": {"x": {"field": "middle", **x}},
        },
    ]
    return _rows(values, layers, axis_title)


def bar_chart(values: Values, axis_title: str, axis_format: str, limit: float | None = None) -> str:
    """A bar per row, an optional tick for what is expected, and an optional line for a limit.

    Args:
        values: `label`, `value`, `is_ours` (colour) and, where known, `expected` of each row, in display order.
        axis_title: What the axis counts; trusted text.
        axis_format: Number format of d3.
        limit: Where the line stands.
    """
    x = {"type": "quantitative", "title": axis_title, "axis": {"format": axis_format, "tickCount": 5}}
    layers: list[Layer] = [
        {
            "mark": {"type": "bar", "height": 9, "yOffset": 8, "cornerRadius": 3},
            "encoding": {
                # Stacked bars with round corners are clipped, by paths numbered through all charts of a process.
                "x": {"field": "value", "stack": None, **x},
                "color": {"condition": {"test": "datum.is_ours", "value": ACCENT}, "value": OTHER},
            },
        }
    ]
    if any(value.get("expected") is not None for value in values):
        layers.append(
            {
                "mark": {"type": "tick", "thickness": 3, "size": 17, "yOffset": 8, "color": INK},
                "encoding": {"x": {"field": "expected", **x}},
            }
        )
    return _rows(values, layers, axis_title, [_line_at(limit, "quantitative")] if limit is not None else [])


def time_chart(values: Values, today: date, first: date, last: date) -> str:
    """Spans of days, one per row, with a line at today.

    Args:
        values: `label`, `start`, `end` (dates, cut to the axis) of each row, `is_ours` (colour) and, where there is
            one, a span `soft_start` to `soft_end` of what is only expected.
        today: Where the line stands.
        first: First day of the axis.
        last: Last day of the axis.
    """

    def day(value: date | None) -> str | None:
        # At noon, so that no time zone of a renderer can move it to another day.
        return None if value is None else f"{min(max(value, first), last).isoformat()}T12:00:00Z"

    rows = [
        {
            **value,
            **{name: day(value.get(name)) for name in ("start", "end", "soft_start", "soft_end")},
            # Where a span is cut off there is no dot: it does not begin or end there.
            **{f"{name}_dot": day(value[name]) if first <= value[name] <= last else None for name in ("start", "end")},
        }
        for value in values
    ]
    x = {
        "type": "temporal", "title": None, "axis": {"format": "%-d %b", "tickCount": 5},
        "scale": {"type": "utc", "domain": [day(first), day(last)]},
    }  # fmt: skip
    layers: list[Layer] = []
    if any(row["soft_start"] for row in rows):
        layers.append(
            {
                "transform": [{"filter": "datum.soft_start != null"}],
                "mark": {"type": "bar", "height": 9, "yOffset": 8, "color": SOFT, "cornerRadius": 4},
                "encoding": {"x": {"field": "soft_start", **x}, "x2": {"field": "soft_end"}},
            }
        )
    colour = {"condition": {"test": "datum.is_ours", "value": ACCENT}, "value": OTHER}
    layers += [
        {
            "mark": {"type": "rule", "strokeWidth": 3, "yOffset": 8},
            "encoding": {"x": {"field": "start", **x}, "x2": {"field": "end"}, "color": colour},
        },
        *(
            {
                "transform": [{"filter": f"datum.{name} != null"}],
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1, "yOffset": 8},
                "encoding": {"x": {"field": name, **x}, "color": colour},
            }
            for name in ("start_dot", "end_dot")
        ),
    ]
    return _rows(rows, layers, "days from left to right", [_line_at(day(today), "temporal")])


def sparkline(values: Sequence[float], label: str) -> str:
    """A line of values from left to right, from zero to their highest, with a dot at the last one.

    Args:
        values: Two or more numbers, oldest first.
        label: What a screen reader says; trusted text.
    """
    top = max(*values, 1e-9)
    step = (SPARK_WIDTH - 8) / (len(values) - 1)
    points = [(4 + place * step, SPARK_HEIGHT - 4 - (SPARK_HEIGHT - 8) * v / top) for place, v in enumerate(values)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    return (
        f'<svg class="spark" viewBox="0 0 {SPARK_WIDTH} {SPARK_HEIGHT}" role="img" aria-label="{label}">'
        f'<polyline points="{path}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="3"/></svg>'
    )


def _line_at(position: float | str | None, kind: str) -> Layer:
    return {
        "data": {"values": [{"at": position}]},
        "mark": {"type": "rule", "strokeDash": [3, 3], "color": MUTED},
        "encoding": {"x": {"field": "at", "type": kind}},
    }


def _rows(values: Values, layers: list[Layer], about: str, lines: Sequence[Layer] = ()) -> str:
    """Layers over one band per row, the row's label above its marks; `about` is trusted text for a screen reader."""
    if not machine.can_draw():
        return NO_CHART
    import vl_convert

    rows = [
        {**value, "place": place, "label": visible_line(value["label"], LABEL_CHARACTERS)}
        for place, value in enumerate(values)
    ]
    place = {"field": "place", "type": "ordinal", "axis": None}
    label = {
        "mark": {"type": "text", "align": "left", "baseline": "middle", "yOffset": -8},
        "encoding": {"x": {"value": 0}, "text": {"field": "label"}},
    }
    layered = [{**layer, "encoding": {**layer["encoding"], "y": place}} for layer in (*layers, label)]
    spec = {
        "data": {"values": rows},
        "width": WIDTH,
        "height": {"step": ROW_HEIGHT},
        "padding": 4,
        "layer": [*lines, *layered],
    }
    # No base URL is allowed: whatever a specification said, nothing is fetched.
    svg = vl_convert.vegalite_to_svg(spec, config=_CONFIG, allowed_base_urls=[])
    return _SVG_HEAD.sub(rf'<svg class="chart" viewBox="\1" role="img" aria-label="{about}">', svg, count=1)
