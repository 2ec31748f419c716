"""Pictures for the metadata of assets, as Markdown that the UI shows.

Belongs here: drawing a few numbers as SVG, putting a picture into Markdown. Must not be here: which numbers (assets).

Drawn by hand: a bar chart through Vega-Lite takes 50 ms, and 1 s more where it is the first of its process.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import date
from html import escape

import dagster as dg

DAYS_SHOWN = 30
_WIDTH, _HEIGHT, _MARGIN = 640, 150, 24
_COLOURS = ("#25a0a0", "#e58a2e", "#7a5cc4", "#5f6b76", "#c4475c")


def picture(svg: str, about: str) -> dg.MarkdownMetadataValue:
    """An SVG document as an image that needs nothing from anywhere."""
    encoded = base64.b64encode(svg.encode()).decode()
    return dg.MetadataValue.md(f"![{about}](data:image/svg+xml;base64,{encoded})")


def daily_bars(title: str, rows: Sequence[tuple[date, str, int]]) -> dg.MarkdownMetadataValue:
    """Counts per day as bars, stacked by group.

    Args:
        title: What is counted.
        rows: Day, group and count; days without rows have no bar, of many days the last ones are shown.
    """
    days = sorted({day for day, _, _ in rows})[-DAYS_SHOWN:]
    groups = sorted({group for _, group, _ in rows})
    counts = {(day, group): count for day, group, count in rows}
    top = max((sum(counts.get((day, group), 0) for group in groups) for day in days), default=0)
    step, parts = (_WIDTH - 2 * _MARGIN) / max(len(days), 1), []
    for place, day in enumerate(days):
        below = 0.0
        for group, colour in zip(groups, _cycle(len(groups)), strict=True):
            height = (_HEIGHT - 2 * _MARGIN) * counts.get((day, group), 0) / max(top, 1)
            below += height
            parts.append(
                f'<rect x="{_MARGIN + place * step:.1f}" y="{_HEIGHT - _MARGIN - below:.1f}" fill="{colour}"'
                f' width="{max(step - 2, 1):.1f}" height="{height:.1f}"><title>{day} {escape(group)}'
                f" {counts.get((day, group), 0):,}</title></rect>"
            )
    legend = " ".join(
        f'<tspan fill="{colour}">■ {escape(group)}</tspan>'
        for group, colour in zip(groups, _cycle(len(groups)), strict=True)
    )
    texts = [(_MARGIN, 15, "start", f"{escape(title)}, highest {top:,} {legend}")]
    if days:
        texts += [(_MARGIN, _HEIGHT - 8, "start", str(days[0])), (_WIDTH - _MARGIN, _HEIGHT - 8, "end", str(days[-1]))]
    parts += [f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>' for x, y, anchor, text in texts]
    # White behind it, because the page may be dark.
    return picture(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif"'
        f' font-size="12"><rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>',
        title,
    )


def _cycle(count: int) -> list[str]:
    return [_COLOURS[place % len(_COLOURS)] for place in range(count)]
