"""What plain dbt needs of this project before it opens a home: profiles.yml names this module as a plugin.

Belongs here: the home of a `dbt` command by hand is there, and which version of the project builds it. Must not be
here: what a build may change (macros/by_hand.sql), the project's own calls of dbt (`dbt_runner`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin

from engine import dbt_runner
from warehouse.store import quote_literal

PROJECT_DIR = Path(__file__).resolve().parents[1]


class Plugin(BasePlugin):
    """Called by dbt-duckdb around each connection it opens."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Takes `called_by` from the profile."""
        self._is_by_hand = plugin_config.get("called_by") != dbt_runner.CALLER
        self._fingerprint = dbt_runner.fingerprint(PROJECT_DIR) if self._is_by_hand else ""

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Refuses a home in which nothing was landed: dbt would make empty files and miss its sources.

        Raises:
            RuntimeError: With the remedy; dbt shows it as it is.
        """
        path = Path(creds.path).with_name("facts.duckdb")
        if not self._is_by_hand or path.exists():
            return
        message = (
            f"nothing was landed in this home: {path} does not exist. Run `trends run` first (it also takes up a home"
            " of an earlier version), or say with TRENDS_HOME which home dbt should build."
        )
        raise RuntimeError(message)

    def configure_cursor(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Lets SQL know the version of the project, as `getvariable('project_fingerprint')`."""
        if self._is_by_hand:
            cursor.execute(f"set variable project_fingerprint = {quote_literal(self._fingerprint)}")
