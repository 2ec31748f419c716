"""What a home can be built with: DuckDB in this process, or Spark (`engine.on_spark`).

Belongs here: what the pipeline asks of an engine. Must not be here: how one works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb

from engine import compiled_models, dbt_runner
from engine.dbt_runner import NodeResult
from warehouse import publish
from warehouse.store import Store


class Build(Protocol):
    """Builds and tests models of a home; as `compiled_models.build`."""

    def __call__(
        self,
        project_dir: Path,
        store: Store,
        as_of_dates: Sequence[str],
        names: Iterable[str] | None = None,
        on_result: Callable[[NodeResult], object] | None = None,
    ) -> list[NodeResult]:
        """The results of all nodes."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine.

    Attributes:
        name: As in `TRENDS_ENGINE`.
        build: Builds a batch of dates.
        fingerprint: What derived files are noted with: tables of one engine say nothing to another.
        start_s: Seconds that a build takes whatever its size, for telling how long a rebuild will take.
        last_load: The last load of videos that the models of a home have read.
    """

    name: str
    build: Build
    fingerprint: Callable[[Path], str]
    start_s: float
    last_load: Callable[[duckdb.DuckDBPyConnection], int]


def _build_on_duckdb(*arguments: Any, **options: Any) -> list[NodeResult]:
    # Looked up when it is called: tests put a build of their own in its place.
    return compiled_models.build(*arguments, **options)


# Measured on 2 cores (`benchmarks/RESULTS.md`).
DUCKDB = Engine("duckdb", _build_on_duckdb, dbt_runner.fingerprint, 3.0, publish.last_staged_load)
