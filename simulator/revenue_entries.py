"""Revenue entries of the simulated own accounts: what a user of the sample would have entered into the sheet.

Belongs here: drawing 59 entries, of which the recent ones are posts that the sample's feeds hold. Does not belong here:
reading entries (see `ingest.revenue`). All amounts are invented.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from simulator.config import ACCOUNTS
from simulator.population import stream
from simulator.simulation import Simulation

ENTRIES = 59
RECENT = 34
HEADER = (
    "TikTok URL", "Account", "Template Link", "Received ($)", "Estimated ($)", "US & EU3 Installs", "ROW Installs",
    "Total Installs", "Rev/Install", "At Cap?", "Trend Description", "Momentum at Detection", "Trigger Level",
    "Action Window", "Market", "AI Category", "Age at Detection", "Date First Seen", "Notes",
)  # fmt: skip
# One account's regression over its own templates; the same figures as in seeds/revenue_rates.csv.
_RATE_US_EU3, _RATE_ROW, _CAP = 3.51, 1.50, 2500.0
_EARNING_DAYS = 14.0
_IDEAS = (
    "Photo to clay figure", "Slow zoom recap", "Old money glow up", "Beat-synced photo dump", "AI doll box",
    "Two-frame before and after", "Retro camcorder filter", "Pet as a human", "Lyric cards", "Split-screen reveal",
)  # fmt: skip
_NOTES = ("", "", "", "", "", "tutorial pinned", "second version made", "paid late", "template featured")


def revenue_entries(simulation: Simulation) -> list[dict[str, str]]:
    """Draws the entries, oldest first; equal simulations give equal entries."""
    config = simulation.config
    rng = stream(config, "revenue")
    end = datetime.combine(config.start + timedelta(days=config.days), datetime.min.time(), tzinfo=UTC)
    videos = simulation.truth.videos.to_pylist()
    since = end.replace(tzinfo=None) - timedelta(days=config.days + 4)
    own = sorted(
        (video for video in videos if video["role"] == "own" and video["posted_at"] >= since),
        key=lambda video: (video["trend_key"] is None, video["video_id"]),
    )[:RECENT]
    posts = [
        (
            video["posted_at"].replace(tzinfo=UTC),
            video["video_id"],
            video["creator"],
            video["is_ai"],
            video["trend_key"],
        )
        for video in own
    ]
    handles = [account.handle for account in ACCOUNTS if account.role == "own"]
    first = datetime(2026, 1, 5, 12, tzinfo=UTC)
    span = (end - timedelta(days=config.days + 6) - first).total_seconds()
    older = ENTRIES - len(posts)
    for number in range(older):
        posted = first + timedelta(seconds=float(np.floor(span * (number + rng.random()) / older)))
        video_id = str((int(posted.timestamp()) << 32) | int(rng.integers(0, 2**24)))
        posts.append((posted, video_id, handles[int(rng.integers(0, 3))], bool(rng.random() < 0.4), None))
    return [_entry(rng, end, *post) for post in sorted(posts)]


def write_revenue_seed(simulation: Simulation, path: Path) -> None:
    """Writes the entries as the CSV that `ingest.revenue` falls back to."""
    with path.open("w", encoding="utf-8", newline="") as stream_:
        writer = csv.DictWriter(stream_, HEADER, lineterminator="\n")
        writer.writeheader()
        writer.writerows(revenue_entries(simulation))


def _entry(
    rng: np.random.Generator,
    end: datetime,
    posted: datetime,
    video_id: str,
    handle: str,
    is_ai: bool,
    trend_key: str | None,
) -> dict[str, str]:
    days = (end - posted).total_seconds() / 86_400
    momentum = float(np.exp(rng.normal(np.log(1_300), 0.8)))
    potential = float(np.exp(rng.normal(np.log(520), 1.3))) * (1.6 if momentum >= 2_000 else 1.0)
    earned = 0.0 if rng.random() < 0.18 else potential * (1 - np.exp(-days / _EARNING_DAYS))
    us_share = float(rng.beta(5, 3))
    installs = earned / (us_share * _RATE_US_EU3 + (1 - us_share) * _RATE_ROW)
    us_installs, row_installs = round(installs * us_share), round(installs * (1 - us_share))
    estimated = min(us_installs * _RATE_US_EU3 + row_installs * _RATE_ROW, _CAP)
    # Paid with a delay of some days: the youngest have nothing but the estimate.
    received = (
        None if days < 3 else round(min(estimated, _CAP) * (1.0 if days > 30 else float(rng.uniform(0.75, 1))), 2)
    )
    level = "URGENT" if momentum >= 3_000 else "HIGH" if momentum >= 2_000 else "WATCH" if momentum >= 1_000 else "NONE"
    kind, _, value = (trend_key or "").partition(":")
    template = value if kind == "template" else str(7_300_000_000_000_000_000 + int(rng.integers(0, 10**15)))
    return {
        "TikTok URL": f"https://www.tiktok.com/@{handle}/video/{video_id}",
        "Account": handle,
        "Template Link": f"https://www.capcut.com/template-detail/{template}",
        "Received ($)": "" if received is None else f"{received:.2f}",
        "Estimated ($)": f"{estimated:.2f}",
        "US & EU3 Installs": str(us_installs),
        "ROW Installs": str(row_installs),
        "Trend Description": str(rng.choice(_IDEAS)),
        "Momentum at Detection": f"{momentum:.0f}",
        "Trigger Level": level,
        "Action Window": str(rng.choice(["ACT NOW", "6-12H", "12-24H"])),
        "Market": str(rng.choice(["BOTH", "US ONLY", "UK ONLY"], p=[0.3, 0.4, 0.3])),
        "AI Category": "AI" if is_ai else "NON-AI",
        "Age at Detection": f"{rng.uniform(4, 40):.1f}",
        "Date First Seen": posted.date().isoformat(),
        "Notes": str(rng.choice(_NOTES)),
    }
