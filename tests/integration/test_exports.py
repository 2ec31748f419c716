"""The files of a day: tabs and columns to the letter, hostile text as text, equal input as equal bytes."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from openpyxl import load_workbook

from exports.published import open_day
from exports.text.summary import summary
from exports.workbooks.build_today import build_today
from exports.workbooks.full_market import full_market
from exports.workbooks.workbook import FIRST_ROW, HEADER_ROW
from orchestration.assets.exports import build_export_assets
from orchestration.settings import Settings
from tests import support
from warehouse.store import Store

DAY = "2026-01-05"
HOSTILE = {
    "formula": '=HYPERLINK("http://x")',
    "plus": "+1 for everyone",
    "error": "#N/A",
    "escape": "_x0041_ stays",
    "control": "bell \x07 and \x1b escape",
    "flag": "🇬🇧 made in the UK 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "long": "long " + "ä" * 40_000,
    "bidi": "\u202egnp.exe",
}
VIDEO_HEADER = [
    "#", "Market", "Status", "Trend", "Creator", "Age", "Momentum", "Shares/h", "Views/h", "URL",
    "Live Momentum", "Score (0-100)", "Next 24h Views (p50)", "p10", "p90", "Trend Key", "Readings", "Build #",
]  # fmt: skip
MY_PERFORMANCE_HEADER = [
    "Date", "Account", "Trend", "Age", "Momentum", "Status", "Market", "Views/h", "Shares/h", "BUILD_NOW", "TikTok URL",
    "TUTORIAL_TRIGGER", "URGENCY", "Trigger Reason", "Competitor Count", "Tutorial Link", "Template Link", "Revenue",
    "Notes",
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home in which one day of hostile captions was run; US and UK share one video, one account is own."""
    root = tmp_path_factory.mktemp("exports")
    posted = "2026-01-05T00:00"
    items = [
        support.video(
            id=str(7591500000000000000 + number),
            text=text,
            createTimeISO=f"{posted}:00.000Z",
            playCount=1_000_000 - number,
            diggCount=90_000,
            shareCount=4_000,
            authorMeta={"name": "sim.own.editor" if name == "plus" else f"invented.{number}"},
            webVideoUrl=f"https://www.tiktok.com/@invented.{number}/video/{7591500000000000000 + number}",
        )
        for number, (name, text) in enumerate(HOSTILE.items())
    ]
    support.write_feed(root / "in", f"{DAY}T08:00", items, market="us")
    support.write_feed(root / "in", f"{DAY}T08:05", items[:1], market="uk")
    outcome = support.trends("run", "--source", root / "in", "--date", DAY, "--home", root / "home")
    assert outcome.code == 0, outcome.err
    return Store(root / "home")


def output(home: Store, name: str) -> Path:
    return home.output / DAY / name


def book(path: Path) -> Any:
    return load_workbook(path)


def test_files_of_the_day_stand_under_their_names(home: Store) -> None:
    assert sorted(path.name for path in (home.output / DAY).iterdir()) == [
        f"BUILD_TODAY_COMBINED_ENHANCED_{DAY}.xlsx",
        f"BUILD_TODAY_TOP100_{DAY}.xlsx",
        f"BUILD_TODAY_TOP20_{DAY}.xlsx",
        f"BUILD_TODAY_UK_ENHANCED_{DAY}.xlsx",
        f"BUILD_TODAY_US_ENHANCED_{DAY}.xlsx",
        f"SUMMARY_REPORT_{DAY}.txt",
        f"TREND_REPORT_{DAY}.html",
        f"TikTok_Trend_System_UK_{DAY}.xlsx",
        f"TikTok_Trend_System_US_{DAY}.xlsx",
        f"dashboard_payload_{DAY}.json",
        f"manifest_{DAY}.json",
    ]


@pytest.mark.parametrize("top", [20, 100])
def test_build_workbook_has_the_known_tabs_and_columns(home: Store, top: int) -> None:
    sheets = book(output(home, f"BUILD_TODAY_TOP{top}_{DAY}.xlsx"))
    assert sheets.sheetnames == [
        "START_HERE",
        *(f"{market}_{tab}_TOP{top}" for market in ("UK", "US") for tab in ("AI", "NON_AI", "AUDIO")),
        "MY_PERFORMANCE",
        "TRENDS",
        "OUTLIERS",
    ]
    for market in ("UK", "US"):
        for tab in ("AI", "NON_AI"):
            assert [cell.value for cell in sheets[f"{market}_{tab}_TOP{top}"][HEADER_ROW]] == VIDEO_HEADER
        audio = [cell.value for cell in sheets[f"{market}_AUDIO_TOP{top}"][HEADER_ROW]]
        assert audio[:7] == ["#", "Status", "Music Name", "Artist", "Type", "Used By", "Play URL"]
    assert [cell.value for cell in sheets["MY_PERFORMANCE"][HEADER_ROW]] == MY_PERFORMANCE_HEADER
    assert all(len(sheet["A1"].value) > 20 for sheet in sheets), "the first row says what the tab answers"


def test_start_here_says_the_counts_and_where_the_data_is_from(home: Store) -> None:
    sheet = book(output(home, f"BUILD_TODAY_TOP20_{DAY}.xlsx"))["START_HERE"]
    rows = {row[0].value: row[1].value for row in sheet.iter_rows(min_row=4, max_col=2) if row[0].value}
    assert list(rows)[:10] == [
        "Your Posts", "Competitor Posts", "🔥 URGENT", "⚡ HIGH", "🟡 WATCH", "🚀 SPIKING",
        "US Fresh (72h)", "UK Fresh (72h)", "US Unique", "UK Unique",
    ]  # fmt: skip
    # 4,000 shares in 8 hours are far over every threshold: all eight videos are urgent, each counted once.
    assert (rows["Your Posts"], rows["🔥 URGENT"], rows["US Unique"], rows["UK Unique"]) == (1, len(HOSTILE), 8, 1)
    assert "2026-01-05 08:00 UTC" in rows["US videos"]
    assert "MISSING" in rows["US music"]


def test_video_tab_ranks_by_momentum_and_links(home: Store) -> None:
    sheet = book(output(home, f"BUILD_TODAY_TOP20_{DAY}.xlsx"))["US_NON_AI_TOP20"]
    rows = list(sheet.iter_rows(min_row=FIRST_ROW))
    momentum = [row[6].value for row in rows]
    assert len(rows) == len(HOSTILE)
    assert momentum == sorted(momentum, reverse=True)
    assert all(isinstance(value, float) for value in momentum)
    assert [row[0].value for row in rows] == list(range(1, len(rows) + 1))
    # Seen in both feeds: the later reading, of 08:05, is the one shown, and an older video has less momentum.
    both = rows[-1]
    assert both[1].value == "🌐 BOTH"
    # A number, so that the column sorts, that looks as users know it.
    assert (round(both[5].value, 2), both[5].number_format) == (8.08, '0.0"h"')
    assert both[1].fill.fgColor.rgb == "00FFD700"
    assert both[9].hyperlink.target == "https://www.tiktok.com/@invented.0/video/7591500000000000000"


def test_hostile_captions_are_text_in_every_workbook(home: Store) -> None:
    for name in (f"BUILD_TODAY_TOP100_{DAY}.xlsx", f"TikTok_Trend_System_US_{DAY}.xlsx"):
        for sheet in book(output(home, name)):
            for row in sheet.iter_rows(min_row=2):
                for cell in row:
                    assert cell.data_type != "f", f"{name} {sheet.title} {cell.coordinate}: a live formula"
                    assert cell.data_type != "e", f"{name} {sheet.title} {cell.coordinate}: an error value"
    sheet = book(output(home, f"TikTok_Trend_System_US_{DAY}.xlsx"))["US"]
    header = [cell.value for cell in sheet[1]]
    captions = {str(row[header.index("caption")].value) for row in sheet.iter_rows(min_row=2)}
    ids = {row[header.index("video_id")].value for row in sheet.iter_rows(min_row=2)}
    assert HOSTILE["formula"] in captions
    assert HOSTILE["error"] in captions
    assert HOSTILE["flag"] in captions
    assert ids == {str(7591500000000000000 + number) for number in range(len(HOSTILE))}
    assert max(len(caption) for caption in captions) <= 32_767


def test_programs_that_stream_a_sheet_see_all_rows_of_a_market(home: Store) -> None:
    path = output(home, f"TikTok_Trend_System_US_{DAY}.xlsx")
    whole = [row for sheet in load_workbook(path) for row in sheet.iter_rows(values_only=True)]
    sheet = load_workbook(path, read_only=True)["US"]
    assert (sheet.max_row, sheet.max_column) == (len(HOSTILE) + 1, len(whole[0]))
    assert list(sheet.iter_rows(values_only=True)) == whole


def test_libreoffice_opens_the_workbooks_and_keeps_hostile_text(home: Store, tmp_path: Path) -> None:
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice (soffice) is not installed")
    source = output(home, f"TikTok_Trend_System_US_{DAY}.xlsx")
    subprocess.run(
        [office, f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "ods", "--outdir",
         str(tmp_path), str(source)],
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    subprocess.run(
        [office, f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to",
         "xlsx:Calc MS Excel 2007 XML", "--outdir", str(tmp_path), str(tmp_path / f"{source.stem}.ods")],
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    sheet = load_workbook(tmp_path / source.name)["US"]
    header = [cell.value for cell in sheet[1]]
    captions = {str(row[header.index("caption")].value) for row in sheet.iter_rows(min_row=2)}
    assert {HOSTILE["formula"], HOSTILE["plus"], HOSTILE["error"], HOSTILE["flag"]} <= captions
    assert any(caption.startswith("long ä") for caption in captions)


def test_equal_marts_give_equal_bytes(home: Store) -> None:
    for make in (lambda day: build_today(day, 20), lambda day: full_market(day, "US"), summary):
        digests = set()
        for _ in range(2):
            with open_day(home.published_path, date.fromisoformat(DAY)) as day:
                digests.add(hashlib.sha256(make(day)).hexdigest())
        assert len(digests) == 1


def made_again(
    home: Store, directory: Path, *, processes: int, only: str | None = None, files: str = "all"
) -> dg.ExecuteInProcessResult:
    """The day's files once more, into another folder, by the graph's own assets."""
    settings = Settings(trends_home=home.home, output_dir=directory, export_processes=processes)
    return dg.materialize(
        build_export_assets(support.MARKETS),
        partition_key=DAY,
        resources={"settings": settings, "store": home},
        selection=[dg.AssetKey(["exports", only])] if only else None,
        run_config={"ops": {"daily_files": {"config": {"files": files}}}},
        raise_on_error=False,
    )


def hashes(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir() if path.is_file()}


def test_processes_of_their_own_make_the_same_bytes(home: Store, tmp_path: Path) -> None:
    result = made_again(home, tmp_path, processes=2)
    assert result.success
    assert hashes(tmp_path / DAY) == hashes(home.output / DAY)


def test_a_wrong_word_for_the_files_is_refused_before_anything_is_made(home: Store, tmp_path: Path) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match="newest"):
        made_again(home, tmp_path, processes=1, files="newest")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_a_file_that_fails_keeps_no_other_back_and_is_made_alone(home: Store, tmp_path: Path, processes: int) -> None:
    name = f"SUMMARY_REPORT_{DAY}.txt"
    in_the_way = tmp_path / DAY / name
    in_the_way.mkdir(parents=True)
    failed = made_again(home, tmp_path, processes=processes)
    (event,) = failed.get_step_failure_events()
    assert "summary_report" in str(event.step_failure_data.user_failure_data or event.step_failure_data.error)
    expected = {other: digest for other, digest in hashes(home.output / DAY).items() if "manifest" not in other}
    assert hashes(tmp_path / DAY) == {other: digest for other, digest in expected.items() if other != name}
    in_the_way.rmdir()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / DAY).iterdir()}
    again = made_again(home, tmp_path, processes=processes, only="summary_report")
    assert [event.asset_key for event in again.get_asset_materialization_events()] == [
        dg.AssetKey(["exports", "summary_report"])
    ]
    assert hashes(tmp_path / DAY) == expected
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_manifest_lists_every_file_with_hash_and_rows(home: Store) -> None:
    manifest = json.loads(output(home, f"manifest_{DAY}.json").read_text(encoding="utf-8"))
    listed = {entry["name"]: entry for entry in manifest["files"]}
    others = [path for path in (home.output / DAY).iterdir() if not path.name.startswith("manifest")]
    assert sorted(listed) == sorted(path.name for path in others)
    for path in others:
        assert listed[path.name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert listed[f"TikTok_Trend_System_US_{DAY}.xlsx"]["rows"] == {"US": len(HOSTILE)}
    assert {(feed["market"], feed["kind"]) for feed in manifest["feeds"]} == {
        (market, kind) for market in ("US", "UK") for kind in ("videos", "music")
    }


def test_summary_names_missing_sources_and_the_actions(home: Store) -> None:
    text = output(home, f"SUMMARY_REPORT_{DAY}.txt").read_text(encoding="utf-8")
    assert "US: 8 items, 8 unique videos, 8 fresh (72h)" in text
    assert "🌐 BOTH: 1 videos" in text
    assert "UK music: MISSING" in text
    assert "🔴 IMMEDIATE ACTIONS" in text
    assert "\x07" not in text


def test_a_date_that_is_not_published_is_named(home: Store) -> None:
    day = date(2026, 1, 6)
    with (
        pytest.raises(LookupError, match="it holds 2026-01-05 to 2026-01-05"),
        open_day(home.published_path, day),
    ):
        pytest.fail("an unpublished date was opened")
