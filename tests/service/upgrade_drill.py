"""`make drill-upgrade`: homes that earlier commits made and delivered, brought along by one `trends run`.

Belongs here: making such homes with their own code, and comparing. For each commit: its `trends run` over a simulated
export folder delivers the last date into the local service; this version runs the same date again. Then the marts must
equal those of a home that this version made from the same feeds (but for the words of rejections, which are facts),
nothing may be sent a second time, and what was told must be there as it was.

Needs the repository's history, and some minutes: each commit parses and compiles its own dbt project.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest import facts
from simulator import sample_config, simulate, write_export_folder
from tests.service.server import Service, environment
from tests.support import mart_checksums, published
from warehouse.store import Store

PROJECT = Path(__file__).resolve().parents[2]
# The first that needs nothing but today's packages; one with checks; the first with a file for the marts; the
# last with raw rows in the build file.
COMMITS = ("c02304d", "67c5163", "b04a423", "93b913d")


def main() -> int:
    """Runs the drill for the given commits; returns 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commits", nargs="*", default=COMMITS)
    with tempfile.TemporaryDirectory(prefix="trends-upgrade-") as directory:
        folder = Path(directory) / "feeds"
        write_export_folder(simulate(sample_config()), folder)
        fresh = Store(Path(directory) / "fresh")
        with _service() as (_, given):
            _trends(PROJECT, "run", "--source", str(folder), "--home", str(fresh.home), "--no-deliver", **given)
        failed = [commit for commit in parser.parse_args().commits if not _drill(commit, folder, fresh)]
    print(f"failed: {', '.join(failed)}" if failed else "all commits: equal")
    return 1 if failed else 0


def _drill(commit: str, folder: Path, fresh: Store) -> bool:
    tree, home = folder.with_name(f"tree-{commit}"), Store(folder.with_name(f"home-{commit}"))
    subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(tree), commit], cwd=PROJECT, check=True)
    arguments = ("run", "--source", str(folder), "--home", str(home.home))
    try:
        with _service() as (service, given):
            _trends(tree, *arguments, **given)
            sent, told = _things(service), _forecasts(home)
            started = time.monotonic()
            _trends(PROJECT, *arguments, **given)
            seconds = time.monotonic() - started
            again = _things(service)
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=PROJECT, check=True)
    ours, theirs = mart_checksums(fresh.published_path), mart_checksums(home.published_path)
    differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    # Why an item was rejected is a fact, in the words of the version that read it.
    but_words = "select * exclude (message) from marts.source_health order by all"
    if differing == ["source_health"] and published(fresh, but_words) == published(home, but_words):
        differing = []
    with facts.writer(home) as connection:
        kept = connection.execute(
            "select market, video_id, horizon_hours, p10, p50, p90 from told.forecasts"
            " where telling_id = 1 order by all"
        ).fetchall()
        tellings = connection.execute(
            "select telling_id, as_of_date, version, is_live from told.tellings order by 1"
        ).fetchall()
    print(
        f"{commit}: upgraded and run in {seconds:.0f} s; marts that differ: {differing or 'none'};"
        f" sent again: {sorted((again - sent).elements()) or 'nothing'}, gone: {sorted((sent - again).elements())};"
        f" forecasts told {len(told)}, kept {len(kept)}, {'equal' if told == kept else 'DIFFERENT'}; {tellings}",
        flush=True,
    )
    shutil.rmtree(home.home)
    return not differing and sent == again and told == kept


@contextmanager
def _service() -> Iterator[tuple[Service, dict[str, str]]]:
    """A service with a folder and a sheet, and the settings that lead to it."""
    service = Service()
    service.drive.add_folder("parent", "Trends")
    service.sheets.add("book")
    with service.running():
        yield service, environment(service) | {"DRIVE_FOLDER_ID": "parent", "DASHBOARD_SHEET_ID": "book"}


def _things(service: Service) -> Counter[str]:
    """Files, rows of sheets and messages, whatever they say now: a file is written anew and a message edited."""
    found = Counter(f"file {file['name']}" for file in service.drive.files.values())
    for book in service.sheets.spreadsheets.values():
        found.update({f"row of {tab.title}": len(tab.rows) for tab in book.tabs})
    found["message"] = len(service.discord.messages)
    return found


def _forecasts(home: Store) -> list[tuple[object, ...]]:
    """The last date's forecasts as the earlier version published them."""
    with home.published_reader() as connection:
        return connection.execute(
            "select market, video_id, horizon_hours, p10, p50, p90 from marts.forecasts"
            " where as_of_date = (select max(as_of_date) from marts.forecasts) order by all"
        ).fetchall()


def _trends(tree: Path, *arguments: str, **settings: str) -> None:
    """The command of a tree's own code, which is found first in the folder it is started from."""
    subprocess.run(
        [sys.executable, "-m", "orchestration.cli", *arguments], cwd=tree, env=os.environ | settings, check=True
    )


if __name__ == "__main__":
    sys.exit(main())
