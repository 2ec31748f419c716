"""Helpers of the test suite: homes, feeds, the command line in process, dbt on a home, table checksums.

Belongs here: what several test modules need. Must not be here: assertions about the product, expected values.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engine import compiled_models, compiler, dbt_runner
from ingest import export_folder, facts, landing
from orchestration import cli
from warehouse import completeness
from warehouse.store import Store, checkpoint, connect

PROJECT = Path(__file__).resolve().parents[1]
REAL_DATA = PROJECT.parent / "shared" / "data"
FIXTURES = PROJECT / "tests" / "fixtures"
MARKETS = ("US", "UK")
# The folders of the program, as it is packed.
ROOMS = sorted(
    pattern.rstrip("*")
    for pattern in tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "packages"
    ]["find"]["include"]
)

Rows = list[tuple[Any, ...]]
Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call of the `trends` command gave."""

    code: int
    out: str
    err: str


def real_data(name: str) -> Path:
    """A set of the real data beside the repository, for tests marked `real_data`; the test fails where it lacks."""
    path = REAL_DATA / name
    if not path.exists():
        pytest.fail(
            f"the real data set {name} is missing: ../shared is beside this checkout, ../shared/data/{name} not"
        )
    return path


def trends(*arguments: str | Path) -> Outcome:
    """Runs the `trends` command in this process: starting one of its own costs many times the work."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse ends the process on wrong use
            code = int(stop.code or 0)
    return Outcome(code, out.getvalue(), err.getvalue())


def moment(text: str) -> datetime:
    """`2026-01-05T08:00` as an aware UTC time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def video(
    video_id: str = "7590000000000000001",
    *,
    plays: object = 1000,
    likes: object = 100,
    shares: object = 10,
    posted: str = "2026-01-04T20:00:00.000Z",
    **further: object,
) -> Item:
    """A video item in the nested shape, with invented values; `None` leaves a count out."""
    counts = {"playCount": plays, "diggCount": likes, "shareCount": shares}
    return {
        "id": video_id,
        "text": "an invented caption #capcut",
        "createTimeISO": posted,
        "authorMeta": {"name": "example.creator", "id": "1"},
        "webVideoUrl": f"https://www.tiktok.com/@example.creator/video/{video_id}",
        "hashtags": [{"name": "capcut"}],
        **{key: value for key, value in counts.items() if value is not None},
        **further,
    }


def write_feed(
    folder: Path,
    observed_at: str,
    items: Iterable[object],
    *,
    market: str = "us",
    kind: str = "videos",
    suffix: str = ".json",
) -> Path:
    """Writes a feed file of an export folder.

    Args:
        folder: The export folder.
        observed_at: `2026-01-05T08:00`.
        items: What stands in the list; any JSON value, so that broken feeds can be written too.
        market: Market folder.
        kind: `videos` or `music`.
        suffix: `.json` or `.jsonl`, plain or `.gz`.
    """
    separators = (",", ":")
    lines = [json.dumps(item, ensure_ascii=False, separators=separators) for item in items]
    text = "\n".join([*lines, ""]) if ".jsonl" in suffix else f"[{','.join(lines)}]"
    return write_file(folder, observed_at, text.encode(), market=market, kind=kind, suffix=suffix)


def write_file(
    folder: Path,
    observed_at: str,
    content: bytes,
    *,
    market: str = "us",
    kind: str = "videos",
    suffix: str = ".json",
) -> Path:
    """Writes bytes under the name of a feed; they are compressed for a suffix that ends in `.gz`."""
    path = folder / market / kind / f"{moment(observed_at):%Y-%m-%dT%H-%M-%SZ}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
    return path


def land_folder(store: Store, folder: Path, landed_at: str = "2026-01-06T09:00") -> landing.LandingReport:
    """Lands an export folder into a home."""
    feeds, refusals = export_folder.scan(folder, MARKETS)
    with facts.writer(store) as connection:
        return landing.land(connection, feeds, refusals, landed_at=moment(landed_at))


def prepare(store: Store, *dates: str) -> None:
    """Gives a home its raw tables and a cut-off at the day's end for each of the dates."""
    with facts.writer(store) as connection:
        for text in dates:
            landing.cutoff_for(connection, moment(text).date(), now=datetime(2100, 1, 1, tzinfo=UTC))


def dbt(store: Store, command: str, *arguments: str, dates: Sequence[str] = ()) -> list[dbt_runner.NodeResult]:
    """Runs a dbt command of the project on a home."""
    return dbt_runner.invoke(PROJECT, store, command, as_of_dates=dates, arguments=arguments)


def build_models(
    store: Store, dates: Sequence[str], names: Iterable[str] = (), *, tested: bool = False
) -> list[dbt_runner.NodeResult]:
    """Builds models with the product's own engine: dbt, which takes five times the work, is for tests of dbt.

    Args:
        store: A home with raw rows; a new one is given all relations and seeds.
        dates: ISO dates of the batch.
        names: Models, `+name` together with all that it is made from; every model without names.
        tested: Whether data tests run too, as far as all they look at is built.
    """
    nodes = [node for node in compiler.compiled(PROJECT) if tested or node.kind != "test"]
    made_from = {node.name: [key.split(".")[2] for key in node.after if not key.startswith("test.")] for node in nodes}
    wanted: set[str] = set()
    for name in names:
        model = name.removeprefix("+")
        wanted.update([model], made_from[model] if name != model else ())
    with store.model_writer() as connection:
        compiled_models.prepare(connection, PROJECT, dbt_runner.fingerprint(PROJECT))
        results = compiled_models.run(connection, nodes, dates, wanted or None)
        checkpoint(connection)
    return results


def build_day(store: Store, folder: Path, day: date) -> None:
    """One day more, as the daily run lands and builds it, without publishing and files."""
    feeds, refusals = export_folder.scan(folder, MARKETS, until=datetime.combine(day, time(23, 59), UTC))
    now = datetime.now(UTC)
    with facts.writer(store) as connection:
        landing.land(connection, feeds, refusals, landed_at=now)
        landing.cutoff_for(connection, day, now=now)
    build_models(store, [day.isoformat()], tested=True)


def build(store: Store, sql: str) -> Rows:
    """All rows of a query on the build file and the marts."""
    with store.model_writer() as connection:
        return connection.execute(sql).fetchall()


def published(store: Store, sql: str) -> Rows:
    """All rows of a query on the published file."""
    with store.published_reader() as connection:
        return connection.execute(sql).fetchall()


def note_rows(connection: duckdb.DuckDBPyConnection, *dates: str) -> None:
    """Notes the rows of marts that a test wrote by hand, as the models' own statements do of theirs."""
    completeness.ensure_notes(connection)
    for mart in completeness.daily_marts(connection):
        for day in dates:
            connection.execute(f"delete from {completeness.NOTES} where (mart, as_of_date) = (?, ?::date)", [mart, day])
            connection.execute(
                f'insert into {completeness.NOTES} select ?, ?::date, count(*) from marts."{mart}"'
                " where as_of_date = ?::date",
                [mart, day, day],
            )


def records(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """All rows of a query as dicts."""
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def mart_checksums(path: Path, where: str = "true") -> dict[str, tuple[int, str]]:
    """Rows and an order-free checksum over all columns of each mart with an as-of date, or of all marts.

    Args:
        path: A DuckDB file with a schema `marts`.
        where: A condition on `as_of_date`; tables without that column are left out unless it is `true`.
    """
    connection = connect(path, read_only=True)
    try:
        tables = connection.execute(
            "select table_name, bool_or(column_name = 'as_of_date') from duckdb_columns()"
            " where schema_name = 'marts' and database_name = current_database() group by 1 order by 1"
        ).fetchall()
        result = {}
        for name, is_daily in tables:
            if where != "true" and not is_daily:
                continue
            [(rows, digest)] = connection.execute(
                f'select count(*), cast(sum(cast(hash(mart) as hugeint)) as varchar) from marts."{name}" as mart'
                f" where {where}"
            ).fetchall()
            result[name] = (rows, digest)
        return result
    finally:
        connection.close()
