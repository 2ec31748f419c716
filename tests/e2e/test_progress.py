"""On a terminal every stage says that it begins and how far it is, while the run goes on."""

from __future__ import annotations

import os
import pty
import re
import sys
from pathlib import Path

import pytest

from engine import progress
from tests.support import trends, video, write_feed

pytestmark = pytest.mark.slow("two whole runs by the command")

STAGES = ["start-up", "landing", "revenue", "models of 2026-01-05 to 2026-01-06", "publishing", "files"]


def on_a_terminal(*arguments: str | Path) -> tuple[int, list[str]]:
    """Exit code of the `trends` command in a terminal, and the pieces of text as they came, one per write."""
    pid, terminal = pty.fork()
    if pid == 0:
        program = Path(sys.executable).with_name("trends")
        os.execve(program, [str(program), *map(str, arguments)], os.environ | {"EXPORT_PROCESSES": "2"})
    pieces = []
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other side has closed it
            break
        if not piece:
            break
        pieces.append(piece.decode(errors="replace"))
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), pieces


def test_stages_are_announced_and_bars_move_while_a_run_goes_on(tmp_path: Path) -> None:
    for day in ("05", "06"):
        for hour in range(8, 20):
            items = [video(str(7590000000000000000 + n), plays=1000 + hour * n) for n in range(20)]
            write_feed(tmp_path / "feeds", f"2026-01-{day}T{hour:02}:00", items)
    code, pieces = on_a_terminal(
        "backfill", "--source", tmp_path / "feeds", "--home", tmp_path / "home", "--files", "all"
    )
    text = "".join(pieces)
    assert code == 0, text
    shown = [part for part in re.split(r"[\r\n]+", text) if part]
    began = [next(place for place, part in enumerate(shown) if part.startswith(stage)) for stage in STAGES]
    assert began == sorted(began), "in order"
    # They came one after the other, not all at the end.
    starts = [rf"(^|[\r\n]){stage}" for stage in STAGES]
    pieces_of = [next(n for n, piece in enumerate(pieces) if re.search(start, piece)) for start in starts]
    assert len(set(pieces_of)) == len(STAGES)
    # Files as small as these are landed in one step; several models and workbooks are not.
    # Files of several dates are told date by date.
    for stage, steps, moves in (("landing", 24, 2), ("models of", None, 5), ("files", 20, 3)):
        bars = [part for part in shown if part.startswith(stage)]
        done = [int(found[1]) for part in bars if (found := re.search(r"(\d+) of \d+", part))]
        assert done[0] == 0, "it begins"
        assert done == sorted(done)
        assert len(set(done)) >= moves, f"the bar of {stage} moves"
        if steps is not None:
            assert done[-1] == steps
    assert shown[-1] == f"open first: {tmp_path}/home/output/2026-01-06/SUMMARY_REPORT_2026-01-06.txt"
    report = [part for part in shown if re.match(r"wrote|published|landing: \d+ files|stages|total|open first", part)]
    assert report[0].startswith("wrote "), "what was made comes first"
    assert [line.split()[0] for line in report if not line.startswith("wrote")] == [
        "published", "landing:", "stages:", "total", "open",
    ]  # fmt: skip
    assert "leaked" not in text


def test_in_a_log_each_stage_has_a_line_at_its_begin_and_one_at_its_end(tmp_path: Path) -> None:
    write_feed(tmp_path / "feeds", "2026-01-05T08:00", [video()])
    outcome = trends("run", "--source", tmp_path / "feeds", "--home", tmp_path / "home", "--no-deliver")
    assert outcome.code == 0, outcome.err
    lines = outcome.err.splitlines()
    assert [line.split(" ...")[0] for line in lines if line.endswith(" ...")][-5:] == [
        "landing", "revenue", "models of 2026-01-05", "publishing", "files",
    ]  # fmt: skip
    assert any(re.fullmatch(r"landing: 1 of 1 files, \d+\.\d s", line) for line in lines)
    assert all(line.endswith((" ...", " s")) for line in lines)


def test_a_stage_can_learn_its_size_on_the_way(capsys: object) -> None:
    with progress.stage("compiling") as shown:
        shown.expect(2, "nodes")
        shown.update()
        shown.note("told on a terminal only")
        shown.expect(3, "nodes")
        shown.update(4)
    err = capsys.readouterr().err  # type: ignore[attr-defined]
    assert re.fullmatch(r"compiling \.\.\.\ncompiling: 5 of 5 nodes, 0\.\d s\n", err)
