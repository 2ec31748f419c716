"""Settings: the only reader of the environment (and of `.env` in the project's root).

Belongs here: names, types and defaults of what a user can set. Must not be here: what the settings are used for.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from dotenv import dotenv_values
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Everything a user may set; an empty variable counts as not set.

    Attributes:
        trends_home: Directory of warehouse, outputs, data and run storage.
        trends_log_level: Python log level of the command line.
        lock_timeout_s: Seconds to wait for another writer before giving up.
        export_processes: How many of the day's files are made at a time, each in a process of its own.
        apify_token: Apify API token; without it the source defaults to the simulated sample.
        apify_base_url: Root address of the Apify API.
        apify_reuse_hours: Take a task's last succeeded run if it is at most so many hours old.
        apify_max_charge_usd: Upper limit of the cost of each run.
        apify_run_timeout_minutes: Minutes a run is waited for; it is resumed by the next attempt.
        apify_item_floor: A run with fewer usable items counts as a failed reading.
        google_client_id: OAuth client for Drive and Sheets.
        google_client_secret: Its secret.
        google_refresh_token: From `trends auth google`.
        google_credentials: Service account key instead, base64 of its JSON file.
        google_auth_uri: Google's consent page.
        google_token_uri: Google's token endpoint.
        sheets_endpoint: Root address of the Sheets API.
        drive_endpoint: Root address of the Drive API.
        drive_folder_id: Folder in which each day gets a folder of its own.
        dashboard_sheet_id: The live sheet.
        revenue_sheet_id: The sheet that revenue is read from, where it is not the live sheet.
        revenue_tab: Its tab.
        discord_webhook: Address of the webhook; whoever knows it can post.
        retry_wait_s: Seconds before a failed call to a service is repeated the first time; longer waits scale with it.
        deliver: Whether configured deliveries are made; `--no-deliver` turns them off for a run.
        deliver_sample: Whether the simulated sample may be delivered too, for demonstrations.
        feed_max_mb: A feed file larger than that, or larger once it is unpacked, is refused.
        feed_max_expansion: How many times its size a compressed feed may grow, beyond 64 MiB.
        task_ids: Task ids by variable name, such as `US_VIDEO_TASK_ID`; any market of seeds/markets.csv may have some.
        dagster_postgres_url: Database in which Dagster keeps runs, events and schedules, instead of files of the home.
        output_dir: Directory of the daily files, instead of `<home>/output`.
        cache_dir: Directory of downloads and caches, instead of `<home>/data`.
    """

    model_config = SettingsConfigDict(
        env_file=PROJECT_ROOT / ".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    trends_home: Path = PROJECT_ROOT
    trends_log_level: str = "WARNING"
    lock_timeout_s: float = 60.0
    export_processes: int = 2

    apify_token: SecretStr | None = None
    apify_base_url: str = "https://api.apify.com"
    apify_reuse_hours: float | None = None
    apify_max_charge_usd: float | None = None
    apify_run_timeout_minutes: float = 120.0
    apify_item_floor: int = 20
    task_ids: dict[str, str] = Field(default_factory=dict)

    feed_max_mb: int = Field(default=2048, gt=0)
    feed_max_expansion: int = Field(default=200, gt=0)

    google_client_id: str | None = None
    google_client_secret: SecretStr | None = None
    google_refresh_token: SecretStr | None = None
    google_credentials: SecretStr | None = None
    google_auth_uri: str = "https://accounts.google.com/o/oauth2/v2/auth"
    google_token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105 (an address)
    sheets_endpoint: str = "https://sheets.googleapis.com/"
    drive_endpoint: str = "https://www.googleapis.com/"
    drive_folder_id: str | None = None
    dashboard_sheet_id: str | None = None
    revenue_sheet_id: str | None = None
    revenue_tab: str = "REVENUE_TRACKER"

    discord_webhook: SecretStr | None = None
    retry_wait_s: float = Field(default=1.0, gt=0)
    deliver: bool = True
    deliver_sample: bool = False

    dagster_postgres_url: SecretStr | None = None

    output_dir: Path | None = None
    cache_dir: Path | None = None

    @property
    def secrets(self) -> list[SecretStr]:
        """Every secret that is set: what no message may hold."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return [value for value in values if isinstance(value, SecretStr)]

    def output_of(self, as_of_date: date) -> Path:
        """Directory of a date's files."""
        return (self.output_dir or self.trends_home / "output") / as_of_date.isoformat()

    def task_id(self, market: str, kind: str) -> str | None:
        """Task id of a market and kind (`videos` or `music`), if one is set."""
        return self.task_ids.get(f"{market.upper()}_{'VIDEO' if kind == 'videos' else 'MUSIC'}_TASK_ID")

    @model_validator(mode="before")
    @classmethod
    def _collect_task_ids(cls, values: dict[str, object]) -> dict[str, object]:
        # Markets are data: their variables cannot be fields. A real variable wins over one in .env.
        env_file = cls.model_config.get("env_file")
        known = {**(dotenv_values(env_file) if isinstance(env_file, Path) else {}), **os.environ}
        found = {name: value for name, value in known.items() if name.endswith("_TASK_ID") and value}
        return {**values, "task_ids": found | dict(values.get("task_ids") or {})}  # type: ignore[call-overload]

    @field_validator("trends_home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()
