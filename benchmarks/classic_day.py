"""`python -m benchmarks.classic_day FOLDER DATE OUT`: the classic day as one plain script, to measure against.

Written for this purpose in the way such scripts are: pandas frames, a function per row, openpyxl cell by cell. It does
the classic day only: metrics and status against yesterday's feed, trends, both markets, eight files. It keeps no raw
data, no history beyond yesterday, forecasts nothing and checks nothing. Must not be here: anything the product uses.
"""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill

MARKETS = ("us", "uk")
ACCOUNTS = {"sim.own.editor", "sim.own.templates", "sim.own.studio"}
COMPETITORS = {f"sim.rival.{name}" for name in ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot")}
AI_WORDS = ("ai ", "#ai", "aigc", "midjourney", "kling", "sora", "ai filter", "ai generated")
STATUS_COLOURS = {"NEW": "E3F2FD", "SPIKING": "FFCDD2", "RISING": "C8E6C9", "COOLING": "ECEFF1", "DYING": "CFD8DC"}
BUILD_COLUMNS = (
    "rank", "market_label", "status", "caption", "author", "age", "momentum", "shares_per_hour", "views_per_hour",
    "url",
)  # fmt: skip


def load(folder: Path, market: str, day: date) -> pd.DataFrame:
    """The last feed of a market and day as one row per video."""
    files = sorted((folder / market / "videos").glob(f"{day.isoformat()}T*.json*"))
    if not files:
        return pd.DataFrame()
    text = files[-1].read_text(encoding="utf-8")
    items = [json.loads(line) for line in text.splitlines()] if files[-1].suffix == ".jsonl" else json.loads(text)
    observed = pd.Timestamp(files[-1].name[:10] + "T" + files[-1].name[11:19].replace("-", ":"), tz="UTC")
    rows = []
    for item in items:
        author, music = item.get("authorMeta") or {}, item.get("musicMeta") or {}
        rows.append(
            {
                "video_id": str(item.get("id")),
                "caption": item.get("text") or "",
                "author": author.get("name", ""),
                "url": item.get("webVideoUrl", ""),
                "plays": int(item.get("playCount") or 0),
                "likes": int(item.get("diggCount") or 0),
                "shares": int(item.get("shareCount") or 0),
                "comments": int(item.get("commentCount") or 0),
                "saves": int(item.get("collectCount") or 0),
                "music_id": music.get("musicId", ""),
                "music_name": music.get("musicName", ""),
                "music_author": music.get("musicAuthor", ""),
                "is_original": music.get("musicOriginal", False),
                "hashtags": " ".join(tag.get("name", "") for tag in item.get("hashtags") or []),
                "posted": item.get("createTimeISO"),
                "observed": observed,
                "market": market.upper(),
            }
        )
    frame = pd.DataFrame(rows).drop_duplicates("video_id")
    frame["posted"] = pd.to_datetime(frame["posted"], utc=True, errors="coerce").fillna(observed)
    return frame


def add_metrics(frame: pd.DataFrame) -> pd.DataFrame:
    """The classic rates and momentum."""
    frame["age"] = ((frame["observed"] - frame["posted"]).dt.total_seconds() / 3600).clip(lower=0.1)
    for name, counts in (("shares_per_hour", "shares"), ("likes_per_hour", "likes"), ("views_per_hour", "plays")):
        frame[name] = frame[counts] / frame["age"]
    frame["momentum"] = 10 * frame["shares_per_hour"] + 3 * frame["likes_per_hour"] + 0.01 * frame["views_per_hour"]
    return frame


def status(row: pd.Series) -> str:
    """Classic status against yesterday's momentum."""
    if pd.isna(row["momentum_before"]):
        return "NEW"
    delta = row["momentum"] - row["momentum_before"]
    return "SPIKING" if delta > 100 else "RISING" if delta > 0 else "COOLING" if delta > -100 else "DYING"


def trigger(row: pd.Series) -> tuple[str, str]:
    """Urgency and reason, first match."""
    if row["momentum"] >= 3000:
        return "URGENT", f"momentum {row['momentum']:.0f}"
    if row["shares_per_hour"] >= 100:
        return "URGENT", f"shares/h {row['shares_per_hour']:.0f}"
    if row["status"] == "SPIKING" and row["momentum"] >= 2000:
        return "URGENT", "spiking"
    if row["momentum"] >= 2000:
        return "HIGH", f"momentum {row['momentum']:.0f}"
    if row["shares_per_hour"] >= 60:
        return "HIGH", f"shares/h {row['shares_per_hour']:.0f}"
    if row["momentum"] >= 1000 or row["shares_per_hour"] >= 25:
        return "WATCH", f"momentum {row['momentum']:.0f}"
    return "NONE", ""


def window(row: pd.Series) -> str:
    """Classic action window."""
    velocity = row["velocity"]
    if row["age"] > 60:
        return "WINDOW CLOSING"
    if pd.isna(velocity):
        return "ACT NOW" if row["momentum"] >= 3000 and row["age"] <= 24 else "MONITOR"
    if velocity >= 200 and row["momentum"] >= 1000:
        return "ACT NOW"
    if velocity >= 100 and row["momentum"] >= 500:
        return "6-12H"
    return "MONITOR" if velocity > 0 else "TOO LATE"


def analyse(folder: Path, day: date) -> pd.DataFrame:
    """Both markets of a day with all classic columns."""
    today = pd.concat([add_metrics(load(folder, market, day)) for market in MARKETS], ignore_index=True)
    earlier = [load(folder, market, day - timedelta(days=1)) for market in MARKETS]
    before = pd.concat([add_metrics(frame) for frame in earlier if len(frame)] or [today.head(0)], ignore_index=True)
    before = before[["video_id", "market", "momentum"]].rename(columns={"momentum": "momentum_before"})
    frame = today.merge(before, on=["video_id", "market"], how="left")
    frame["status"] = frame.apply(status, axis=1)
    frame["velocity"] = frame["momentum"] - frame["momentum_before"]
    frame["predicted"] = (frame["momentum"] + frame["velocity"].fillna(0)).clip(lower=0)
    frame[["urgency", "reason"]] = frame.apply(lambda row: pd.Series(trigger(row)), axis=1)
    frame["window"] = frame.apply(window, axis=1)
    frame["build_now"] = frame.apply(
        lambda row: (
            "BUILD NOW" if row["age"] <= 72 and row["shares_per_hour"] >= 5 and row["views_per_hour"] >= 1000 else "NO"
        ),
        axis=1,
    )
    both = set(frame.loc[frame["market"] == "US", "video_id"]) & set(frame.loc[frame["market"] == "UK", "video_id"])
    frame["market_label"] = frame.apply(
        lambda row: "BOTH" if row["video_id"] in both else f"{row['market']} ONLY", axis=1
    )
    frame["category"] = frame.apply(
        lambda row: "AI" if any(word in row["caption"].lower() for word in AI_WORDS) else "NON-AI", axis=1
    )
    frame["role"] = frame["author"].map(
        lambda name: "own" if name in ACCOUNTS else "rival" if name in COMPETITORS else ""
    )
    frame["uses"] = frame.groupby(["market", "music_id"])["video_id"].transform("nunique")
    frame["opportunity"] = (
        0.4 * frame["momentum"] + 2 * frame["velocity"].clip(lower=0).fillna(0) + 0.3 * frame["predicted"]
        + 1000 * (72 - frame["age"]).clip(0, 72) / 72
    )  # fmt: skip
    return frame.sort_values(["momentum", "video_id"], ascending=[False, True])


def add_sheet(book: Workbook, title: str, frame: pd.DataFrame, *, is_styled: bool) -> None:
    """A frame as a sheet, cell by cell."""
    sheet = book.create_sheet(title)
    for column, name in enumerate(frame.columns, start=1):
        cell = sheet.cell(row=1, column=column, value=name)
        cell.font, cell.fill = Font(bold=True, color="FFFFFF"), PatternFill("solid", fgColor="1F2937")
    for number, (_, row) in enumerate(frame.iterrows(), start=2):
        for column, value in enumerate(row, start=1):
            if isinstance(value, pd.Timestamp):
                value = value.tz_localize(None).to_pydatetime()
            cell = sheet.cell(row=number, column=column, value=None if _is_missing(value) else value)
            if is_styled and frame.columns[column - 1] == "status":
                cell.fill = PatternFill("solid", fgColor=STATUS_COLOURS[str(value)])
    for cells in sheet.columns:
        width = max(len(str(cell.value or "")) for cell in cells)
        sheet.column_dimensions[cells[0].column_letter].width = min(60, width + 2)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions


def _is_missing(value: Any) -> bool:
    return isinstance(value, float) and value != value


def _new_workbook() -> Workbook:
    book = Workbook()
    for sheet in list(book.worksheets):
        book.remove(sheet)
    return book


def build_today(frame: pd.DataFrame, top: int, path: Path) -> None:
    """BUILD_TODAY: the first videos per market and category, the sounds, own posts."""
    book = _new_workbook()
    sheet = book.create_sheet("START_HERE")
    for row, (label, value) in enumerate(frame["urgency"].value_counts().items(), start=4):
        sheet.cell(row=row, column=1, value=label)
        sheet.cell(row=row, column=2, value=int(value))
    for market in ("UK", "US"):
        fresh = frame[(frame["market"] == market) & (frame["age"] <= 72)]
        for category in ("AI", "NON-AI"):
            chosen = fresh[fresh["category"] == category].head(top).copy()
            chosen["rank"] = range(1, len(chosen) + 1)
            chosen["caption"] = chosen["caption"].str[:80]
            add_sheet(book, f"{market}_{category}_TOP{top}", chosen[list(BUILD_COLUMNS)], is_styled=True)
        sounds = fresh.sort_values("uses", ascending=False).drop_duplicates("music_id").head(top)
        add_sheet(book, f"{market}_AUDIO_TOP{top}", sounds[["music_name", "music_author", "uses"]], is_styled=False)
    add_sheet(book, "MY_PERFORMANCE", frame[frame["role"] == "own"], is_styled=False)
    book.save(path)


def enhanced(frame: pd.DataFrame, path: Path) -> None:
    """ENHANCED: opportunities, competitors, own posts."""
    book = _new_workbook()
    book.create_sheet("DASHBOARD")
    urgent = frame[frame["window"].isin(["ACT NOW", "6-12H"]) & (frame["age"] <= 48) & (frame["role"] == "")]
    add_sheet(book, "OPPORTUNITY_NOW", urgent.sort_values("opportunity", ascending=False).head(20), is_styled=True)
    add_sheet(book, "COMPETITOR_VIEW", frame[frame["role"] == "rival"], is_styled=True)
    add_sheet(book, "DATA_FEED", frame[frame["role"] == "own"], is_styled=True)
    for name in ("market_label", "category", "urgency", "status"):
        grouped = frame.groupby(["author", name]).agg(posts=("video_id", "count"), momentum=("momentum", "mean"))
        add_sheet(book, f"BY_{name.upper()}"[:31], grouped.reset_index().head(200), is_styled=False)
    book.save(path)


def main(folder: Path, day: date, out: Path) -> None:
    """One classic day: the eight files of `day` from an export folder."""
    out.mkdir(parents=True, exist_ok=True)
    frame = analyse(folder, day)
    for top in (20, 100):
        build_today(frame, top, out / f"BUILD_TODAY_TOP{top}_{day}.xlsx")
    for market in ("US", "UK"):
        book = _new_workbook()
        add_sheet(book, market, frame[frame["market"] == market], is_styled=True)
        book.save(out / f"TikTok_Trend_System_{market}_{day}.xlsx")
    enhanced(frame, out / f"BUILD_TODAY_COMBINED_ENHANCED_{day}.xlsx")
    for market in ("US", "UK"):
        enhanced(frame[frame["market"] == market], out / f"BUILD_TODAY_{market}_ENHANCED_{day}.xlsx")
    counts = [f"{name}: {value}" for name, value in frame["urgency"].value_counts().items()]
    (out / f"SUMMARY_REPORT_{day}.txt").write_text("\n".join([f"{day}", f"videos: {len(frame)}", *counts]), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), Path(sys.argv[3]))
