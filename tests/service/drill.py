"""Product code in a process of its own that can be killed: forked from a server that has imported everything.

Belongs here: starting the delivery step on a day that is exported, and the `trends` command. Must not be here:
assertions.

Starting an interpreter and importing Dagster and Google's clients takes longer than a delivery; a fork of a process
that has done so is as separate, and dies alone.
"""

import json
import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

import dagster as dg
import pytest

from orchestration import cli
from orchestration.assets import delivery
from orchestration.settings import Settings
from services import channels
from services.message import Message
from tests.service.helpers import AS_OF, receipts_in
from warehouse.store import Store

_FORKS = multiprocessing.get_context("forkserver")
# With what Dagster's storage, the chart and this process's own start would import anew in each fork.
_FORKS.set_forkserver_preload(
    ["tests.service.drill", "orchestration.definitions", "alembic.context", "pytest", "vl_convert"]
)


def start_delivery(settings: Mapping[str, object], day: str, outcome: Path) -> BaseProcess:
    """Starts the delivery of a day; what came of it is in `outcome` if the process lives to its end."""
    outcome.unlink(missing_ok=True)
    process = _FORKS.Process(target=_deliver, args=(dict(settings), day, outcome))
    process.start()
    return process


def start_trends(environment: Mapping[str, str], output: Path, *arguments: str) -> BaseProcess:
    """Starts the `trends` command with further variables; what it prints is in `output`."""
    process = _FORKS.Process(target=_command, args=(dict(environment), output, arguments))
    process.start()
    return process


def start_message(text: str, name: str, database: Path, places: Mapping[str, str]) -> BaseProcess:
    """Starts sending a message to one of the channels of a text; receipts stand in the database."""
    process = _FORKS.Process(target=_message, args=(text, name, database, dict(places)))
    process.start()
    return process


def _message(text: str, name: str, database: Path, places: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for place, value in places.items():
            patch.setattr(place, value)
        (channel,) = [channel for channel in channels.parse(text, ["US", "UK"]) if channel.name == name]
        channels.deliver(channel, receipts_in(database), f"daily:{AS_OF}", AS_OF, Message("killed"))


def _deliver(values: dict[str, object], day: str, outcome: Path) -> None:
    """Runs the delivery step as the daily job does, and writes what each delivery told."""
    Settings.model_config["env_file"] = None
    settings = Settings(**values)  # type: ignore[arg-type]
    result = dg.materialize(
        [delivery.deliver],
        partition_key=day,
        resources={"settings": settings, "store": Store(settings.trends_home, settings.lock_timeout_s)},
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )
    told = {
        event.materialization.asset_key.path[-1]: {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in result.all_events
        if event.is_step_materialization
    }
    skipped = {
        event.asset_observation_data.asset_observation.asset_key.path[-1]: str(
            event.asset_observation_data.asset_observation.metadata["skipped"].value
        )
        for event in result.all_events
        if event.event_type_value == "ASSET_OBSERVATION"
    }
    report = {"success": result.success, "told": told, "skipped": skipped}
    outcome.write_text(json.dumps(report, default=str), encoding="utf-8")


def _command(environment: dict[str, str], output: Path, arguments: tuple[str, ...]) -> None:
    Settings.model_config["env_file"] = None
    os.environ.update(environment)
    with output.open("a", encoding="utf-8") as stream:
        os.dup2(stream.fileno(), sys.stdout.fileno())
        os.dup2(stream.fileno(), sys.stderr.fileno())
        sys.exit(cli.main(arguments))
