"""What the `trends` command does apart from its jobs."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration import cli


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
