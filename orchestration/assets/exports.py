"""Export assets: the files of the day, any of which can be made again alone.

Belongs here: wiring of `exports.daily_files` to the graph, how many are made at a time. Must not be here: contents of
files.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from datetime import date
from functools import partial

import dagster as dg

from exports.build_today import build_today
from exports.daily_files import ExportedFile, write_file, write_manifest
from exports.dashboard import payload
from exports.enhanced import enhanced
from exports.full_market import full_market
from exports.published import Day
from exports.summary import summary
from exports.trend_report import trend_report
from orchestration.assets.publish import PUBLISHED
from orchestration.feeds import configured_markets
from orchestration.partitions import DAILY, SINGLE_RUN, run_dates
from orchestration.settings import Settings
from warehouse.publish import published_dates
from warehouse.store import Store

# What the catalogue shows beside a file.
KINDS = {"xlsx": "excel", "txt": "text", "json": "json", "html": "html"}


def daily_files(markets: Sequence[str]) -> dict[str, tuple[str, Callable[[Day], bytes]]]:
    """Asset name to file name pattern and the function that makes the file, in the order users know."""
    files: dict[str, tuple[str, Callable[[Day], bytes]]] = {
        "build_today_top20": ("BUILD_TODAY_TOP20_<date>.xlsx", partial(build_today, top=20)),
        "build_today_top100": ("BUILD_TODAY_TOP100_<date>.xlsx", partial(build_today, top=100)),
    }
    for market in markets:
        files[f"trend_system_{market.lower()}"] = (
            f"TikTok_Trend_System_{market}_<date>.xlsx",
            partial(full_market, market=market),
        )
    files["summary_report"] = ("SUMMARY_REPORT_<date>.txt", summary)
    for market in markets:
        files[f"build_today_{market.lower()}_enhanced"] = (
            f"BUILD_TODAY_{market}_ENHANCED_<date>.xlsx",
            partial(enhanced, market=market),
        )
    files["build_today_combined_enhanced"] = ("BUILD_TODAY_COMBINED_ENHANCED_<date>.xlsx", enhanced)
    files["dashboard_payload"] = ("dashboard_payload_<date>.json", payload)
    files["trend_report"] = ("TREND_REPORT_<date>.html", trend_report)
    return files


def revenue_files(markets: Sequence[str] | None = None) -> list[dg.AssetKey]:
    """The files that show revenue, and the manifest: all but the full workbooks of the markets."""
    markets = markets or configured_markets()
    without = {f"trend_system_{market.lower()}" for market in markets}
    return [dg.AssetKey(["exports", name]) for name in (*daily_files(markets), "manifest") if name not in without]


def build_export_assets(markets: Sequence[str] | None = None) -> list[dg.AssetsDefinition]:
    """The file assets and the manifest that lists them all."""
    files = daily_files(markets or configured_markets())
    return [_file_assets(files), _manifest_asset(files)]


def _file_assets(files: Mapping[str, tuple[str, Callable[[Day], bytes]]]) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="daily_files",
        specs=[
            dg.AssetSpec(
                ["exports", name],
                deps=[PUBLISHED],
                group_name="exports",
                kinds={KINDS[pattern.rsplit(".", 1)[1]]},
                partitions_def=DAILY,
                skippable=True,
                description=f"`{pattern}` from the published marts.",
            )
            for name, (pattern, _) in files.items()
        ],
        can_subset=True,
        backfill_policy=SINGLE_RUN,
    )
    def daily_files(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], store: dg.ResourceParam[Store]
    ) -> Iterator[dg.MaterializeResult]:
        """The selected files of the run's dates, several at a time."""
        days = _exported_dates(context, store)
        chosen = {
            name: file for name, file in files.items() if dg.AssetKey(["exports", name]) in context.selected_asset_keys
        }
        with _executor(settings.export_processes) as executor:
            making = {
                name: [
                    executor.submit(write_file, store.published_path, day, settings.output_of(day), pattern, make)
                    for day in days
                ]
                for name, (pattern, make) in _longest_first(chosen)
            }
            failures: dict[str, Exception] = {}
            for name in chosen:
                try:
                    yield _result([future.result() for future in making[name]], name)
                # One file that fails must not keep the others back.
                except Exception as error:
                    failures[name] = error
        if failures:
            told = "; ".join(f"{name}: {error}" for name, error in failures.items())
            raise dg.Failure(told, allow_retries=False) from next(iter(failures.values()))

    return daily_files


def _longest_first(
    files: Mapping[str, tuple[str, Callable[[Day], bytes]]],
) -> list[tuple[str, tuple[str, Callable[[Day], bytes]]]]:
    """The big workbooks and the report with its charts before the rest, so that no process is alone at the end."""
    return sorted(files.items(), key=lambda file: not file[0].startswith("trend_"))


def _executor(processes: int) -> Executor:
    """As many processes that make files, or a thread where one is enough."""
    if processes <= 1:
        return ThreadPoolExecutor(1)
    # Not forked: this process has threads (DuckDB's, Dagster's), and a copy of them would hang.
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))


def _manifest_asset(files: dict[str, tuple[str, Callable[[Day], bytes]]]) -> dg.AssetsDefinition:
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
        written = []
        for day in _exported_dates(context, store):
            directory = settings.output_of(day)
            paths = [directory / pattern.replace("<date>", day.isoformat()) for pattern, _ in files.values()]
            written.append(write_manifest(store.published_path, day, directory, paths))
        return _result(written)

    return manifest


def _exported_dates(context: dg.AssetExecutionContext, store: Store) -> list[date]:
    """The run's dates that are published: a range may hold days without any feed."""
    published = set(published_dates(store))
    return [day for day in map(date.fromisoformat, run_dates(context)) if day in published]


def _result(files: Sequence[ExportedFile], name: str | None = None) -> dg.MaterializeResult:
    return dg.MaterializeResult(
        asset_key=["exports", name] if name else None,
        metadata={
            "files": "\n".join(str(file.path) for file in files),
            "sha256": files[-1].sha256,
            "bytes": sum(file.size for file in files),
            "changed": sum(file.changed for file in files),
            "seconds": round(sum(file.seconds for file in files), 3),
        },
    )
