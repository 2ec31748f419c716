"""`trends ui` in processes of its own, and its GraphQL API as the pages use it.

Belongs here: starting, asking, launching, waiting, killing. Must not be here: what should come of it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.service.server import Service
from tests.support import PROJECT
from warehouse.store import Store

LOCATION = {"repositoryLocationName": "orchestration.definitions", "repositoryName": "__repository__"}
_ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
# Dagster's own switches of how often its daemon looks; an operator has seconds to spare, a test of every step has not.
_QUICK = """
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config: {dequeue_interval_seconds: 1}
"""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class UI:
    """A running UI.

    Attributes:
        url: Its address.
        store: The home.
        service: What its deliveries go to.
        feeds: Export folder with simulated feeds.
        process: Leader of the group of all its processes.
    """

    url: str
    store: Store
    service: Service
    feeds: Path
    process: subprocess.Popen[bytes]

    def ask(self, query: str, **variables: Any) -> Any:
        """The one field of a GraphQL answer."""
        answer = httpx.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
        assert "errors" not in answer, answer["errors"]
        (value,) = answer["data"].values()
        return value

    def launch(self, job: str, day: str, config: Json | None = None, assets: list[str] | None = None) -> str:
        """Launches a run of a date as the dialog of the UI does; returns the id."""
        selection = [{"path": asset.split("/")} for asset in assets] if assets else None
        launched = self.ask(
            """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
                __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
                ... on RunConfigValidationInvalid { errors { message } } } }""",
            params={
                "selector": {**LOCATION, "jobName": job, "assetSelection": selection},
                "runConfigData": config or {},
                "executionMetadata": {"tags": [{"key": "dagster/partition", "value": day}]},
            },
        )
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def ended(self, run_id: str) -> Json:
        """Waits for the end of a run; returns its steps, materializations and checks."""
        status = lambda: self.ask("query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", id=run_id)  # noqa: E731
        wait_until(lambda: status()["status"] in _ENDED, 90, f"run {run_id} has ended")
        run: Json = self.ask(RUN, id=run_id)
        return run

    def kill(self) -> None:
        """Ends all its processes at once, as a power cut does; does nothing where they are gone."""
        if self.process.poll() is None:
            # The session is the process group: code server, webserver, daemon and runs are in it.
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


RUN = """query($id: ID!) { runOrError(runId: $id) { ... on Run { status tags { key value } stepStats { stepKey status }
    eventConnection(limit: 1000) { events {
        ... on ExecutionStepFailureEvent { stepKey error { message } }
        ... on MaterializationEvent { assetKey { path } partition metadataEntries {
            label ... on IntMetadataEntry { intValue } ... on MarkdownMetadataEntry { mdStr }
            ... on TextMetadataEntry { text } } }
        ... on AssetCheckEvaluationEvent { evaluation { checkName success severity assetKey { path } } }
    } } } } }"""


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true value of a condition, looked at a few times a second.

    Raises:
        AssertionError: It was not true in time.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)
    return value


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/server_info", timeout=5).is_success
    except httpx.TransportError:
        return False


@contextmanager
def running_ui(store: Store, service: Service, feeds: Path, environment: dict[str, str]) -> Iterator[UI]:
    """The UI of a home, as shipped but for the daemon's patience; gone with all its processes at the end.

    Args:
        store: The home, new or used.
        service: What its deliveries go to; it is running.
        feeds: Export folder for its runs.
        environment: Variables of the product.
    """
    configuration, log = store.dagster / "dagster.yaml", store.home / "ui.log"
    if not configuration.exists():
        store.dagster.mkdir(parents=True)
        shipped = (PROJECT / "orchestration" / "dagster.yaml").read_text(encoding="utf-8")
        patient, quick = "poll_interval_seconds: 30", "poll_interval_seconds: 1"
        assert patient in shipped
        configuration.write_text(shipped.replace(patient, quick) + _QUICK, encoding="utf-8")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with log.open("ab") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "ui", "--home", store.home, "--port", str(port)],
            cwd=PROJECT,
            env=os.environ | environment | {"PYTHONUNBUFFERED": "1"},
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        ui = UI(url, store, service, feeds, process)
        try:
            wait_until(lambda: answers(url) or process.poll() is not None, 60, "the UI answers")
            assert process.poll() is None, log.read_text(encoding="utf-8")
            yield ui
        finally:
            ui.kill()


def google_and_discord(service: Service) -> dict[str, str]:
    """Variables for Drive and Discord: no sheet, so that no sensor starts runs of its own."""
    return {
        "DISCORD_WEBHOOK": service.webhook_url,
        "GOOGLE_CLIENT_ID": service.token.client_id,
        "GOOGLE_CLIENT_SECRET": service.token.client_secret,
        "GOOGLE_REFRESH_TOKEN": service.token.refresh_token,
        "GOOGLE_TOKEN_URI": f"{service.url}/token",
        "DRIVE_ENDPOINT": service.url,
        "DRIVE_FOLDER_ID": "parent",
    }
