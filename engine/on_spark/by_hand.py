"""`dbt ... --target spark` in a shell: the session that dbt-spark asks for has the facts and tables of the home.

Belongs here: opening it before the command, keeping what it built after it. Must not be here: what a build may change
(macros/by_hand.sql), the pipeline's own builds (`run`).

A plugin of dbt (`orchestration/dbt_trends`), which `make spark` installs, calls `begin`. A command that failed keeps
nothing: the tables are those of the last good build. Where the home was made by this project on Spark, its marts get
the rows, and the next `trends run` publishes them. Else they are in the set of tables alone, as that run makes the home
again.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from dbt_common.events.event_manager_client import add_callback_to_manager

from engine import compiled_models, dbt_runner
from engine.on_spark import marts, python_models, tables, work
from engine.on_spark.session import SparkConfig
from warehouse.store import Store

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PROJECT_DIR = Path(__file__).resolve().parents[2]

# Those of dbt's commands that ask the database something.
_ASKING = {
    "build", "clone", "compile", "freshness", "generate", "retry", "run", "run-operation", "seed", "show", "snapshot",
    "test",
}  # fmt: skip
# Values of variables that make no other home.
_OF_A_BATCH = {"as_of_dates", "trends_home"}
# dbt would ask itself for these within its own command.
_COMPILE = (
    "from pathlib import Path; from engine import compiler, dbt_runner; project = Path({!r});"
    "compiler.compiled(project); dbt_runner.ensure_manifest(project, {!r})"
)


class NothingLandedError(LookupError):
    """The home has no facts; the message names the remedy."""


def is_asked(command: str, variables: Mapping[str, Any]) -> bool:
    """Whether a person started this command of dbt, and it asks the database something."""
    return command in _ASKING and variables.get("called_by") != dbt_runner.CALLER


def begin(store: Store, config: SparkConfig, variables: Mapping[str, Any]) -> None:
    """Gives a command the facts and tables of a home; what it builds is kept when it has ended well.

    Args:
        store: The home.
        config: Where Spark is.
        variables: Those that the command was given.

    Raises:
        NothingLandedError: See there.
        SparkSetupError: Spark can't be used.
        LostTablesError: See there.
        WarehouseBusyError: Another build has the home or the folder of Spark's tables.
    """
    if not store.facts_path.exists():
        message = (
            f"nothing was landed in this home: {store.facts_path} does not exist. Run `trends run` first, or say with"
            " TRENDS_HOME which home dbt should build."
        )
        raise NothingLandedError(message)
    code = _COMPILE.format(str(PROJECT_DIR), work.TARGET)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT_DIR)  # noqa: S603
    python_models.enable()
    with ExitStack() as stack:
        held = stack.enter_context(work.held(config, PROJECT_DIR, store))
        spark, folder = stack.enter_context(held.session())
        add_callback_to_manager(_Watch(held, spark, folder, variables.keys() - _OF_A_BATCH, stack.pop_all()).tell)


class _Watch:
    """Waits for the end of a command, and keeps what it built."""

    def __init__(
        self, held: work.Work, spark: SparkSession, folder: Path, changed: Collection[str], stack: ExitStack
    ) -> None:
        self._held, self._spark, self._folder, self._changed, self._stack = held, spark, folder, changed, stack
        self._built: set[str] = set()

    def tell(self, event: Any) -> None:
        """Called by dbt with each of its events."""
        if event.info.name == "NodeFinished":
            node = event.data.node_info
            if node.node_status == "success" and node.resource_type in ("model", "seed"):
                self._built.add(node.unique_id)
        elif event.info.name == "CommandCompleted":
            with self._stack:
                if event.data.success and self._built:
                    self._keep()
                else:
                    shutil.rmtree(self._folder, ignore_errors=True)
                    if self._built:
                        sys.stderr.write("Nothing is kept: the tables are those of the last good build.\n")

    def _keep(self) -> None:
        held = self._held
        table_set = held.keep(self._spark, self._folder)
        place = tables.folder(held.config.warehouse, table_set)
        brought = held.take_over(table_set, _dates(place), self._built)
        if self._changed:
            with held.store.model_writer() as connection:
                compiled_models.forget_built(connection)
        told = f"{len(brought)} tables of the home have the new rows" if held.is_current else "The home is as it was"
        sys.stderr.write(f"The tables are in {place}. {told}.\n")


def _dates(place: Path) -> list[str]:
    """As-of dates of the batch that a set of tables was built for last."""
    batch = marts.parquet(place, "intermediate", "int_as_of")
    if batch is None:
        return []
    with duckdb.connect() as connection:
        days = connection.execute(f"select as_of_date from {batch} order by as_of_date").fetchall()
    return [day.isoformat() for (day,) in days]
