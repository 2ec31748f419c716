"""Builds a few of the project's dbt models in a project of their own, with stand-ins for their parents.

Belongs here: copying models, seeds and macros of this repository into a temporary dbt project and running dbt on it.
Must not be here: assertions, knowledge of single models.

The models under test are the repository's own files; only their parents are replaced, by SQL given by the test.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from engine import dbt_runner
from ingest import facts
from warehouse.store import Store

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Subset:
    """A temporary dbt project.

    Attributes:
        folder: Root of the project.
        database: The DuckDB file that dbt builds.
    """

    folder: Path
    database: Path

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-write connection, closed at the end; dbt must not run meanwhile."""
        with Store(self.folder).model_writer() as connection:
            yield connection

    @contextmanager
    def facts(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-write connection to the facts that the models read, closed at the end."""
        with facts.writer(Store(self.folder)) as connection:
            yield connection

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self.connect() as connection:
            return connection.execute(sql).fetchall()

    def build(self, *arguments: str, as_of_dates: Sequence[str] = ()) -> None:
        """Runs `dbt build` with further arguments; the project is parsed only if its files changed.

        Raises:
            DbtFailedError: A node failed; the message is dbt's.
        """
        dbt_runner.invoke(self.folder, Store(self.folder), "build", as_of_dates=as_of_dates, arguments=arguments)


def create_subset(
    folder: Path, *, models: Sequence[str], seeds: Sequence[str], parents: Mapping[str, str], sources: str = ""
) -> Subset:
    """Lays out the temporary project.

    Args:
        folder: An empty folder.
        models: Names of models: the `.sql` and, where there is one, the `.yml` are copied, with their folders.
        seeds: Names of files in `seeds/`.
        parents: SQL of stand-in models by model name.
        sources: YAML of the sources that the models read.

    Returns:
        The project; its seeds may be edited before `build`.
    """
    (folder / "warehouse").mkdir(parents=True)
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(REPOSITORY / name, folder / name)
    shutil.copytree(REPOSITORY / "macros", folder / "macros")
    (folder / "seeds").mkdir()
    for seed in seeds:
        shutil.copy(REPOSITORY / "seeds" / seed, folder / "seeds" / seed)
    # Generic tests only: the singular ones look at models that are not here.
    shutil.copytree(REPOSITORY / "tests" / "dbt" / "generic", folder / "tests" / "dbt" / "generic")
    (folder / "models").mkdir()
    shutil.copy(REPOSITORY / "models" / "groups.yml", folder / "models" / "groups.yml")
    shutil.copytree(REPOSITORY / "models" / "columns", folder / "models" / "columns")
    for model in models:
        for file in (REPOSITORY / "models").rglob(f"{model}.*"):
            target = folder / file.relative_to(REPOSITORY)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    for name, sql in parents.items():
        (folder / "models" / f"{name}.sql").write_text(sql, encoding="utf-8")
    if sources:
        (folder / "models" / "stand_in_sources.yml").write_text(sources, encoding="utf-8")
    subset = Subset(folder, folder / "warehouse" / "build.duckdb")
    with subset.facts():
        # dbt attaches them read-only: they must be there.
        pass
    return subset
