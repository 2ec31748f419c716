"""Every command that README and its pages show does what they say, in that order and on homes that are shared.

A command that is new there fails `test_every_command_is_tried` until it stands in `TRIED`. What needs a service of
others meets the local one, or ends with its refusal; make targets that only start what is tried elsewhere have to be
there.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from tests import homes
from tests.integration import test_dbt_by_hand
from tests.service.server import Service, environment
from tests.support import PROJECT, Outcome, trends, video, write_feed
from warehouse.store import Store

# README, and the pages that it was before it became too long. The others have programs of others in them.
PAGES = ("README.md", *(f"docs/{name}.md" for name in ("settings", "reading", "operating", "dbt", "troubleshooting")))
README = "\n".join((PROJECT / page).read_text(encoding="utf-8") for page in PAGES)
BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
PROGRAM = re.compile(r"(?:\.venv/bin/)?(?:make|trends|dbt) +\S")


def shown() -> list[str]:
    """The commands of these pages in their order, each once, without the environment's folder and without remarks."""
    found: list[tuple[int, str]] = []
    for block in BLOCK.finditer(README):
        if not block["language"]:
            lines = re.finditer(r"^\S.*$", block["text"], re.MULTILINE)
            found += [(block.start("text") + line.start(), line[0].split("  #")[0]) for line in lines]
    text = BLOCK.sub(lambda block: " " * len(block[0]), README)
    found += [(span.start(), span[1]) for span in re.finditer(r"`([^`\n]+)`", text) if PROGRAM.match(span[1])]
    return list(dict.fromkeys(command.strip().removeprefix(".venv/bin/") for _, command in sorted(found)))


@dataclass(frozen=True, slots=True)
class Place:
    """What the commands share.

    Attributes:
        sample: The home of the simulated sample.
        real: A home for an export folder.
        folder: The export folder `DIR`.
        service: The local service.
    """

    sample: Store
    real: Store
    folder: Path
    service: Service


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("readme")
    for day in ("2026-02-19", "2026-02-20"):
        for market in ("us", "uk"):
            items = [video(str(7607000000000000000 + number), plays=1000 + number) for number in range(20)]
            write_feed(directory / "feeds", f"{day}T08:00", items, market=market)
    shutil.copytree(homes.sample(tmp_path_factory).home, directory / "home")
    service = Service()
    service.drive.add_folder("parent", "Trends")
    with service.running():
        yield Place(Store(directory / "home"), Store(directory / "real"), directory / "feeds", service)


def _in_sample(place: Place, command: str) -> str:
    given = [word for word in shlex.split(command)[1:] if word not in ("--home", "DIR")]
    return _well(trends(*given, "--home", place.sample.home))


def _to_files(place: Place, command: str) -> str:
    given = [str(place.folder.parent / "parquet") if word == "DIR" else word for word in shlex.split(command)[1:]]
    trouble = _well(trends(*given, "--home", place.sample.home))
    assert any((place.folder.parent / "parquet").glob("*.parquet"))
    return trouble


def _in_real(place: Place, command: str) -> str:
    given = [str(place.folder) if word == "DIR" else word for word in shlex.split(command)[1:]]
    return _well(trends(*given, "--home", place.real.home))


def _well(outcome: Outcome) -> str:
    """What went wrong; empty where nothing did."""
    return "" if outcome.code == 0 else f"exit {outcome.code}: {outcome.err}{outcome.out}"


def _says(code: int, text: str) -> Callable[[Place, str], str]:
    """The command is refused, and says why."""

    def run(place: Place, command: str) -> str:
        outcome = trends(*shlex.split(command)[1:], "--home", place.sample.home)
        assert outcome.code == code, outcome.err + outcome.out
        return "" if text in outcome.err + outcome.out else f"not told: {text}: {outcome.err}{outcome.out}"

    return run


def _with_drive(place: Place, command: str) -> str:
    given = environment(place.service) | {"DRIVE_FOLDER_ID": "parent"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        return _well(trends(*shlex.split(command)[1:], "--home", place.real.home))


def _is_there(_: Place, command: str) -> str:
    shown = subprocess.run(["make", "-n", *shlex.split(command)[1:]], cwd=PROJECT, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    return "" if ".venv/bin/" in shown.stdout else f"make does nothing of ours: {shown.stdout}"


def _made_the_sample(place: Place, command: str) -> str:
    """The shared sample was made with this very command."""
    assert place.sample.published_path.exists()
    if command == f"{homes.SAMPLE_COMMAND} --home DIR":
        return ""
    shown = subprocess.run(["make", "-n", *shlex.split(command)[1:]], cwd=PROJECT, capture_output=True, text=True)
    return "" if f"{homes.SAMPLE_COMMAND}\n" in shown.stdout else shown.stdout + shown.stderr


def _tried_by_hand(_: Place, command: str) -> str:
    """dbt's commands are tried one by one in a test of their own; here only that it is among them."""
    by_hand = re.sub(r"\d{4}-\d\d-\d\d", test_dbt_by_hand.DATES[1], command.removeprefix("dbt "))
    return "" if by_hand in test_dbt_by_hand.OF_PAGES else f"not in test_dbt_by_hand: {by_hand}"


def _by_dbt(place: Place, command: str) -> str:
    target = str(place.folder.parent / "target")
    given = {"TRENDS_HOME": str(place.sample.home), "DBT_TARGET_PATH": target, "DBT_LOG_PATH": target}
    program = Path(sys.executable).with_name("dbt")
    # Its unit tests are run in tests/integration/test_models.py, and take as long as everything else.
    without = ["--exclude-resource-type", "unit_test"] if command == "dbt build" else []
    done = subprocess.run(
        [program, *shlex.split(command)[1:], *without],
        cwd=PROJECT, env=os.environ | given, capture_output=True, text=True,
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout[-3000:]


TRIED: dict[str, Callable[[Place, str], str]] = {
    "make run": _made_the_sample,
    "make test": _is_there,
    "make test-fast": _is_there,
    "make test-all": _is_there,
    "make test-next": _is_there,
    "make run PYTHON=python3.13": _is_there,
    "trends run": _in_sample,
    "trends run --date 2026-02-20 --source DIR": _in_real,
    "trends backfill --source DIR": _in_real,
    "trends poll": _in_sample,
    "trends scorecard": _in_sample,
    "trends show @sim.slow.cabin45": _in_sample,
    "trends export --parquet DIR": _to_files,
    "trends doctor": _in_sample,
    "trends auth google": _says(2, "GOOGLE_CLIENT_ID"),
    "trends backup": _with_drive,
    "trends restore": _says(1, "DRIVE_FOLDER_ID"),
    "make explore": _is_there,
    "make spark": _is_there,
    "make ui": _is_there,
    "make demo-delivery": _is_there,
    "trends restore --if-newer": _with_drive,
    "trends backup --if-configured": _in_sample,
    "make bench": _is_there,
    "make bench BENCH=speed": _is_there,
    "dbt build": _by_dbt,
    "dbt run --select +forecasts": _tried_by_hand,
    "dbt run --vars '{as_of_dates: [\"2026-03-10\"]}'": _tried_by_hand,
    "dbt run --full-refresh": _tried_by_hand,
    "dbt source freshness": _tried_by_hand,
    "dbt docs generate": _by_dbt,
    "dbt ls --select +exposure:summary_report": _by_dbt,
    "dbt build --select result:fail+ --state .compiled": _by_dbt,
    "trends resend --date 2026-03-15": _says(2, "the simulated sample is not delivered"),
    "trends rebuild": _in_sample,
    "trends rebuild --from 2026-02-12 --to 2026-02-20": _in_real,
    "trends --version": _in_sample,
    "trends run --source sample --home DIR": _made_the_sample,
    "trends backup --force": _with_drive,
    "trends restore --force": _with_drive,
}


def test_every_command_is_tried() -> None:
    assert set(shown()) == set(TRIED)


SLOW = pytest.mark.slow("builds many dates, or all models by dbt")
MANY_DATES = ("trends backfill --source DIR", "trends rebuild --from 2026-02-12 --to 2026-02-20")


def is_slow(command: str) -> bool:
    return command in MANY_DATES or TRIED.get(command) is _by_dbt


@pytest.mark.parametrize(
    "command", [pytest.param(command, marks=SLOW) if is_slow(command) else command for command in shown()]
)
def test_command(place: Place, command: str) -> None:
    assert TRIED[command](place, command) == ""


def test_the_query_shows_rows(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (query,) = [block["text"] for block in BLOCK.finditer(README) if block["language"] == "python"]
    # Where `home/` is, as in a clone.
    monkeypatch.chdir(place.sample.home.parent)
    exec(compile(query, "README.md", "exec"), {"duckdb": duckdb})
    assert "video_url" in capsys.readouterr().out
