"""`run_results.json` of a build, as dbt writes it: for `--state`, and for tools that read how long models take.

Belongs here: dbt's form of what nodes came to. Must not be here: running them (`compiled_models`).

It lies beside the manifest in `.compiled/`, so that `dbt build --select result:fail+ --state .compiled` runs again what
failed. As with dbt, each build takes the place of the one before. The SQL stands in the manifest's models, not in each
result: it would be 5 MB a day.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

from engine.dbt_runner import NodeResult

NAME = "run_results.json"
_SCHEMA = "https://schemas.getdbt.com/dbt/run-results/v6.json"


class Watch:
    """The results of a build and when they came; to be told of each of them."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC)
        self.results: list[tuple[NodeResult, datetime]] = []

    def came(self, result: NodeResult) -> None:
        """Notes a result, and the moment."""
        self.results.append((result, datetime.now(UTC)))


def write(folder: Path, watch: Watch, as_of_dates: Sequence[str]) -> Path:
    """Writes the file; who reads meanwhile reads the one before.

    Args:
        folder: Where the manifest is.
        watch: Was told of all nodes that ran.
        as_of_dates: ISO dates of the build.

    Returns:
        Its path.
    """
    now = datetime.now(UTC)
    content = {
        "metadata": {
            "dbt_schema_version": _SCHEMA,
            "dbt_version": version("dbt-core"),
            "generated_at": _moment(now),
            "invocation_id": str(uuid4()),
            "invocation_started_at": _moment(watch.started_at),
            "env": {},
        },
        "results": [_result(result, end) for result, end in watch.results],
        "elapsed_time": (now - watch.started_at).total_seconds(),
        "args": {"which": "build", "vars": {"as_of_dates": list(as_of_dates)}},
    }
    path = folder / NAME
    partial = folder / f".{NAME}.{os.getpid()}"
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(path)
    return path


def _result(result: NodeResult, end: datetime) -> dict[str, Any]:
    started = {"started_at": _moment(end - timedelta(seconds=result.seconds)), "completed_at": _moment(end)}
    return {
        "unique_id": result.unique_id,
        "status": result.status,
        "timing": [{"name": "execute", **started}],
        "thread_id": "main",
        "execution_time": result.seconds,
        "message": result.message,
        "failures": result.failures if result.resource_type == "test" else None,
        "adapter_response": {} if result.rows is None else {"_message": "OK", "rows_affected": result.rows},
        "batch_results": None,
        "compiled": result.resource_type != "seed",
        "compiled_code": result.query or None,
        "relation_name": result.relation,
    }


def _moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
