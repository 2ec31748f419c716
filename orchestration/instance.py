"""The Dagster instance of a home: where runs, events and schedules are kept.

Belongs here: which configuration a home gets, and the variables Dagster reads. Must not be here: jobs, the warehouse.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import filelock

from orchestration.settings import Settings
from warehouse.store import Store

# To make the store of a new home takes a second.
MAKING_TIMEOUT_S = 60

if TYPE_CHECKING:
    import dagster as dg


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

    Args:
        environment: The variables of `environment`, which must be those of the process too.
    """
    import dagster as dg
    from dagster._core.instance import InstanceRef

    no_capture = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    home = Path(environment["DAGSTER_HOME"])
    reference = InstanceRef.from_dir(str(home), overrides={"compute_logs": no_capture})
    # Two that make the same store at once leave it with two versions, and Dagster refuses it from then on.
    with filelock.FileLock(home / "making.lock", timeout=MAKING_TIMEOUT_S):
        _heal(home)
        return dg.DagsterInstance.from_ref(reference)


def _heal(home: Path) -> None:
    """Leaves a store of SQLite that two processes made at once the version that was written last."""
    for path in (
        home / "history" / "runs.db",
        home / "history" / "runs" / "index.db",
        home / "schedules" / "schedules.db",
    ):
        if not path.exists():
            continue
        with closing(sqlite3.connect(path, timeout=MAKING_TIMEOUT_S)) as connection, connection:
            noted = "select 1 from sqlite_master where type = 'table' and name = 'alembic_version'"
            if connection.execute(noted).fetchone():
                last = "select max(rowid) from alembic_version"
                connection.execute(f"delete from alembic_version where rowid < ({last})")


def _with_driver(url: str) -> str:
    """The address with its driver named: SQLAlchemy 2.1 takes another one for `postgresql://` than dagster-postgres."""
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg2{separator}{rest}" if scheme in ("postgres", "postgresql") else url


def _configured(directory: Path, template: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / "dagster.yaml"
    if not configuration.exists():
        shutil.copyfile(Path(__file__).with_name(template), configuration)
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
