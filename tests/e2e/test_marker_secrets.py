"""Whole runs with a marker in every secret variable, every service failing and repeating what it was sent.

The markers are looked for in all that is printed and in every file of the home: bytes, what workbooks and SQLite files
hold inside, and every row of the DuckDB files, whose text is compressed.
"""

from __future__ import annotations

import base64
import json
import logging
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from pydantic import SecretStr

from orchestration import services
from orchestration.settings import Settings
from tests.service import drill
from tests.service.discord import WEBHOOK_ID
from tests.service.faults import Fault
from tests.service.server import Service, environment
from tests.support import video, write_feed

pytestmark = pytest.mark.slow("three whole runs, and all that they left")

DAY = "2026-01-05"
VIDEO = "7590000000000000001"
MARKER = "MARKER"
KEY = {"type": "service_account", "client_email": "robot@project.example", "private_key": "MARKER-private-key"}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """The account, with markers for secrets."""
    service = Service()
    service.apify.token = "MARKER-apify-token"
    service.discord.token = "MARKER-webhook-token"
    service.token.client_secret = "MARKER-client-secret"
    service.token.refresh_token = "MARKER-refresh-token"
    service.chat.topic = "MARKER-topic"
    service.drive.add_folder("parent", "Trends")
    service.sheets.add("book")
    with service.running():
        yield service
    assert service.violations == []


def fail(service: Service, *patterns: str) -> None:
    """Every request of the routes is refused, with a message that repeats the secrets which that service was sent."""
    signed_in_with = f"{service.token.client_secret} {service.token.refresh_token}"
    said = {
        "apify.*": service.apify.token,
        "google.token": signed_in_with,
        "drive.*": signed_in_with,
        "sheets.*": signed_in_with,
        "discord.*": service.webhook_url,
        "ntfy.*": service.chat.topic,
    }
    service.faults.clear()
    for pattern in patterns:
        text = said[pattern]
        body: dict[str, object] = {
            "error": {"code": 400, "type": text, "message": text, "errors": [{"reason": text, "message": text}]},
            "message": text,
        }
        if pattern == "google.token":
            body = {"error": text, "error_description": text}
        service.faults.add(pattern, Fault("status", 400, body=body, times=1_000))


@pytest.fixture(scope="module")
def ran(service: Service, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, list[int]]:
    """The home, all that was printed, and the exit codes of the runs."""
    directory = tmp_path_factory.mktemp("markers")
    home, output = directory / "home", directory / "printed.txt"
    given = environment(service) | {
        "GOOGLE_CREDENTIALS": base64.b64encode(json.dumps(KEY).encode()).decode(),
        "DRIVE_FOLDER_ID": "parent", "DASHBOARD_SHEET_ID": "book", "US_VIDEO_TASK_ID": "user~us",
        "CHANNELS": f"phone | ntfy://robot:MARKER-password@{service.url.removeprefix('http://')}/{service.chat.topic}"
        " ; mail | mailto://robot:MARKER-mail-password@127.0.0.1:9/?from=a@example.org&to=MARKER-me@example.org",
        "RETRY_WAIT_S": "0.01", "TRENDS_LOG_LEVEL": "DEBUG", "HEARTBEAT_URL": "http://127.0.0.1:9/MARKER-heartbeat",
    }  # fmt: skip
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    # With a database for Dagster there is no storage below the home to look into.
    secret.remove("dagster_postgres_url")
    assert secret <= {name.lower() for name in given}, "a secret variable without a marker"
    write_feed(directory / "feeds", f"{DAY}T08:00", [video(VIDEO, shares=4000, plays=90_000)])
    folder = ("--source", str(directory / "feeds"), "--date", DAY)
    codes = []
    # Without a token nothing of Google is reached: so Drive and the sheet are refused in a run of their own.
    for command, arguments, failing in (
        ("run", ("--source", "apify"), ("apify.*", "google.token", "discord.*", "ntfy.*")),
        ("run", folder, ("drive.*", "sheets.*", "discord.*", "ntfy.*")),
        # A poll whose message is refused is a good one: its sign of life goes to nobody.
        ("poll", folder, ("discord.*", "ntfy.*")),
    ):
        fail(service, *failing)
        process = drill.start_trends(given, output, command, "--home", str(home), *arguments)
        process.join(300)
        codes.append(process.exitcode or 0)
    return home, output.read_text(encoding="utf-8"), codes


def places(home: Path, text: str) -> list[str]:
    """Every place of a home that holds a text."""
    found = []
    for path in (path for path in home.rglob("*") if path.is_file()):
        contents = [path.read_bytes()]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                contents += [archive.read(name) for name in archive.namelist()]
        if contents[0].startswith(b"SQLite format 3"):
            with closing(sqlite3.connect(path)) as connection:
                contents += [line.encode() for line in connection.iterdump()]
        if path.suffix == ".duckdb":
            contents += [row.encode() for row in duckdb_rows(path)]
        if any(text.encode() in content for content in contents):
            found.append(path.relative_to(home).as_posix())
    return found


def duckdb_rows(path: Path) -> Iterator[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
        for schema, table in tables:
            rows = connection.execute(f'select cast(entry as varchar) from "{schema}"."{table}" as entry').fetchall()
            yield from (row[0] for row in rows)


def test_no_marker_is_printed_or_kept(ran: tuple[Path, str, list[int]], service: Service) -> None:
    home, printed, codes = ran
    assert codes == [1, 1, 0]
    for told in ("Apify: ", "Google sign-in: get a token failed", "drive failed: Google Drive: "):
        assert told in printed
    assert "dashboard failed: Google Sheets: " in printed
    assert "channel phone failed: ntfy channel phone: send a message failed (refused): HTTP 400" in printed
    assert "channel mail failed: e-mail channel mail: send a message failed (not sent): ConnectionRefused" in printed
    assert {entry.route for entry in service.log} >= {"apify.runs", "google.token", "discord.execute", "ntfy.send"}
    minted = list(service.token.minted)
    assert minted
    for hidden in (MARKER, base64.b64encode(b"MARKER-private").decode().rstrip("=")[:16], WEBHOOK_ID, *minted):
        assert hidden not in printed
        assert places(home, hidden) == [], hidden


def test_the_search_sees_what_is_there(ran: tuple[Path, str, list[int]]) -> None:
    home, _, _ = ran
    found = places(home, VIDEO)
    assert {"warehouse/facts.duckdb", "warehouse/trends.duckdb"} <= set(found)
    assert [name for name in found if name.endswith(".xlsx")]
    assert [name for name in places(home, "STEP_FAILURE") if name.startswith("dagster/")]


def test_a_log_record_that_nobody_foresaw_loses_its_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    handler = logging.StreamHandler()
    handler.addFilter(services.Redacting([SecretStr("MARKER-1"), SecretStr("MARKER-2")]))
    logger = logging.getLogger("tests.redacting")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        raise ValueError("MARKER-1 in an exception")
    except ValueError:
        logger.exception("%s and 100 %%", "MARKER-2")
    logger.removeHandler(handler)
    shown = capsys.readouterr().err
    assert "*** and 100 %" in shown and "ValueError: *** in an exception" in shown
    assert MARKER not in shown
