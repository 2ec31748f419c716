"""A year: its backfill by the command, and the questions of `examples/` asked of a year that was published.

Belongs here: whole years. Must not be here: a day on a year of history (`speed`).

`BENCH_YEAR_DAYS` (default 365) shortens it for a trial.
"""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path
from time import monotonic

import duckdb

from benchmarks import speed
from benchmarks.home import PROJECT, backfill
from simulator import simulate, write_export_folder
from simulator.config import bench_config
from warehouse.store import Store

DAYS = int(os.environ.get("BENCH_YEAR_DAYS", "365"))
_BACKFILL_SIZE, _READING_SIZE = 300, 1_000
_RUNS = 5


def report(directory: Path) -> str:
    """Two tables: the backfill, and the questions.

    Args:
        directory: An empty directory.
    """
    return "\n\n".join("\n".join(lines) for lines in (_backfill(directory / "fill"), _reading(directory / "read")))


def _feeds(directory: Path, size: int) -> Path:
    # Before today: a date that has not begun cannot be run.
    write_export_folder(simulate(bench_config(size, DAYS, speed.START - timedelta(days=DAYS))), directory / "feeds")
    return directory / "feeds"


def _backfill(directory: Path) -> list[str]:
    feeds, home = _feeds(directory, _BACKFILL_SIZE), directory / "home"
    lines = [
        f"## Speed: a backfill of {DAYS} dates of 2 x {_BACKFILL_SIZE} videos",
        "",
        "| `--files` | whole process s | CPU s | peak MB | files | MB of files |",
        "|---|---|---|---|---|---|",
    ]
    stages = []
    for files in ("latest", "all"):
        cost = speed.process(
            "-m", "orchestration.cli", "backfill", "--source", feeds, "--home", home, "--files", files
        )  # fmt: skip
        made = [path for path in (home / "output").rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in made) / 2**20
        lines.append(
            f"| {files} | {cost.seconds:.0f} | {cost.cpu:.0f} | {cost.memory:.0f} | {len(made):,} | {size:.0f} |"
        )
        stages += ["", f"Stages with `{files}`: {speed.stages(cost.output)}."]
        shutil.rmtree(home)
    shutil.rmtree(directory)
    return lines + stages


def _reading(directory: Path) -> list[str]:
    store = backfill(_feeds(directory, _READING_SIZE), directory / "home")
    parquet = directory / "parquet"
    speed.process("-m", "orchestration.cli", "export", "--parquet", parquet, "--home", store.home)
    usual = directory / "usual"
    with store.published_reader() as connection:
        connection.execute(f"export database '{usual}' (format parquet)")
    file, exported, as_usual = (
        sum(path.stat().st_size for path in paths) / 2**20
        for paths in ([store.published_path], parquet.rglob("*.parquet"), usual.rglob("*marts*.parquet"))
    )
    [(readings,)] = _asked(store, "select count(*) from marts.video_readings")
    lines = [
        f"## Speed: questions of a year of 2 x {_READING_SIZE:,} videos a day",
        "",
        f"{DAYS} dates, {readings:,} readings. The published file holds {file:.0f} MB, its marts as Parquet of DuckDB's"
        f" own settings (Snappy) {as_usual:.0f} MB: {file / as_usual:.2f} of it; as `trends export` writes them (zstd)"
        f" {exported:.0f} MB: {file / exported:.2f}.",
        "",
        f"| question of `examples/` | ms from a new connection, median of {_RUNS} | slowest | rows |",
        "|---|---|---|---|",
    ]
    for path in sorted((PROJECT / "examples").glob("*.sql")):
        sql = path.read_text(encoding="utf-8")
        taken = []
        for _ in range(_RUNS):
            started = monotonic()
            rows = _asked(store, sql)
            taken.append(1000 * (monotonic() - started))
        lines.append(f"| {path.stem} | {sorted(taken)[_RUNS // 2]:.0f} | {max(taken):.0f} | {len(rows):,} |")
    shutil.rmtree(directory)
    return lines


def _asked(store: Store, sql: str) -> list[tuple[object, ...]]:
    """All rows, by a connection of its own, as somebody with a script has it."""
    with duckdb.connect(str(store.published_path), read_only=True) as connection:
        return connection.execute(sql).fetchall()
