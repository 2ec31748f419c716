"""Marker secrets through every delivery room and the Apify source, while every service fails in every way."""

import base64
import datetime as dt
import json
import logging
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from pydantic import SecretStr

from ingest import apify
from ingest.migrations import migrate
from services import discord, drive, sheets
from services.google_auth import SCOPE_DRIVE, SCOPE_SHEETS, GoogleConfig, sign_in
from services.message import Field, Message
from services.receipts import DuckDBReceipts
from services.sheet_table import SheetTable
from tests.service.faults import Fault
from tests.service.helpers import AS_OF, QUICK
from tests.service.server import Service

pytest_plugins = ["tests.service.fixtures"]

MARKERS = {
    "apify": "MARKER-apify-token",
    "discord": "MARKER-discord-token",
    "client_secret": "MARKER-client-secret",
    "refresh_token": "MARKER-refresh-token",
}


class Ledger:
    """Forgets everything: only what is shown matters here."""

    def find(self, key: str) -> None:
        """Knows nothing."""

    def save(self, record: apify.RunRecord) -> None:
        """Keeps nothing."""


class Everything:
    """All rooms, configured with marker secrets, against one service."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service = service
        self.folder = folder
        self.database = folder / "build.duckdb"
        self.connection = duckdb.connect(str(self.database))
        migrate(self.connection)
        self.receipts = DuckDBReceipts(self.connection.cursor, lambda: dt.datetime(2026, 1, 5, tzinfo=dt.UTC))
        self.shown: list[str] = []
        service.apify.token = MARKERS["apify"]
        service.discord.token = MARKERS["discord"]
        service.token.client_secret = MARKERS["client_secret"]
        service.token.refresh_token = MARKERS["refresh_token"]
        service.drive.add_folder("parent", "Trends")
        service.sheets.add("book")
        service.apify.add_task("task", [{"id": "1"}])
        self.google = GoogleConfig(
            service.token.client_id,
            SecretStr(MARKERS["client_secret"]),
            SecretStr(MARKERS["refresh_token"]),
            SecretStr("MARKER-service-account"),
            f"{service.url}/token",
            0.3,
            QUICK,
        )
        self.apify = apify.ApifyConfig(
            SecretStr(MARKERS["apify"]), service.url, 0.3, wait_for_finish=1, policy=QUICK, pause_seconds=0.0
        )
        self.discord = discord.DiscordConfig(SecretStr(service.webhook_url), 0.3, 0.01, QUICK)
        self.drive = drive.DriveConfig("parent", service.url, 0.3, policy=QUICK)
        self.sheets = sheets.SheetsConfig("book", service.url, 0.3, policy=QUICK)
        self.shown += [repr(config) for config in (self.google, self.apify, self.discord)]
        self.session = sign_in(self.google, [SCOPE_DRIVE, SCOPE_SHEETS])
        self.access_token = str(self.session.http.credentials.token)

    def run(self) -> None:
        """Runs every room; whatever comes out is collected."""
        path = self.folder / "a.txt"
        path.write_text("content", encoding="utf-8")
        table = SheetTable("TAB", ("A",), [["x"]], ["1"])
        message = Message("t", (Field("f", ("v",)),))
        clock = self.service.apify.clock
        self._show(
            lambda: apify.fetch_runs(
                self.apify,
                [apify.ApifyTask("US", "videos", "task")],
                Ledger(),
                self.folder / "feeds",
                "day",
                clock=clock.now,
                sleep=clock.sleep,
            )
        )
        self._show(lambda: apify.check_access(self.apify, apify.ApifyTask("US", "videos", "task")))
        self._show(lambda: discord.deliver(self.discord, self.receipts, "day", AS_OF, message))
        self._show(lambda: discord.check_access(self.discord))
        self._show(lambda: sign_in(self.google, [SCOPE_DRIVE]))
        self._show(lambda: self.session)
        self._show(lambda: drive.deliver(self.drive, self.session, self.receipts, AS_OF, [path]))
        self._show(lambda: sheets.append(self.sheets, self.session, self.receipts, AS_OF, [table]))

    def fail(self, fault: Fault) -> None:
        """Lets every request fail; an answer may repeat the secrets that this service was sent."""
        echoes = {
            "apify.*": MARKERS["apify"],
            "discord.*": f"{MARKERS['discord']} {self.service.webhook_url}",
            "google.token": f"{MARKERS['client_secret']} {MARKERS['refresh_token']}",
            "*": self.access_token,
        }
        for pattern, echo in echoes.items():
            self.service.faults.add(
                pattern, replace(fault, body=json.loads(json.dumps(fault.body).replace("ECHO", echo)))
            )

    def _show(self, operation: Callable[[], object]) -> None:
        try:
            self.shown.append(repr(operation()))
        except Exception as error:  # every kind of failure is of interest here
            link: BaseException | None = error
            while link is not None:  # also what a traceback would hide: the context
                self.shown += ["".join(traceback.format_exception(link, chain=False)), repr(vars(link))]
                link = link.__cause__ or link.__context__


@pytest.fixture
def everything(service: Service, tmp_path: Path) -> Everything:
    return Everything(service, tmp_path)


@pytest.mark.parametrize(
    "fault",
    [
        None,
        Fault("status", 401, times=1_000),
        Fault("status", 403, times=1_000),
        Fault("status", 404, times=1_000),
        Fault("status", 429, times=1_000),
        Fault("status", 500, times=1_000),
        Fault(
            "status",
            400,
            body={"error": {"message": "ECHO", "type": "ECHO", "errors": [{"reason": "ECHO"}]}},
            times=1_000,
        ),
        Fault("status", 400, body={"message": "ECHO", "code": 1}, times=1_000),
        Fault("status", 400, body={"error": "ECHO", "error_description": "ECHO"}, times=1_000),
        Fault("status", 200, body=["unexpected"], times=1_000),
        Fault("html", 502, times=1_000),
        Fault("drop_before", times=1_000),
        Fault("drop_after", times=1_000),
        Fault("stall", times=1_000),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}-{str(fault.body)[:12]}" if fault else "all well",
)
def test_no_secret_is_ever_shown(
    service: Service,
    everything: Everything,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    fault: Fault | None,
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.INFO)
    # The one setting of the whole program that the rooms rely on: httpx logs addresses at INFO.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if fault is not None:
        everything.fail(fault)
    everything.run()
    everything.connection.close()
    captured = capfd.readouterr()
    places = {
        "results and errors": "\n".join(everything.shown),
        "log": caplog.text,
        "output": captured.out + captured.err,
        **{path.name: path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()},
    }
    assert everything.shown
    for place, text in places.items():
        for marker in ("MARKER", everything.access_token, base64.b64encode(b"MARKER").decode().rstrip("=")):
            assert marker not in text, place


def test_httpx_would_log_the_webhook_without_that_setting(
    service: Service, everything: Everything, caplog: pytest.LogCaptureFixture
) -> None:
    """The test above can see what it looks for."""
    caplog.set_level(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.INFO)
    discord.check_access(everything.discord)
    assert MARKERS["discord"] in caplog.text
