"""dbt's exposures name the marts that each file, message and page asks for: no more, no less."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pytest

from engine import dbt_runner
from exports import file_kinds, published
from exports.published import Day
from exports.report.chart import day_chart
from exports.text.daily_report import covers, daily_report
from exports.text.poll_report import messages
from tests import homes
from tests.support import MARKETS, PROJECT
from warehouse.store import Store, connect

# A mart where a query reads from it.
MART = re.compile(r"\bmarts\.(\w+)")
NOW = datetime(2026, 3, 16, 12, tzinfo=UTC)
# Files that hold the same of another market or number of rows are one exposure.
EXPOSURE_OF = {
    "build_today_top20": "build_today",
    "build_today_top100": "build_today",
    "trend_system_us": "trend_system",
    "trend_system_uk": "trend_system",
    "build_today_us_enhanced": "build_today_enhanced",
    "build_today_uk_enhanced": "build_today_enhanced",
    "build_today_combined_enhanced": "build_today_enhanced",
    "dashboard_payload": "dashboard_sheet",
}


class Watched:
    """A connection that notes which marts it is asked for."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, marts: set[str]) -> None:
        self._connection, self._marts = connection, marts

    def execute(self, sql: str, *values: Any) -> duckdb.DuckDBPyConnection:
        self._marts.update(MART.findall(sql))
        return self._connection.execute(sql, *values)

    def cursor(self) -> Watched:
        return Watched(self._connection.cursor(), self._marts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return homes.sample(tmp_path_factory)


@pytest.fixture(scope="module")
def declared() -> dict[str, set[str]]:
    manifest = json.loads(dbt_runner.ensure_manifest(PROJECT).read_text(encoding="utf-8"))
    return {
        exposure["name"]: {node.split(".")[2] for node in exposure["depends_on"]["nodes"]}
        for exposure in manifest["exposures"].values()
    }


def dates(home: Store) -> list[date]:
    with closing(connect(home.published_path, read_only=True)) as connection:
        return [day for (day,) in connection.sql("select as_of_date from meta.builds order by 1").fetchall()]


def test_files_and_the_message_of_a_day(home: Store, declared: dict[str, set[str]]) -> None:
    asked: dict[str, set[str]] = defaultdict(set)
    with published.open_day(home.published_path, dates(home)[-1]) as day:
        for name, file in file_kinds.of_day(MARKETS).items():
            assert file.make(watched(day, asked[EXPOSURE_OF.get(name, name)]))
        of_message = watched(day, asked["daily_message"])
        assert daily_report(of_message, [], [], day_chart(of_message)).lines
        covers(of_message, NOW)
    assert asked == {name: declared[name] for name in asked}


def test_messages_of_polls(home: Store, declared: dict[str, set[str]]) -> None:
    asked: set[str] = set()
    with closing(connect(home.published_path, read_only=True)) as connection:
        polled = connection.sql("select distinct as_of_date from marts.micro_polls").fetchall()
        watching: Any = Watched(connection, asked)
        polls = [published.last_poll(watching, day) for (day,) in polled]
    assert any(poll.alerts or poll.trends for poll in polls)
    assert any(messages(poll) for poll in polls)
    assert asked == declared["poll_messages"]


def test_the_explorer(declared: dict[str, set[str]]) -> None:
    questions = [*(PROJECT / "explorer").glob("*.py"), PROJECT / "exports" / "questions.py"]
    assert set(MART.findall("".join(path.read_text(encoding="utf-8") for path in questions))) == declared["explorer"]


def test_nothing_else_is_exposed(declared: dict[str, set[str]]) -> None:
    files = {EXPOSURE_OF.get(name, name) for name in file_kinds.of_day(MARKETS)}
    assert set(declared) == {*files, "daily_message", "poll_messages", "explorer"}


def watched(day: Day, marts: set[str]) -> Day:
    connection: Any = Watched(day.connection, marts)
    return replace(day, connection=connection)
