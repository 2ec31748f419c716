"""The columns of the revenue tab: what users call them, what they are called here, what stands in their cells.

Belongs here: one list, from which reading, landing, the cache, the workbook's tab and the dashboard take theirs. Must
not be here: how a cell is read (`revenue`). It imports nothing, so that a workbook doesn't load the sheet's client.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "money", "count", "number", "day", "formula"]


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """A column of the tab.

    Attributes:
        header: As users know it, to the letter.
        name: Of its value in a `RevenueRow`, in `raw.revenue_rows` and in the marts; a formula's is read nowhere.
        kind: What stands in its cells.
        aliases: Further headers that count as the same.
    """

    header: str
    name: str
    kind: Kind
    aliases: tuple[str, ...] = ()


# In the order users know. Formulas are computed from the others: never read, so that a broken one breaks nothing here.
TAB = (
    SheetColumn("TikTok URL", "url", "text", ("url", "tiktok link", "video url")),
    SheetColumn("Account", "account", "text"),
    SheetColumn("Template Link", "template_link", "text", ("template", "capcut link")),
    SheetColumn("Received ($)", "received", "money", ("received", "revenue", "revenue ($)", "received $")),
    SheetColumn("Estimated ($)", "estimated", "money", ("estimated", "estimate", "estimated $")),
    SheetColumn(
        "US & EU3 Installs", "us_eu3_installs", "count", ("us installs", "us and eu3 installs", "us/eu3 installs")
    ),
    SheetColumn("ROW Installs", "row_installs", "count", ("row", "rest of world installs")),
    SheetColumn("Total Installs", "total_installs", "formula"),
    SheetColumn("Rev/Install", "revenue_per_install", "formula"),
    SheetColumn("At Cap?", "is_at_cap", "formula", ("at cap",)),
    SheetColumn("Trend Description", "trend_description", "text", ("trend", "description")),
    SheetColumn("Momentum at Detection", "momentum_at_detection", "number", ("momentum",)),
    SheetColumn("Trigger Level", "trigger_level", "text", ("trigger",)),
    SheetColumn("Action Window", "action_window", "text"),
    SheetColumn("Market", "market", "text"),
    SheetColumn("AI Category", "ai_category", "text", ("ai",)),
    SheetColumn("Age at Detection", "age_at_detection_hours", "number", ("age",)),
    SheetColumn("Date First Seen", "first_seen_on", "day", ("first seen", "date")),
    SheetColumn("Notes", "notes", "text", ("note",)),
)
# Read where a user added them: the link that MY_PERFORMANCE shows, and the day that money is for.
ADDED = (
    SheetColumn("Tutorial Link", "tutorial_link", "text", ("tutorial",)),
    SheetColumn("Post Date", "post_date", "day", ("date posted", "posted on")),
)
READ = tuple(column for column in (*TAB, *ADDED) if column.kind != "formula")
# A row counts by these: where one can't be read, the row is not counted.
REQUIRED = ("url", "received")

HEADERS: Mapping[str, str] = {column.name: column.header for column in (*TAB, *ADDED)}
PLACES: Mapping[str, int] = {column.name: place for place, column in enumerate(TAB) if column.kind != "formula"}
"""Where a value stands in the cells of a row as they were entered."""
