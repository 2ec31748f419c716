"""One build's hold on a home and on the folder of Spark's tables.

Belongs here: the steps around a build: facts as Parquet, a session that has the tables, the new set, its marts in the
home. Must not be here: how a step is done (the modules beside it), who builds (`run`, `by_hand`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import compiled_models, compiler, dbt_runner, progress
from engine.dbt_runner import NodeResult
from engine.on_spark import marts, raw, tables
from engine.on_spark.marts import Strategy
from engine.on_spark.session import SMALL, SparkConfig, session, settings
from warehouse.store import Store, checkpoint

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from pyspark.sql import SparkSession

# Of profiles.yml.
TARGET = "spark"
# Items of a home below which Spark's compiling of a query takes longer than what is saved by it: a day looks back on
# those before it.
_SMALL_ITEMS = 100_000


@dataclass(frozen=True, slots=True)
class Work:
    """What a build stands on, with its locks held.

    Attributes:
        config: Where Spark is.
        project_dir: Folder of dbt_project.yml.
        store: The home.
        manifest: The project as parsed for Spark.
        base: The set of tables that the home names.
        items: Items that were landed in the home.
        is_current: Whether the home was made by the project as it is, on Spark.
    """

    config: SparkConfig
    project_dir: Path
    store: Store
    manifest: Manifest
    base: str | None
    items: int
    is_current: bool

    @contextmanager
    def session(self) -> Iterator[tuple[SparkSession, Path]]:
        """A session that has the facts and the tables of the last build, and the folder of the new ones.

        Raises:
            SparkSetupError: Spark can't be used.
            LostTablesError: See there.
        """
        given = {**settings(self.project_dir), "spark.sql.ansi.enabled": "false"}
        given |= SMALL if self.items < _SMALL_ITEMS else {}
        with self.store.model_writer() as connection, progress.stage("facts as Parquet"):
            raw.write(connection, self.config.warehouse)
            raw.write_facts(connection, self.config.warehouse, _sources(self.manifest))
        with ExitStack() as stack:
            with progress.stage(f"Spark at {self.config.remote or self.config.master}"):
                spark = stack.enter_context(session(self.config, "trends", given))
                with self.store.model_writer() as connection:
                    raw.register(spark, connection, self.config.warehouse, _sources(self.manifest))
                # Views read the facts too.
                folder = tables.begin(spark, self.config.warehouse, self.base, _schemas(self.manifest))
            yield spark, folder

    def keep(self, spark: SparkSession, folder: Path) -> str:
        """Makes what was built a set of tables of its own; returns its name. It counts from `take_over` on."""
        return tables.keep(spark, self.config.warehouse, folder, _schemas(self.manifest))

    def take_over(self, table_set: str, as_of_dates: Sequence[str], built: Collection[str]) -> list[NodeResult]:
        """Makes a set the one that holds, and brings the marts of a home that `is_current` into it.

        Args:
            table_set: The set.
            as_of_dates: ISO dates of the batch.
            built: Ids of the nodes that were built.

        Returns:
            A result for each model brought.
        """
        brought = []
        with self.store.model_writer() as connection:
            if self.is_current:
                strategies = {key: _strategy(self.manifest.nodes[key].config) for key in _models(self.manifest, built)}
                nodes = compiler.compiled(self.project_dir)
                folder = tables.folder(self.config.warehouse, table_set)
                brought = marts.bring(connection, nodes, folder, as_of_dates, strategies)
            tables.name(connection, table_set)
            checkpoint(connection)
        # A rebuild makes files of its own beside those that readers have, which name another set.
        beside = tables.named_by_file(replace(self.store, derived="").build_path) if self.store.derived else None
        tables.clear(self.config.warehouse, {table_set, self.base, beside})
        return brought


@contextmanager
def held(config: SparkConfig, project_dir: Path, store: Store) -> Iterator[Work]:
    """Holds a home and its folder of tables for one build.

    Args:
        config: Where Spark is.
        project_dir: Folder of dbt_project.yml, `compiled_models.compiled` and parsed for Spark before.
        store: The home.

    Raises:
        SparkSetupError: The folder is another home's, or can't be written.
        WarehouseBusyError: Another build has it.
    """
    manifest = dbt_runner.load_manifest(project_dir, TARGET)
    noted_as = fingerprint(project_dir)
    with store.lock(), tables.held(config.warehouse, store):
        with store.model_writer() as connection:
            compiled_models.prepare(connection, project_dir, noted_as)
            is_current = compiled_models.is_current(connection, noted_as)
            base = tables.named(connection)
            if base and not is_current and not tables.folder(config.warehouse, base).exists():
                # Built by hand beside a home that does not stand on it.
                base = None
            [(items,)] = connection.execute("select coalesce(sum(item_count), 0) from raw.loads").fetchall()
        yield Work(config, project_dir, store, manifest, base, int(items), is_current)


def fingerprint(project_dir: Path) -> str:
    """Hash of all files that the project is parsed from, and the versions that build it."""
    return f"{dbt_runner.fingerprint(project_dir)} spark {version('dbt-spark')} {version('pyspark')}"


def _schemas(manifest: Manifest) -> set[str]:
    return {node.schema for node in manifest.nodes.values() if node.resource_type in ("model", "seed")}


def _sources(manifest: Manifest) -> list[tuple[str, str]]:
    return sorted((source.schema, source.identifier) for source in manifest.sources.values())


def _models(manifest: Manifest, built: Collection[str]) -> list[str]:
    return [key for key, node in manifest.nodes.items() if node.resource_type == "model" and key in built]


def _strategy(config: Any) -> Strategy:
    keys = config.unique_key or ()
    return Strategy(config.incremental_strategy or "", (keys,) if isinstance(keys, str) else tuple(keys))
