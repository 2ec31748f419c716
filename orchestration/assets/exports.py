"""Export assets: the files of the day, any of which can be made again alone.

Belongs here: wiring of `exports.daily_files` to the graph, how many are made at a time. Must not be here: which files
there are (`exports.file_kinds`), their contents.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Any

import dagster as dg

from engine import progress
from exports import file_kinds
from exports.file_kinds import DailyFile
from orchestration import makers, outcomes, plots
from orchestration.assets.publication import PUBLISHED
from orchestration.partitions import DAILY, SINGLE_RUN, run_dates
from orchestration.settings import Settings
from orchestration.sources import configured_markets
from warehouse import machine
from warehouse.publish import published_dates
from warehouse.store import Store

if TYPE_CHECKING:
    from exports.daily_files import ExportedFile

FILE_OPS = ("daily_files", "exports__manifest")


class Files(Enum):
    """Of which dates of a run files are made. A run is asked for them by name."""

    all = "all"
    latest = "latest"
    none = "none"


class FilesConfig(dg.Config):
    """Of which dates files are made.

    Attributes:
        files: `all` of the run's; the `latest` one and those whose files are there already; or `none`.
    """

    files: Files = Files.all


# What the catalogue shows beside a file.
KINDS = {"xlsx": "excel", "txt": "text", "json": "json", "html": "html"}


def revenue_files(markets: Sequence[str] | None = None) -> list[dg.AssetKey]:
    """The files that show revenue, and the manifest: all but the full workbooks of the markets."""
    markets = markets or configured_markets()
    without = {f"trend_system_{market.lower()}" for market in markets}
    return [dg.AssetKey(["exports", name]) for name in (*file_kinds.of_day(markets), "manifest") if name not in without]


def build_export_assets(markets: Sequence[str] | None = None) -> list[dg.AssetsDefinition]:
    """The file assets and the manifest that lists them all."""
    files = file_kinds.of_day(markets or configured_markets())
    return [_file_assets(files), _manifest_asset(files)]


def _file_assets(files: Mapping[str, DailyFile]) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="daily_files",
        specs=[
            dg.AssetSpec(
                ["exports", name],
                deps=[PUBLISHED],
                group_name="exports",
                kinds={KINDS[file.pattern.rsplit(".", 1)[1]]},
                partitions_def=DAILY,
                skippable=True,
                description=f"`{file.pattern}`: {file.about}",
            )
            for name, file in files.items()
        ],
        can_subset=True,
        backfill_policy=SINGLE_RUN,
    )
    def daily_files(
        context: dg.AssetExecutionContext,
        config: FilesConfig,
        settings: dg.ResourceParam[Settings],
        store: dg.ResourceParam[Store],
    ) -> Iterator[dg.MaterializeResult]:
        """The selected files of the run's dates, several at a time."""
        days = _exported_dates(context, store, settings, config.files)
        if not days:
            return
        from exports.daily_files import close_day, remember, write_files

        chosen = [name for name in files if dg.AssetKey(["exports", name]) in context.selected_asset_keys]
        # The big workbooks and the report with its charts first, so that no process is alone at the end.
        ordered = sorted(chosen, key=lambda name: not name.startswith("trend_"))
        # The processes share the files of one date; of many, each makes all files of a date that it opens once.
        groups = [[name] for name in ordered] if len(days) == 1 else [ordered]
        making: dict[str, list[tuple[Future[list[ExportedFile | Exception]], int]]] = {name: [] for name in chosen}
        failures: dict[str, Exception] = {}
        with (
            ExitStack() as closing,
            _executor(1 if machine.is_small() else settings.export_processes) as executor,
            progress.stage("files", len(chosen) * len(days), "files") as shown,
        ):
            closing.callback(close_day)
            for day in days:
                for names in groups:
                    future = executor.submit(
                        write_files, store.published_path, day, settings.output_of(day),
                        [(files[name].pattern, files[name].make) for name in names], settings.times,
                    )  # fmt: skip
                    future.add_done_callback(_telling(shown, len(names)))
                    for place, name in enumerate(names):
                        making[name].append((future, place))
            for name in chosen:
                try:
                    written = [_written(future.result()[place]) for future, place in making[name]]
                    for file in written:
                        remember(file)
                    yield _result(written, name)
                # One file that fails must not keep the others back.
                except Exception as error:
                    failures[name] = error
        if failures:
            told = "; ".join(f"{name}: {error}" for name, error in failures.items())
            raise dg.Failure(told, allow_retries=False) from next(iter(failures.values()))

    return daily_files


def _telling(shown: progress.Stage, files: int) -> Callable[[object], None]:
    return lambda _: shown.update(files)


def _written(outcome: "ExportedFile | Exception") -> "ExportedFile":
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _executor(processes: int) -> Executor:
    """As many processes that make files, or a thread where one is enough."""
    if processes <= 1:
        return ThreadPoolExecutor(1)
    makers.start()
    context = multiprocessing.get_context("forkserver")
    return ProcessPoolExecutor(processes, mp_context=context, initializer=makers.begin)


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
        context: dg.AssetExecutionContext,
        config: FilesConfig,
        settings: dg.ResourceParam[Settings],
        store: dg.ResourceParam[Store],
    ) -> dg.MaterializeResult:
        from exports.daily_files import write_manifest

        written = []
        days = _exported_dates(context, store, settings, config.files)
        # Held open, the file is not opened anew for each date, which took most of the time.
        with store.published_reader():
            for day in days:
                directory = settings.output_of(day)
                paths = [directory / file.pattern.replace("<date>", day.isoformat()) for file in files.values()]
                written.append(write_manifest(store.published_path, day, directory, paths))
        return _result(written)

    return manifest


def _exported_dates(context: dg.AssetExecutionContext, store: Store, settings: Settings, files: Files) -> list[date]:
    """The run's dates that are published and of which files are wanted: a range may hold days without any feed.

    Raises:
        dg.Failure: None of them is published.
    """
    wanted, published = run_dates(context), set(published_dates(store))
    days = [day for day in map(date.fromisoformat, wanted) if day in published]
    if not days:
        message = (
            f"{store.published_path} does not hold {', '.join(wanted)}: run `trends run --date {wanted[-1]}` again"
        )
        raise dg.Failure(message, allow_retries=False)
    if files is Files.all:
        return days
    # Files of a year that nobody asked for take longer than its models. Those that are there must not grow old.
    return [day for day in days if files is Files.latest and (day == days[-1] or settings.output_of(day).is_dir())]


def _result(files: "Sequence[ExportedFile]", name: str | None = None) -> dg.MaterializeResult:
    for file in files:
        outcomes.tell(outcomes.Written(file.path, file.seconds))
    last = files[-1]
    told: dict[str, Any] = {
        "files": "\n".join(str(file.path) for file in files),
        "sha256": last.sha256,
        "bytes": sum(file.size for file in files),
        "changed": sum(file.changed for file in files),
    }
    if last.rows is not None:
        told["dagster/row_count"] = last.rows
    if last.path.suffix == ".html":
        from exports.report.trend_report import first_picture

        # The report's own chart: another one would have to be drawn.
        drawn = first_picture(last.path.read_bytes())
        if drawn is not None:
            told["expected_gains"] = plots.picture(drawn, "Views gained in the next 24 hours, 80 % range and middle")
    told["seconds"] = round(sum(file.seconds for file in files), 3)
    return dg.MaterializeResult(asset_key=["exports", name] if name else None, metadata=told)
