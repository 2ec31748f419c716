"""The Dagster instance of a home: where runs, events and schedules are kept.

Belongs here: which configuration a home gets, and the variables Dagster reads. Must not be here: jobs, the warehouse.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import filelock

from orchestration.settings import Settings
from warehouse.store import Store

if TYPE_CHECKING:
    import dagster as dg

logger = logging.getLogger(__name__)

# Seconds that another command may take to make the store; it takes one or two.
_MAKING_S = 60.0
# Runs, what is known of assets, and schedules. The logs of single runs have one writer each.
_STORES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")


def environment(settings: Settings, store: Store) -> dict[str, str]:
    """The variables with which Dagster finds the instance of a home; its folder is made on first use.

    Args:
        settings: With `dagster_postgres_url` runs are kept in that database, else in SQLite files of the home.
        store: The home.
    """
    # What a run plans is stored in one transaction.
    common = {"DAGSTER_EVENT_BATCH_SIZE": "1000"}
    if settings.dagster_postgres_url is None:
        return common | {"DAGSTER_HOME": str(_configured(store.dagster, "dagster.yaml"))}
    return common | {
        # A folder of its own: either storage goes on where it was when the variable comes or goes.
        "DAGSTER_HOME": str(_configured(store.dagster / "postgresql", "dagster_postgres.yaml")),
        "DAGSTER_POSTGRES_URL": _with_driver(settings.dagster_postgres_url.get_secret_value()),
    }


def of_command(environment: dict[str, str]) -> dg.DagsterInstance:
    """The instance for a job in the process of a command, to be closed like a file.

    Dagster keeps what a step prints by pointing standard output and error at files, which also hides every bar from the
    person who waits; four processes read the files meanwhile. Here the output stays the person's. Runs of the UI keep
    theirs.

    Two commands that make the tables of a new home at once leave a store that nobody can open any more: they take
    turns. One in that state is healed, and one that is torn is set aside: it holds the history of runs, no data.

    Args:
        environment: The variables of `environment`, which must be those of the process too.
    """
    import dagster as dg
    from dagster._core.instance import InstanceRef

    no_capture = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    reference = InstanceRef.from_dir(environment["DAGSTER_HOME"], overrides={"compute_logs": no_capture})
    home = Path(environment["DAGSTER_HOME"])
    with filelock.FileLock(home / "making.lock", timeout=_MAKING_S, thread_local=False):
        _heal(home)
        is_whole = all((home / name).exists() for name in _STORES)
        opened = dg.DagsterInstance.from_ref(reference)
        if not is_whole:
            # Made on first use else, outside of this lock.
            opened.get_runs(limit=1)
            opened.all_instigator_state()
            opened.get_asset_keys(limit=1)
        return opened


def _heal(directory: Path) -> None:
    """Mends what two makers at once, or a machine that stopped, left of the store's SQLite files."""
    for path in (directory / name for name in _STORES):
        if not path.exists():
            continue
        try:
            with closing(sqlite3.connect(path, timeout=_MAKING_S)) as connection:
                tables = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
                if not tables:
                    continue
                versions = [row[0] for row in connection.execute("select version_num from alembic_version")]
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            versions = []
        except sqlite3.DatabaseError:
            versions = []
        if len(versions) != 1:
            _set_aside(path)


def _set_aside(path: Path) -> None:
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.replace(path.with_name(f"{path.name}.torn-{now}"))
    logger.warning("%s was not made whole: set aside; it holds the history of runs, no data", path)


def _with_driver(url: str) -> str:
    """The address with its driver named: SQLAlchemy 2.1 takes another one for `postgresql://` than dagster-postgres."""
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg2{separator}{rest}" if scheme in ("postgres", "postgresql") else url


def _configured(directory: Path, template: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / "dagster.yaml"
    if not configuration.exists():
        # As a whole: another command may read it at this moment.
        partial = directory / f"dagster.yaml.{os.getpid()}"
        shutil.copyfile(Path(__file__).with_name(template), partial)
        partial.replace(configuration)
    return _plainly_named(directory)


def _plainly_named(directory: Path) -> Path:
    """The folder, or a link to it: Dagster writes paths of SQLite files into URLs as they are, where `%20` is a blank.

    Raises:
        PermissionError: Somebody else made the folder that the link belongs into.
    """
    if "%" not in str(directory):
        return directory
    links = Path(tempfile.gettempdir()) / f"trends-{os.getuid()}"
    links.mkdir(mode=0o700, exist_ok=True)
    if links.is_symlink() or links.stat().st_uid != os.getuid():
        message = f"{links} belongs to somebody else: choose a home without % in its path"
        raise PermissionError(message)
    target = directory.resolve()
    link = links / hashlib.sha256(os.fsencode(target)).hexdigest()[:16]
    with suppress(FileExistsError):
        link.symlink_to(target, target_is_directory=True)
    return link
