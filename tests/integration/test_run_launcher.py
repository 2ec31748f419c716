"""Health of a run's process: there, gone, elsewhere, not yet there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher.base import WorkerStatus

from orchestration.run_launcher import HOST_TAG, WatchfulRunLauncher, process_of
from tests.support import PROJECT

HOLDER = """
import sys, dagster as dg
from orchestration.run_launcher import process_of
with dg.DagsterInstance.get() as instance, process_of(instance, sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@dg.job
def nothing() -> None:
    """A job for runs that are never executed."""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    launcher = {"module": "orchestration.run_launcher", "class": "WatchfulRunLauncher"}
    with dg.instance_for_test(overrides={"run_launcher": launcher}) as instance:
        yield instance


def started(instance: dg.DagsterInstance) -> dg.DagsterRun:
    run = instance.create_run_for_job(nothing)
    event = dg.DagsterEvent("PIPELINE_START", "nothing")
    instance.report_dagster_event(event, run.run_id)
    return known(instance, run.run_id)


def known(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run


def health(instance: dg.DagsterInstance, run_id: str) -> WorkerStatus:
    launcher = instance.run_launcher
    assert isinstance(launcher, WatchfulRunLauncher)
    return launcher.check_run_worker_health(known(instance, run_id)).status


def test_a_process_that_is_killed_is_seen_as_gone(instance: dg.DagsterInstance) -> None:
    run_id = started(instance).run_id
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, run_id],
        cwd=PROJECT,
        env=os.environ | {"DAGSTER_HOME": instance.root_directory},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert health(instance, run_id) == WorkerStatus.RUNNING
        holder.kill()
        holder.wait()
        assert health(instance, run_id) == WorkerStatus.FAILED


def test_the_mark_goes_with_the_run(instance: dg.DagsterInstance) -> None:
    run_id = started(instance).run_id
    with process_of(instance, run_id):
        assert HOST_TAG in known(instance, run_id).tags
    assert list((Path(instance.root_directory) / "running").iterdir()) == []


def test_a_run_that_has_only_begun_is_waited_for(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = started(instance).run_id
    assert health(instance, run_id) == WorkerStatus.RUNNING
    monkeypatch.setattr("orchestration.run_launcher.LONGEST_START_S", 0.0)
    assert health(instance, run_id) == WorkerStatus.FAILED


def test_a_run_of_another_machine_is_left_alone(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = started(instance).run_id
    instance.add_run_tags(run_id, {HOST_TAG: "another machine"})
    monkeypatch.setattr("orchestration.run_launcher.LONGEST_START_S", 0.0)
    assert health(instance, run_id) == WorkerStatus.RUNNING
