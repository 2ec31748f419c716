"""Kill drill: the delivery is killed with SIGKILL at many points, run again, and everything exists once.

The service kills the delivering process while one of its requests is on the way (and carries the request out all
the same, as a real service would) or right after it was answered.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.service.faults import Fault, Kind
from tests.service.helpers import AS_OF
from tests.service.server import Service
from tests.service.sheets import Spreadsheet

pytest_plugins = ["tests.service.fixtures"]

DELIVERY = """
import contextlib, datetime as dt, json, sys
from pathlib import Path
import duckdb
from pydantic import SecretStr
from exports import discord, drive, sheets
from exports.google_auth import SCOPE_DRIVE, SCOPE_SHEETS, GoogleConfig, sign_in
from exports.receipts import DuckDBReceipts

url, webhook, folder, secret, refresh = sys.argv[1:]
folder = Path(folder)
day = dt.date(2026, 1, 5)

@contextlib.contextmanager
def connect():
    connection = duckdb.connect(str(folder / "build.duckdb"))
    try:
        yield connection
    finally:
        connection.close()

receipts = DuckDBReceipts(connect, lambda: dt.datetime.now(dt.UTC))
google = GoogleConfig("client-1.apps.example", SecretStr(secret), SecretStr(refresh), token_uri=url + "/token")
session = sign_in(google, [SCOPE_DRIVE, SCOPE_SHEETS])
paths = sorted((folder / "output").iterdir())
files = drive.deliver(drive.DriveConfig("parent", url, simple_upload_limit=100_000), session, receipts, day, paths)
tables = [
    sheets.SheetTable(tab, ("Trend", "URL"), [["=a", f"u{n}"] for n in range(40)], [f"{day}|{n}" for n in range(40)])
    for tab in ("COMPETITOR_VIEW", "DATA_FEED")
]
rows = sheets.append(sheets.SheetsConfig("book", url), session, receipts, day, tables)
link = discord.Link("Drive", files.folder_link)
report = discord.daily_message(day, [("Your Posts", 1)], [], [link], [], b"png" * 9_000)
sent = discord.deliver(discord.DiscordConfig(SecretStr(webhook)), receipts, f"daily:{day}", day, report)
print(json.dumps([[f.outcome for f in files.files], [t.appended for t in rows.tabs], sent.outcome]))
"""

REQUESTS = 23
"""Requests of a whole delivery after the token; the first test makes sure that it is so."""

STEP = int(os.environ.get("DRILL_STEP", "4"))
"""Every how manieth request the delivery is killed at; `make drill` takes every one."""


@pytest.fixture
def book(service: Service) -> Spreadsheet:
    service.drive.add_folder("parent", "Trends")
    book = service.sheets.add("book")
    book.add("DATA_FEED", [["Trend", "URL"], ["old", "old"]])
    return book


@pytest.fixture
def start(service: Service, book: Spreadsheet, tmp_path: Path) -> Callable[[], subprocess.Popen[str]]:
    """Starts a delivery in a process of its own, with receipts in a file."""
    (tmp_path / "output").mkdir()
    for number in range(5):
        (tmp_path / "output" / f"file{number}.xlsx").write_bytes(bytes([number]) * 1_000)
    (tmp_path / "output" / "large.xlsx").write_bytes(b"large" * 60_000)
    arguments = [
        service.url,
        service.webhook_url,
        str(tmp_path),
        service.token.client_secret,
        service.token.refresh_token,
    ]
    root = Path(__file__).parents[2]

    def run() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", DELIVERY, *arguments], cwd=root, stdout=subprocess.PIPE, text=True
        )

    return run


def delivered_once(service: Service, book: Spreadsheet) -> None:
    files = sorted(file["name"] for file in service.drive.files.values() if "content" in file)
    assert files == ["file0.xlsx", "file1.xlsx", "file2.xlsx", "file3.xlsx", "file4.xlsx", "large.xlsx"]
    assert [file["name"] for file in service.drive.children("parent")] == [AS_OF.isoformat()]
    assert len(book.tab("COMPETITOR_VIEW").rows) == 41
    assert len(book.tab("DATA_FEED").rows) == 42
    assert len(service.discord.messages) == 1


def test_a_delivery_and_its_repeat(
    service: Service, book: Spreadsheet, start: Callable[[], subprocess.Popen[str]]
) -> None:
    out, _ = start().communicate(timeout=60)
    assert json.loads(out) == [["created"] * 6, [40, 40], "sent"]
    assert len(service.log) - 1 == REQUESTS
    delivered_once(service, book)
    out, _ = start().communicate(timeout=60)
    assert json.loads(out) == [["unchanged"] * 6, [0, 0], "unchanged"]
    delivered_once(service, book)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["call_before", "call_after"])
@pytest.mark.parametrize("request_number", range(0, REQUESTS, STEP))
def test_killed_at_any_request_and_run_again(
    service: Service,
    book: Spreadsheet,
    start: Callable[[], subprocess.Popen[str]],
    request_number: int,
    kind: Kind,
) -> None:
    process = start()
    service.faults.add("[!g]*", Fault(kind, skip=request_number, action=lambda: process.send_signal(signal.SIGKILL)))
    out, _ = process.communicate(timeout=60)
    if kind == "call_before":
        assert (process.returncode, out) == (-signal.SIGKILL, "")
    again, _ = start().communicate(timeout=60)
    outcomes, _, message = json.loads(again)
    assert len(outcomes) == 6
    assert message in ("sent", "unchanged", "unclear")
    delivered_once(service, book)
