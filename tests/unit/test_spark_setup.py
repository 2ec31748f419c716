"""What a machine lacks for Spark is said before anything is changed; without it nothing of Spark is touched."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from engine.on_spark import session
from engine.on_spark.session import SparkConfig
from orchestration import doctor
from orchestration.settings import load_usable
from tests.support import trends


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """PySpark and its dbt adapter seem to be there."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


def _java(folder: Path, told: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    java = folder / "bin" / "java"
    java.write_text(f"#!/bin/sh\necho '{told}' >&2\n", encoding="utf-8")
    java.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ('openjdk version "17.0.15" 2025-04-15', None),
        ('openjdk version "25" 2025-09-16', None),
        ('openjdk version "11.0.27" 2025-04-15', "is Java 11, too old for Spark: install Java 17 or newer"),
        ('java version "1.8.0_451"', "is Java 8, too old for Spark"),
        ("segmentation fault", "does not say its version: install Java 17 or newer"),
    ],
)
@pytest.mark.usefixtures("installed")
def test_java_is_looked_at(told: str, expected: str | None, tmp_path: Path) -> None:
    lack = session.missing(SparkConfig(tmp_path, java_home=_java(tmp_path / "java", told)))
    assert lack is None if expected is None else expected in str(lack)


@pytest.mark.usefixtures("installed")
def test_no_java_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no Java was found: install Java 17 or newer" in str(session.missing(SparkConfig(tmp_path)))
    assert session.missing(SparkConfig(tmp_path, remote="sc://host:15002")) is None, "the server has its own"
    assert "does not run" in str(session.missing(SparkConfig(tmp_path, java_home=tmp_path / "none")))


def test_run_and_doctor_say_what_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("TRENDS_ENGINE", "spark")
    outcome = trends("run", "--source", "sample", "--home", tmp_path / "home")
    assert outcome.code == 2
    assert outcome.err == (
        "trends: TRENDS_ENGINE=spark: pyspark is not installed: install requirements-spark.lock into the project's"
        " environment: make spark; expected duckdb, or spark on a machine with Java and the packages of"
        " requirements-spark.lock\n"
    )
    assert not (tmp_path / "home").exists()
    settings, problems = load_usable(trends_home=tmp_path)
    found = {finding.name: finding for finding in doctor.examine(settings, problems)}
    assert found["TRENDS_ENGINE"].state == "FAILED"
    assert "make spark" in found["TRENDS_ENGINE"].text


def test_duckdb_imports_nothing_of_spark() -> None:
    code = (
        "import sys, orchestration.definitions, orchestration.cli, engine.rebuild, orchestration.assets.models;"
        "spark = ('engine.on_spark', 'pyspark', 'py4j', 'dbt.adapters.spark');"
        "print([name for name in sys.modules if name.startswith(spark)])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip().splitlines()[-1] == "[]"
