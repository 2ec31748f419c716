"""Fixtures and settings that hold for every test."""

from __future__ import annotations

import functools
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from engine.on_spark import session
from engine.on_spark.session import SparkConfig
from orchestration.settings import Settings
from tests.support import REAL_DATA
from warehouse.store import Store

# A busy machine is slow now and then: a test that fails by the clock says nothing about the code. The same examples in
# every run: what passed once passes on the next machine. New ones: `pytest --hypothesis-profile explore`.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=2_000)
hypothesis.settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the user's secrets or home: neither `.env` nor variables reach the settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(Settings.model_config, "env_file", None)
        for name in Settings.model_fields:
            patch.delenv(name.upper(), raising=False)
        # A command without --home must not touch the user's either.
        patch.setenv("TRENDS_HOME", str(tmp_path_factory.mktemp("no_home_given")))
        # Tests run beside each other already, and each process would import openpyxl anew.
        patch.setenv("EXPORT_PROCESSES", "1")
        # The command line sets it for Dagster; it must not outlive the test run's home.
        patch.setenv("DAGSTER_HOME", os.environ.get("DAGSTER_HOME", ""))
        yield


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A home of its own for one test."""
    return Store(tmp_path / "home")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is installed (`TRENDS_FAIL_ON_SKIP`), a skipped test is a hole: it fails the run."""
    report = yield
    if report.skipped and os.environ.get("TRENDS_FAIL_ON_SKIP") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and TRENDS_FAIL_ON_SKIP is set: {reason}"
    return report


@functools.cache
def _left_out() -> dict[str, str]:
    """Markers whose tests can't run here, with the reason; beside real data, a set that lacks is a failure."""
    reasons = {}
    if not REAL_DATA.parent.is_dir():
        reasons["real_data"] = "they need ../shared/data, which is not beside this folder"
    lack = session.missing(SparkConfig(Path()))
    if lack is not None:
        reasons["spark"] = lack
    return reasons


def pytest_report_header(config: pytest.Config) -> list[str]:
    """One line for whoever has no real data or no Spark, instead of a list of skipped tests."""
    names = {"real_data": "real data"}
    return [f"tests on {names.get(name, name)} (-m {name}) are left out: {why}" for name, why in _left_out().items()]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that can't run here are not part of the run; a slow one says why it is."""
    unsaid = [item.nodeid for item in items for mark in item.iter_markers("slow") if len(mark.args) != 1]
    if unsaid:
        raise pytest.UsageError(f'slow without a reason, such as slow("two whole runs"): {", ".join(unsaid)}')
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in _left_out())]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
