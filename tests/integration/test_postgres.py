"""Dagster's storage and queue in a real PostgreSQL, a cluster of this test's own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg2
import pytest
import yaml

from orchestration import instance
from orchestration.settings import Settings
from tests.support import PROJECT, trends, video, write_feed
from warehouse.store import Store

WAITED = 120.0
# What the queue has to keep apart: a job of the pool that every writer of the warehouse is in.
DEFINITIONS = '''
import dagster as dg
from orchestration.partitions import WRITER_POOL

@dg.asset(pool=WRITER_POOL)
def written(context):
    """Takes the pool; its run's times stand in the database."""

@dg.definitions
def defs():
    return dg.Definitions(assets=[written], jobs=[dg.define_asset_job("hold", executor_def=dg.in_process_executor)])
'''


def executables() -> Path:
    """Debian's PostgreSQL, the newest one that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    if os.geteuid() == 0 and shutil.which("runuser") is None:
        pytest.skip("PostgreSQL does not run as root, and runuser is not there to become another user")
    return found[-1].parent


def as_postgres(*command: str | Path) -> None:
    """Runs a command as a user PostgreSQL accepts: it refuses root."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*user, *map(str, command)], check=True, capture_output=True, cwd="/", timeout=60)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Address of an empty database, with a password, on a free port of the loopback interface."""
    binaries = executables()
    password = secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="trends-pg-") as room:
        directory = Path(room)
        password_file = directory / "password"
        password_file.write_text(password, encoding="utf-8")
        if os.geteuid() == 0:
            for path in (directory, password_file):
                shutil.chown(path, "postgres")
        data = directory / "data"
        as_postgres(
            binaries / "initdb", "-D", data, "-U", "trends", "-A", "scram-sha-256", f"--pwfile={password_file}", "-N"
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {directory} -c fsync=off"
        as_postgres(binaries / "pg_ctl", "-D", data, "-l", directory / "log", "-o", options, "-w", "start")
        try:
            yield f"postgresql://trends:{password}@127.0.0.1:{port}/postgres"
        finally:
            as_postgres(binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


@pytest.fixture
def home(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A home whose settings name the database."""
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", url)
    return Store(tmp_path / "home")


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())
    finally:
        connection.close()


def test_both_configurations_keep_the_same_pools() -> None:
    files, postgres = (
        yaml.safe_load((PROJECT / "orchestration" / name).read_text(encoding="utf-8"))
        for name in ("dagster.yaml", "dagster_postgres.yaml")
    )
    assert files["concurrency"]["pools"] == postgres["concurrency"]["pools"]
    for name in ("telemetry", "nux", "retention"):
        assert files[name] == postgres[name]


def test_a_command_keeps_its_run_in_the_database_and_its_password_nowhere(
    home: Store, url: str, tmp_path: Path
) -> None:
    """A poll of two small feeds; run, steps and materializations stand in PostgreSQL, no SQLite file is made."""
    for market in ("us", "uk"):
        write_feed(tmp_path / "feeds", "2026-01-05T08:00", [video()], market=market)
    outcome = trends("poll", "--source", tmp_path / "feeds", "--date", "2026-01-05", "--home", home.home)
    assert outcome.code == 0, outcome.err
    assert rows(url, "select pipeline_name, status from runs") == [("micro_poll", "SUCCESS")]
    steps = rows(url, "select count(*) from event_logs where dagster_event_type = 'STEP_SUCCESS'")
    assert steps[0][0] == 4  # feeds, models, publishing, messages
    materialized = (
        "select count(*) from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION' and asset_key = %r"
    )
    assert rows(url, (materialized % '["raw", "loads"]')) == [(1,)]
    assert not list(home.dagster.rglob("*.db"))
    password = url.split(":")[2].split("@")[0].encode()
    assert [path for path in home.home.rglob("*") if path.is_file() and password in path.read_bytes()] == []
    assert password.decode() not in outcome.out + outcome.err


@pytest.mark.slow("two launched runs")
def test_two_launches_at_once_run_one_after_the_other(
    home: Store, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the queue and a daemon of their own; each is a process, as it is in the UI."""
    code = tmp_path / "held_runs.py"
    code.write_text(DEFINITIONS, encoding="utf-8")
    environment = os.environ | instance.environment(Settings(trends_home=home.home), home)
    environment["PYTHONPATH"] = str(PROJECT)
    dagster = [sys.executable, "-m", "dagster"]
    launches = [
        subprocess.Popen(
            [*dagster, "job", "launch", "-f", str(code), "-j", "hold"],
            cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    told = [launch.communicate(timeout=WAITED)[0] for launch in launches]
    assert [launch.returncode for launch in launches] == [0, 0], told
    assert rows(url, "select status from runs where pipeline_name = 'hold'") == [("QUEUED",), ("QUEUED",)]

    with (tmp_path / "daemon.log").open("w") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "dagster._daemon", "run", "-f", str(code)],
            cwd=tmp_path, env=environment, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            finished = _finished(url, 2)
        finally:
            daemon.terminate()
            daemon.wait(timeout=60)
    assert [status for status, _, _ in finished] == ["SUCCESS", "SUCCESS"], (tmp_path / "daemon.log").read_text()
    (_, _, first_end), (_, second_start, _) = sorted(finished, key=lambda run: run[1])
    assert first_end <= second_start
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", environment["DAGSTER_POSTGRES_URL"])
    with dg.DagsterInstance.from_config(environment["DAGSTER_HOME"]) as opened:
        assert type(opened.run_storage).__module__.startswith("dagster_postgres")
        assert type(opened.event_log_storage).__module__.startswith("dagster_postgres")
        assert type(opened.run_coordinator).__name__ == "QueuedRunCoordinator"
        queue = opened.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 4
        assert [dict(limit) for limit in queue.tag_concurrency_limits] == [{"key": "dagster/backfill", "limit": 1}]
        assert opened.get_concurrency_config().pool_config.default_pool_limit == 1


def _finished(url: str, count: int) -> list[tuple[str, float, float]]:
    """Status, start and end of the runs as soon as so many have ended, or of those that did in time."""
    deadline = time.monotonic() + WAITED
    query = "select status, start_time, end_time from runs where pipeline_name = 'hold' and end_time is not null"
    while True:
        found = rows(url, query)
        if len(found) >= count or time.monotonic() > deadline:
            return [(str(status), float(str(start)), float(str(end))) for status, start, end in found]
        rows(url, "select pg_sleep(0.3)")
