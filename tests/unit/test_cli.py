"""What the `trends` command does apart from its jobs."""

from __future__ import annotations

import os
import sys
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
