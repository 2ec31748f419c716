"""The day's chart for messages: what the builds are expected to bring, as PNG.

Belongs here: one picture. Must not be here: SQL (`published`), which videos are worth building (models). The drawing is
Vega-Lite written as a dictionary and rendered offline by vl-convert, as in `report_charts`; a message's picture stands
on Discord's own background, so it has fixed colours instead of a page's.
"""

from __future__ import annotations

from typing import Any

from exports import published
from exports.published import Day
from exports.text import build_list
from warehouse import machine

BARS = 8


def day_chart(day: Day) -> bytes | None:
    """What is still to come of the first builds, with its 80 % range; None where no build has a forecast."""
    rows = [row for row in published.build_list(day) if row["gain_48h_p50"] is not None][:BARS]
    if not rows or not machine.can_draw():
        return None
    import vl_convert

    values = [
        {
            "video": f"{row['place']}. {build_list.name(row, 36)}",
            "p10": row["gain_48h_p10"],
            "p50": row["gain_48h_p50"],
            "p90": row["gain_48h_p90"],
        }
        for row in rows
    ]
    x = {
        "type": "quantitative",
        "title": "Views still to come once it is out (line: 80 % range)",
        "axis": {"format": "~s"},
    }
    spec: dict[str, Any] = {
        "title": f"What to build - {day.as_of_date}",
        "background": "white",
        "width": 420,
        "height": {"step": 28},
        "data": {"values": values},
        "encoding": {
            # In the given order: by name, 10 would stand before 2.
            "y": {"field": "video", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 260}}
        },
        "layer": [
            {"mark": {"type": "bar", "color": "#25a0a0"}, "encoding": {"x": {"field": "p50", **x}}},
            {
                "mark": {"type": "rule", "color": "#222222", "strokeWidth": 2},
                "encoding": {"x": {"field": "p10", **x}, "x2": {"field": "p90"}},
            },
        ],
    }
    # No base URL is allowed: whatever a specification said, nothing is fetched.
    return bytes(vl_convert.vegalite_to_png(spec, scale=2, allowed_base_urls=[]))
