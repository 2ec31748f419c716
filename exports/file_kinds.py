"""The kinds of files of a day: what each is called, what makes it, what is in it.

Belongs here: the list. Must not be here: making them (the modules that it names), putting them in place
(`daily_files`).

What makes a file runs in a process of its own, which learns from here what to call: Dagster must not hang on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any

from exports.published import Day


@dataclass(frozen=True, slots=True)
class DailyFile:
    """A kind of file of the day.

    Attributes:
        pattern: File name, with `<date>`.
        maker: Module and function that makes its bytes of a day. A name, because the process that makes files has
            imported it and this one need not: openpyxl takes longer than some models.
        about: What is in it, for the catalogue.
        options: What the function is called with beside the day.
    """

    pattern: str
    maker: str
    about: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def make(self, day: Day) -> bytes:
        """The bytes of the file of a day."""
        return bytes(resolve_name(self.maker)(day, **self.options))


def of_day(markets: Sequence[str]) -> dict[str, DailyFile]:
    """Asset name to file, in the order users know."""
    files = {
        f"build_today_top{limit}": DailyFile(
            f"BUILD_TODAY_TOP{limit}_<date>.xlsx",
            "exports.workbooks.build_today:build_today",
            f"the {limit} best fresh videos and sounds of each market, and how your own posts do.",
            {"top": limit},
        )
        for limit in (20, 100)
    }
    for market in markets:
        files[f"trend_system_{market.lower()}"] = DailyFile(
            f"TikTok_Trend_System_{market}_<date>.xlsx",
            "exports.workbooks.full_market:full_market",
            f"every {market} video of the day, all columns.",
            {"market": market},
        )
    files["summary_report"] = DailyFile(
        "SUMMARY_REPORT_<date>.txt",
        "exports.text.summary:summary",
        "the day in words: summary, briefing, seasonal alerts.",
    )
    enhanced_files: list[tuple[str, str, dict[str, str]]] = [
        *((market, market, {"market": market}) for market in markets),
        ("COMBINED", "all markets", {}),
    ]
    for name, of, options in enhanced_files:
        files[f"build_today_{name.lower()}_enhanced"] = DailyFile(
            f"BUILD_TODAY_{name}_ENHANCED_<date>.xlsx",
            "exports.workbooks.enhanced:enhanced",
            f"dashboard, opportunities, revenue, competitors and forecasts of {of}.",
            options,
        )
    files["dashboard_payload"] = DailyFile(
        "dashboard_payload_<date>.json", "exports.dashboard:payload", "the rows that go to the dashboard sheet."
    )
    files["trend_report"] = DailyFile(
        "TREND_REPORT_<date>.html",
        "exports.report.trend_report:trend_report",
        "the day in pictures, one page that needs no network.",
    )
    return files
