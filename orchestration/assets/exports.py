"""Export assets: one per kind of file of the day, so that one can be made again alone.

Belongs here: wiring of `exports.daily_files` to the graph. Must not be here: contents of files.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import dagster as dg

from exports.build_today import build_today
from exports.daily_files import ExportedFile, write_file, write_manifest
from exports.dashboard import payload
from exports.enhanced import enhanced
from exports.full_market import full_market
from exports.published import Day
from exports.summary import summary
from exports.trend_report import first_picture, trend_report
from orchestration import plots
from orchestration.assets.publish import PUBLISHED
from orchestration.feeds import configured_markets
from orchestration.partitions import DAILY, SINGLE_RUN, run_dates
from orchestration.settings import Settings
from warehouse.publish import published_dates
from warehouse.store import Store

# What the catalogue shows beside a file.
KINDS = {"xlsx": "excel", "txt": "text", "json": "json", "html": "html"}


@dataclass(frozen=True, slots=True)
class DailyFile:
    """A kind of file of the day.

    Attributes:
        pattern: File name, with `<date>`.
        make: Makes its bytes.
        about: What is in it, for the catalogue.
    """

    pattern: str
    make: Callable[[Day], bytes]
    about: str


def daily_files(markets: Sequence[str]) -> dict[str, DailyFile]:
    """Asset name to file, in the order users know."""
    files = {
        f"build_today_top{limit}": DailyFile(
            f"BUILD_TODAY_TOP{limit}_<date>.xlsx",
            partial(build_today, top=limit),
            f"the {limit} best fresh videos and sounds of each market, and how your own posts do.",
        )
        for limit in (20, 100)
    }
    for market in markets:
        files[f"trend_system_{market.lower()}"] = DailyFile(
            f"TikTok_Trend_System_{market}_<date>.xlsx",
            partial(full_market, market=market),
            f"every {market} video of the day, all columns.",
        )
    files["summary_report"] = DailyFile(
        "SUMMARY_REPORT_<date>.txt", summary, "the day in words: summary, briefing, seasonal alerts."
    )
    enhanced_files: list[tuple[str, Callable[[Day], bytes], str]] = [
        *((market, partial(enhanced, market=market), market) for market in markets),
        ("COMBINED", enhanced, "all markets"),
    ]
    for name, make, of in enhanced_files:
        files[f"build_today_{name.lower()}_enhanced"] = DailyFile(
            f"BUILD_TODAY_{name}_ENHANCED_<date>.xlsx",
            make,
            f"dashboard, opportunities, revenue, competitors and forecasts of {of}.",
        )
    files["dashboard_payload"] = DailyFile(
        "dashboard_payload_<date>.json", payload, "the rows that go to the dashboard sheet."
    )
    files["trend_report"] = DailyFile(
        "TREND_REPORT_<date>.html", trend_report, "the day in pictures, one page that needs no network."
    )
    return files


def revenue_files(markets: Sequence[str] | None = None) -> list[dg.AssetKey]:
    """The files that show revenue, and the manifest: all but the full workbooks of the markets."""
    markets = markets or configured_markets()
    without = {f"trend_system_{market.lower()}" for market in markets}
    return [dg.AssetKey(["exports", name]) for name in (*daily_files(markets), "manifest") if name not in without]


def build_export_assets(markets: Sequence[str] | None = None) -> list[dg.AssetsDefinition]:
    """The file assets and the manifest that lists them all."""
    files = daily_files(markets or configured_markets())
    assets = [_file_asset(name, file) for name, file in files.items()]
    return [*assets, _manifest_asset(files)]


def _file_asset(name: str, file: DailyFile) -> dg.AssetsDefinition:
    @dg.asset(
        key=["exports", name],
        deps=[PUBLISHED],
        group_name="exports",
        kinds={KINDS[file.pattern.rsplit(".", 1)[1]]},
        partitions_def=DAILY,
        backfill_policy=SINGLE_RUN,
        description=f"`{file.pattern}`: {file.about}",
    )
    def export(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], store: dg.ResourceParam[Store]
    ) -> dg.MaterializeResult:
        started = time.monotonic()
        files = [
            write_file(store.published_path, day, settings.output_of(day), file.pattern, file.make)
            for day in _exported_dates(context, store)
        ]
        return _result(files, started)

    return export


def _manifest_asset(files: Mapping[str, DailyFile]) -> dg.AssetsDefinition:
    @dg.asset(
        key=["exports", "manifest"],
        deps=[["exports", name] for name in files],
        group_name="exports",
        kinds={"json"},
        partitions_def=DAILY,
        backfill_policy=SINGLE_RUN,
        description="`manifest_<date>.json`: hash, size and rows of each file, and the feeds they come from.",
    )
    def manifest(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], store: dg.ResourceParam[Store]
    ) -> dg.MaterializeResult:
        started = time.monotonic()
        written = []
        for day in _exported_dates(context, store):
            directory = settings.output_of(day)
            paths = [directory / file.pattern.replace("<date>", day.isoformat()) for file in files.values()]
            written.append(write_manifest(store.published_path, day, directory, paths))
        return _result(written, started)

    return manifest


def _exported_dates(context: dg.AssetExecutionContext, store: Store) -> list[date]:
    """The run's dates that are published: a range may hold days without any feed."""
    published = set(published_dates(store))
    return [day for day in map(date.fromisoformat, run_dates(context)) if day in published]


def _result(files: Sequence[ExportedFile], started: float) -> dg.MaterializeResult:
    last = files[-1]
    told: dict[str, Any] = {
        "files": "\n".join(str(file.path) for file in files),
        "sha256": last.sha256,
        "bytes": sum(file.size for file in files),
        "changed": sum(file.changed for file in files),
    }
    if last.rows is not None:
        told["dagster/row_count"] = last.rows
    # The report's own chart: another one would have to be drawn.
    drawn = first_picture(last.path.read_bytes()) if last.path.suffix == ".html" else None
    if drawn is not None:
        told["expected_gains"] = plots.picture(drawn, "Views gained in the next 24 hours, 80 % range and middle")
    return dg.MaterializeResult(metadata={**told, "seconds": round(time.monotonic() - started, 3)})
