"""What the `trends` command does apart from its jobs."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

import pytest

from engine import version
from orchestration import cli
from tests.support import PROJECT


def test_a_reader_that_went_away_ends_the_command_quietly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `trends doctor | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        assert cli.main(["doctor", "--home", str(tmp_path)]) == cli.BROKEN_PIPE


def test_a_date_that_has_not_begun_is_refused_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = (datetime.now(UTC) + timedelta(days=2)).date()
    code = cli.main(["run", "--source", "sample", "--date", str(later), "--home", str(tmp_path)])
    assert code == 2
    assert f"{later} has not begun" in capsys.readouterr().err
    assert not (tmp_path / "warehouse").exists()


def test_the_version_names_commit_and_libraries(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    sha = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False
    ).stdout.strip()
    commit = f" ({sha[:12]})" if sha else ""
    assert capsys.readouterr().out == (
        f"trends {metadata.version('tiktok-trend-system')}{commit}, Python {platform.python_version()},"
        f" DuckDB {metadata.version('duckdb')}, dbt {metadata.version('dbt-core')},"
        f" Dagster {metadata.version('dagster')}\n"
    )
    assert version.git_sha(tmp_path) is None


def test_a_commit_is_found_in_packed_references_and_detached(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    head = tmp_path / ".git" / "HEAD"
    head.write_text("ref: refs/heads/work\n", encoding="utf-8")
    (tmp_path / ".git" / "packed-refs").write_text(f"# pack-refs\n{'a' * 40} refs/heads/work\n", encoding="utf-8")
    assert version.git_sha(tmp_path) == "a" * 40
    head.write_text("b" * 40 + "\n", encoding="utf-8")
    assert version.git_sha(tmp_path) == "b" * 40


def test_a_port_that_is_taken_is_named_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("something was started"))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert cli.main(["ui", "--port", f"{port}", "--home", str(tmp_path)]) == cli.WRONG_USE
    assert f"can't listen on 127.0.0.1:{port}" in capsys.readouterr().err
    for host, port in (("nowhere.invalid", 3000), ("127.0.0.1", 99_999)):
        assert cli.main(["ui", "--host", host, "--port", f"{port}", "--home", str(tmp_path)]) == cli.WRONG_USE
        assert f"can't listen on {host}:{port}" in capsys.readouterr().err


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)])
def test_a_ui_that_others_reach_says_that_it_has_no_sign_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, host: str, warned: bool
) -> None:
    started: list[list[str]] = []

    def become(_: str, command: list[str], __: dict[str, str]) -> None:
        started.append(command)
        raise SystemExit(0)

    monkeypatch.setattr(os, "execve", become)
    monkeypatch.setattr(os, "chdir", lambda _: None)
    with socket.socket() as free:
        free.bind((host, 0))
        port = free.getsockname()[1]
    with pytest.raises(SystemExit):
        cli.main(["ui", "--host", host, "--port", f"{port}", "--home", str(tmp_path)])
    assert started[0][started[0].index("-h") + 1] == host
    assert ("docs/ui_for_others.md" in capsys.readouterr().err) == warned
    assert (PROJECT / "docs" / "ui_for_others.md").is_file()
