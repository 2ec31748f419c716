"""Invented export folders in the manner of the real ones, so that the same tests hold on both without any real row.

Belongs here: making the folders; equal arguments give equal bytes. Must not be here: assertions, expected values.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from simulator import NO_ODDITIES, SimulatorConfig, simulate, write_export_folder
from tests.support import Item, write_feed, write_file

# Captions that break programs: formulas, control characters, right to left, markup, SQL, 40,000 characters.
HOSTILE_CAPTIONS = (
    '=HYPERLINK("http://x")',
    "+1 for everyone who waited",
    "-50% today only",
    "@sim.friend =cmd|' /C calc'!A0",
    "bell \x07 escape \x1b[31m vertical tab \x0b and delete \x7f",
    "\u202eright to left override\u202c مرحبا بالعالم שלום",
    "flags 🇬🇧🇺🇸🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f and a family 👩‍👩‍👧‍👦",
    "line one\nline two\r\n\"quoted\", 'single', back\\slash\tand tab",
    "a very long one " + "lorem ipsum dolor " * 2222,
    "<script>alert(1)</script> & <b>bold</b>",
    "**bold** _under_ `code` @everyone ||spoiler|| [link](http://x)",
    "'; drop table videos; -- {{ jinja }} ${var} %s",
    "zero\u200bwidth \ufeffbom e\u0301 combining \U0001f9d1\u200d\U0001f680",
)
_CAPTIONS = (
    "how I made this #capcut",
    '=HYPERLINK("https://example.org") isn\'t a formula',
    "كيف صنعت هذا القالب #capcut",
    "यह टेम्पलेट कैसे बनाएं ✨",
    "line one\nline two\ttab",
    "今日のテンプレート 🎬",
    "",
)


def write_daily_lists(folder: Path, days: int = 14) -> Path:
    """Daily lists of 2 x 200 videos that the simulator made, as JSON arrays; the same videos for days in a row."""
    config = SimulatorConfig(
        seed=5, days=days, videos_per_day=200, music=False, posts_per_slot=0.25, burst_share=0.03, oddities=NO_ODDITIES
    )
    write_export_folder(simulate(config), folder)
    for path in sorted(folder.rglob("*.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines()
        path.with_suffix(".json").write_text(f"[{','.join(lines)}]", encoding="utf-8")
        path.unlink()
    return folder


def write_polls(folder: Path, days: int = 5, start: datetime = datetime(2026, 2, 12, tzinfo=UTC)) -> Path:
    """About six polls a day and market, each of the five hottest videos and three others, most read before.

    A poller that reads the day's dataset again gives the counts of before, now and then the whole file; a count falls a
    little now and then; a few videos are in both markets, some speed up, some stand still.

    From some six days on there would be enough first paces to learn from (`first_pace_minimum`), which the independent
    computation of the tests leaves out.
    """
    rng = random.Random(20260212)
    videos = [_PolledVideo(rng, number, start, days) for number in range(days * 14)]
    for market in ("us", "uk"):
        before: dict[str, Item] = {}
        for day in range(days):
            for hour in (9, 11, 13, 16, 19, 22):
                at = start + timedelta(days=day, hours=hour, minutes=rng.randrange(50), seconds=rng.randrange(60))
                there = [video for video in videos if market in video.markets and video.is_shown(at)]
                shown = sorted(there, key=lambda video: -video.pace(at))[:5]
                shown += rng.sample([video for video in there if video not in shown], 3)
                if not before or rng.random() > 0.15:
                    before = {video.id: _polled(rng, video, before.get(video.id), at) for video in shown}
                _write_at(folder, market, at, list(before.values()))
    return folder


class _PolledVideo:
    """A video whose views grow by a power of its age, and faster from a moment on where it jumps."""

    def __init__(self, rng: random.Random, number: int, start: datetime, days: int) -> None:
        self.posted = start + timedelta(hours=rng.uniform(-30, 24 * days - 6))
        self.id = str((int(self.posted.timestamp()) << 32) + number)
        self.markets = rng.choice((("us",), ("uk",), ("us",), ("uk",), ("us", "uk")))
        self.views_of_first_hour = rng.lognormvariate(6.5, 1.6)
        self.growth = rng.choice((0.02, 0.4, 0.7, 0.95, 1.1, 1.3))
        self.jump_at = rng.uniform(10, 50) if rng.random() < 0.25 else None
        self.like_share, self.share_share = rng.uniform(0.02, 0.2), rng.uniform(0.001, 0.03)
        self.caption = rng.choice(_CAPTIONS)
        self.author = f"invented.creator{rng.randrange(30)}"

    def is_shown(self, at: datetime) -> bool:
        return timedelta(hours=1) < at - self.posted < timedelta(hours=80)

    def views(self, at: datetime) -> float:
        age = (at - self.posted) / timedelta(hours=1)
        views = self.views_of_first_hour * max(age, 1.0) ** self.growth
        if self.jump_at is not None and age > self.jump_at:
            views += self.views_of_first_hour * 2 * (age - self.jump_at)
        return views

    def pace(self, at: datetime) -> float:
        return self.views(at) / ((at - self.posted) / timedelta(hours=1))


def _polled(rng: random.Random, video: _PolledVideo, before: Item | None, at: datetime) -> Item:
    if before is not None and rng.random() < 0.5:
        return before
    views = video.views(at) * (0.97 if rng.random() < 0.03 else 1)
    if before is not None and rng.random() < 0.04:
        views = before["playCount"] - 1
    return {
        "id": video.id,
        "text": video.caption,
        "createTime": int(video.posted.timestamp()),
        "createTimeISO": f"{video.posted:%Y-%m-%dT%H:%M:%S}.000Z",
        "authorMeta": {"name": video.author},
        "webVideoUrl": f"https://www.tiktok.com/@{video.author}/video/{video.id}",
        "diggCount": int(views * video.like_share),
        "shareCount": int(views * video.share_share),
        "playCount": int(views),
        "hashtags": [{"name": "capcut"}],
    }


def _write_at(folder: Path, market: str, at: datetime, items: Sequence[Item]) -> None:
    path = folder / market / "videos" / f"{at:%Y-%m-%dT%H-%M-%SZ}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(items, ensure_ascii=False), encoding="utf-8")


def write_exports(folder: Path) -> Path:
    """Three exports in the shapes of three years: rounded CSV, CSV with slideshows and an error row, nested JSON."""
    rng = random.Random(2022)
    _write_csv(folder, "us", "2022-07-27T21:44", _rows_of_a_search(rng))
    _write_csv(folder, "uk", "2024-09-04T12:00", _rows_with_slideshows(rng), marked=True)
    write_feed(folder, "2025-07-07T18:00", [_nested(rng, number) for number in range(10)], market="us")
    return folder


def _write_csv(folder: Path, market: str, at: str, rows: Sequence[dict[str, Any]], *, marked: bool = False) -> None:
    columns = sorted({name for row in rows for name in row})
    path = write_file(folder, at, b"", market=market, suffix=".csv")
    # The later console begins its files with a mark and quotes everything.
    with path.open("w", encoding="utf-8-sig" if marked else "utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, quoting=csv.QUOTE_ALL if marked else csv.QUOTE_MINIMAL)
        writer.writeheader()
        writer.writerows(rows)


def _rounded(count: int) -> int:
    """As the app shows it: exact below 10,000, then in hundreds, from a million in hundreds of thousands."""
    step = 1 if count < 10_000 else 100 if count < 1_000_000 else 100_000
    return count // step * step


def _rows_of_a_search(rng: random.Random) -> list[dict[str, Any]]:
    """240 rows of 200 videos: one that several hashtags found stands there once for each."""
    rows: list[dict[str, Any]] = []
    for number in range(200):
        posted = datetime(2022, 7, 1, tzinfo=UTC) + timedelta(hours=rng.randrange(600))
        video, handle = (int(posted.timestamp()) << 32) + number, f"invented.creator{number % 40}"
        plays = int(rng.lognormvariate(11, 2.5)) + 10
        row = {
            "id": video, "text": rng.choice(_CAPTIONS), "createTime": int(posted.timestamp()),
            "createTimeISO": f"{posted:%Y-%m-%dT%H:%M:%S.000Z}", "authorMeta/name": handle,
            "authorMeta/nickName": "Invented ✨", "authorMeta/fans": _rounded(plays // 3), "commentCount": number,
            "diggCount": _rounded(plays // 9), "shareCount": _rounded(plays // 90), "playCount": _rounded(plays),
            "musicMeta/musicName": "original sound", "musicMeta/musicOriginal": "true", "videoMeta/duration": 15,
            "webVideoUrl": f"https://www.tiktok.com/@{handle}/video/{video}", "hashtags/0/name": "capcut",
        }  # fmt: skip
        finders = 1 + (number % 10 == 0) + 3 * (number % 50 == 0)
        rows += [row | {"searchHashtag/name": f"tag{place}", "searchHashtag/views": 1000} for place in range(finders)]
    return rows


def _rows_with_slideshows(rng: random.Random) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "error": "This profile/hashtag does not exist.",
            "input": "nosuchtag",
            "url": "https://www.tiktok.com/tag/none",
        }
    ]
    for number in range(40):
        posted = datetime(2024, 9, 1, tzinfo=UTC) + timedelta(hours=number)
        video, plays = (int(posted.timestamp()) << 32) + number, rng.randrange(100, 900_000)
        is_slideshow = number % 3 == 0
        rows.append({
            "id": video, "text": rng.choice(_CAPTIONS), "createTime": int(posted.timestamp()),
            "createTimeISO": f"{posted:%Y-%m-%dT%H:%M:%S.000Z}", "authorMeta/name": f"invented.creator{number}",
            "commentCount": number, "collectCount": number, "diggCount": plays // 9, "shareCount": plays // 90,
            "playCount": plays, "isSlideshow": str(is_slideshow).lower(), "musicMeta/musicId": 70_000 + number,
            "videoMeta/duration": 0 if is_slideshow else 12,
            "slideshowImageLinks/0/tiktokLink": "https://p16.example/a.jpeg" if is_slideshow else "",
            "webVideoUrl": f"https://www.tiktok.com/@invented.creator{number}/video/{video}",
        })  # fmt: skip
    return rows


def _nested(rng: random.Random, number: int) -> Item:
    posted = datetime(2025, 7, 5, number, tzinfo=UTC)
    video, plays = str((int(posted.timestamp()) << 32) + number), rng.randrange(1000, 9_000_000)
    return {
        "id": video,
        "text": _CAPTIONS[number % len(_CAPTIONS)],
        "createTime": int(posted.timestamp()),
        "createTimeISO": f"{posted:%Y-%m-%dT%H:%M:%S.000Z}",
        "authorMeta": {
            "id": str(number),
            "name": f"Invented.Creator{number}",
            "nickName": "Invented ✨",
            "fans": plays,
        },
        "musicMeta": {"musicId": f"70000000000000000{number:02}", "musicName": "original sound", "musicOriginal": True},
        "webVideoUrl": f"https://www.tiktok.com/@invented.creator{number}/video/{video}",
        "videoMeta": {"duration": number},
        "diggCount": plays // 9,
        "shareCount": plays // 90,
        "playCount": plays,
        "commentCount": number,
        "collectCount": plays // 900,
        "hashtags": [{"name": "CapCut"}, {"name": ""}, {"name": "fyp"}, {"name": "capcut"}],
        "isSlideshow": number == 3,
    }
