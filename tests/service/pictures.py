"""`make pictures`: README's pictures of the report and of the message, of the sample, as PNG.

Belongs here: a page that shows a message as Discord does, and what is photographed. Must not be here: what they say.
"""

from __future__ import annotations

import argparse
import base64
import html
import re
import tempfile
from pathlib import Path
from typing import Any

from exports import published
from exports.report.chart import day_chart
from exports.text.daily_report import daily_report
from services.discord import build_payload
from tests.browser import browser
from tests.support import PROJECT
from warehouse.publish import published_dates
from warehouse.store import Store

PICTURES = PROJECT / "docs" / "pictures"
# As wide as a phone's page, and as a message in a channel.
_REPORT, _MESSAGE = (430, 900), (580, 1420)
_STYLE = """
    body { background: #313338; color: #dbdee1; font: 14px/1.35 'DejaVu Sans', sans-serif; margin: 12px }
    .embed { background: #2b2d31; border-left: 4px solid; border-radius: 4px; padding: 12px 14px; width: 520px }
    a { color: #00a8fc; text-decoration: none } .name { font-weight: 600; margin: 10px 0 2px }
    .title { font-weight: 700; margin-bottom: 6px } img { width: 100%; border-radius: 4px; margin-top: 12px }
    .fields { display: grid; grid-template-columns: 1fr 1fr 1fr } .wide { grid-column: 1 / 4 }
    .footer { color: #949ba4; font-size: 12px; margin-top: 10px }
"""


def main() -> int:
    """Takes the pictures of a home of the sample; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="a home that `make run` made")
    store = Store(parser.parse_args().home)
    PICTURES.mkdir(exist_ok=True)
    with published.open_day(store.published_path, max(published_dates(store))) as day:
        chart = day_chart(day) or b""
        payload, _ = build_payload(daily_report(day, [], [], chart))
    (report,) = (store.home / "output" / f"{day.as_of_date}").glob("TREND_REPORT*.html")
    with tempfile.TemporaryDirectory(prefix="trends-pictures-") as directory:
        page = Path(directory) / "message.html"
        page.write_text(_page(payload, chart), encoding="utf-8")
        for name, source, (width, height) in (("report", report, _REPORT), ("message", page, _MESSAGE)):
            with browser(Path(directory) / name, width, height) as tab:
                tab.open(source.as_uri())
                tab.screenshot(PICTURES / f"{name}.png")
    return 0


def _page(payload: dict[str, Any], chart: bytes) -> str:
    (embed, *_) = payload["embeds"]
    fields = "".join(
        f'<div class="{"" if item["inline"] else "wide"}"><div class="name">{_marked(item["name"])}</div>'
        f"<div>{_marked(item['value'])}</div></div>"
        for item in embed.get("fields", [])
    )
    picture = f'<img src="data:image/png;base64,{base64.b64encode(chart).decode()}">'
    return (
        f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style>"
        f'<div class="embed" style="border-color: #{embed["color"]:06x}">'
        f'<div class="title">{_marked(embed["title"])}</div>'
        f'<div>{_marked(embed.get("description", ""))}</div><div class="fields">{fields}</div>{picture}'
        f'<div class="footer">{html.escape(embed.get("footer", {}).get("text", ""))}</div></div>'
    )


def _marked(text: str) -> str:
    """Discord's markup as HTML: bold, links, escaped signs, lines."""
    shown = html.escape(text)
    shown = re.sub(r"\[([^\]]+)\]\((?:&lt;)?(\S+?)(?:&gt;)?\)", r'<a href="\2">\1</a>', shown)
    shown = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", shown)
    return re.sub(r"\\([^\w\s])", r"\1", shown).replace("\n", "<br>")


if __name__ == "__main__":
    raise SystemExit(main())
