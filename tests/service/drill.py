"""A delivery in a process of its own that can be killed: forked from a server that has imported everything.

Belongs here: starting the product's delivery step on a day that is exported. Must not be here: assertions.

Starting an interpreter and importing Dagster and Google's clients takes some ten times as long as a delivery; a fork
of a process that has done so is as separate, and dies alone.
"""

import json
import multiprocessing
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

import dagster as dg

from orchestration.assets import delivery
from orchestration.settings import Settings
from warehouse.store import Store

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.service.drill", "altair", "vl_convert"])


def start(settings: Mapping[str, object], day: str, outcome: Path) -> BaseProcess:
    """Starts the delivery of a day; what came of it is in `outcome` if the process lives to its end."""
    outcome.unlink(missing_ok=True)
    process = _FORKS.Process(target=deliver_day, args=(dict(settings), day, outcome))
    process.start()
    return process


def deliver_day(values: dict[str, object], day: str, outcome: Path) -> None:
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
