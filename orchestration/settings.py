"""Settings: the only reader of the environment (and of `.env` in the project's root).

Belongs here: names, types and defaults of what a user can set. Must not be here: what the settings are used for.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, get_args

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestration import setting_checks as checks
from orchestration.setting_checks import Problem, SettingsError
from services.times import DEFAULT_HOURS, DEFAULT_ZONE, Times

PROJECT_ROOT = Path(__file__).resolve().parent.parent
# Apart from the code: a folder that a home makes must not look like a package to linters, nor a package like data.
DEFAULT_HOME = PROJECT_ROOT / "home"
# The engine that has settings of its own.
SPARK = "spark"


def _secret(check: Callable[[str], str]) -> AfterValidator:
    """Applies a check to what a secret holds."""

    def checked(value: SecretStr) -> SecretStr:
        check(value.get_secret_value())
        return value

    return AfterValidator(checked)


Address = Annotated[str, AfterValidator(checks.address)]
GoogleId = Annotated[str, AfterValidator(checks.google_id)]
TaskId = Annotated[str, AfterValidator(checks.task_id)]
Token = Annotated[SecretStr, _secret(checks.word)]
# Neither "infinity" nor "not a number".
Number = Annotated[float, Field(allow_inf_nan=False)]


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
        panel_task_id: Apify task that reads videos by URL; without it no video is read again, and outcomes are known of
            those alone that stay in a feed.
        panel_videos_per_market: Videos a day and market that are chosen to be read again after 24 h, 48 h and 7 days; 0
            turns it off.
        panel_reads_per_day: Most videos that are read again on a day, whatever was chosen.
        panel_input: Field of that task's input which takes the URLs.
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
        channels: Further places that hear messages: `name | address | kinds | markets`, a line or ` ; ` between them.
        poll_summary: What a poll sends beside its alerts: nothing (`never`), its counts below each alert
            (`alerts`), or a message of its own, news or not (`always`).
        display_timezone: Zone of the times in report, summary and messages; what machines read stays in UTC.
        display_hours: Whether these have 24 or 12 hours.
        heartbeat_url: Called after each good run, for a watcher outside; whoever knows it can give the sign.
        retry_wait_s: Seconds before a failed call to a service is repeated the first time; longer waits scale with it.
        deliver: Whether configured deliveries are made; `--no-deliver` turns them off for a run.
        deliver_sample: Whether the simulated sample may be delivered too, for demonstrations.
        feed_max_mb: A feed file larger than that, or larger once it is unpacked, is refused.
        feed_max_expansion: How many times its size a compressed feed may grow, beyond 64 MiB.
        task_ids: Task ids by variable name, such as `US_VIDEO_TASK_ID`; any market of seeds/markets.csv may have some.
        dagster_postgres_url: Database in which Dagster keeps runs, events and schedules, instead of files of the home.
        run_history_days: How many days a run stays in Dagster's history; what it made stays longer.
        owners: Who owns the assets in the catalogue: addresses or `team:name`, parted by commas.
        output_dir: Directory of the daily files, instead of `<home>/output`.
        cache_dir: Directory of downloads and caches, instead of `<home>/data`.
        trends_engine: What builds the models: `duckdb` in this process, or `spark` (docs/scaling.md).
        spark_master: Address of the Spark cluster's master; `local[n]` is Spark on n cores of this machine.
        spark_remote: Address of a Spark Connect server, in place of `spark_master`.
        spark_warehouse: Folder of Spark's tables, which driver and workers see, instead of `<home>/spark`.
        java_home: Folder of the Java that Spark runs on, instead of the one that the shell finds.
    """

    model_config = SettingsConfigDict(
        env_file=PROJECT_ROOT / ".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    trends_home: Path = DEFAULT_HOME
    trends_log_level: Annotated[str, AfterValidator(checks.log_level)] = "WARNING"
    lock_timeout_s: Number = Field(default=60.0, ge=0)
    export_processes: int = Field(default=2, ge=1)

    apify_token: Token | None = None
    apify_base_url: Address = "https://api.apify.com"
    apify_reuse_hours: Number | None = Field(default=None, ge=0)
    apify_max_charge_usd: Number | None = Field(default=None, gt=0)
    apify_run_timeout_minutes: Number = Field(default=120.0, gt=0)
    apify_item_floor: int = Field(default=20, ge=0)
    task_ids: dict[str, TaskId] = Field(default_factory=dict)
    panel_task_id: TaskId | None = None
    panel_videos_per_market: int = Field(default=20, ge=0, le=100)
    panel_reads_per_day: int = Field(default=120, ge=0)
    panel_input: Annotated[str, AfterValidator(checks.no_blanks)] = "postURLs"

    feed_max_mb: int = Field(default=2048, gt=0)
    feed_max_expansion: int = Field(default=200, gt=0)

    google_client_id: Annotated[str, AfterValidator(checks.word)] | None = None
    google_client_secret: Token | None = None
    google_refresh_token: Token | None = None
    google_credentials: Annotated[SecretStr, _secret(checks.service_account)] | None = None
    google_auth_uri: Address = "https://accounts.google.com/o/oauth2/v2/auth"
    google_token_uri: Address = "https://oauth2.googleapis.com/token"  # noqa: S105 (an address)
    sheets_endpoint: Address = "https://sheets.googleapis.com/"
    drive_endpoint: Address = "https://www.googleapis.com/"
    drive_folder_id: GoogleId | None = None
    dashboard_sheet_id: GoogleId | None = None
    revenue_sheet_id: GoogleId | None = None
    revenue_tab: str = "REVENUE_TRACKER"

    discord_webhook: Annotated[SecretStr, _secret(checks.webhook)] | None = None
    channels: Annotated[SecretStr, _secret(lambda value: checks.channels(value, configured_markets()))] | None = None
    heartbeat_url: Annotated[SecretStr, _secret(checks.address)] | None = None
    retry_wait_s: Number = Field(default=1.0, gt=0)
    poll_summary: Annotated[str, AfterValidator(checks.poll_summary)] = "alerts"
    display_timezone: Annotated[str, AfterValidator(checks.time_zone)] = DEFAULT_ZONE
    display_hours: Annotated[int, AfterValidator(checks.hours)] = DEFAULT_HOURS
    deliver: bool = True
    deliver_sample: bool = False

    dagster_postgres_url: Annotated[SecretStr, _secret(checks.postgres_url)] | None = None
    run_history_days: int = Field(default=90, ge=1)
    owners: Annotated[str, AfterValidator(checks.owners)] = ""

    output_dir: Path | None = None
    cache_dir: Path | None = None

    trends_engine: Annotated[str, AfterValidator(checks.engine)] = "duckdb"
    spark_master: Annotated[str, AfterValidator(checks.spark_master)] = "local[*]"
    spark_remote: Annotated[str, AfterValidator(checks.spark_remote)] | None = None
    spark_warehouse: Annotated[Path, BeforeValidator(checks.folder)] | None = None
    java_home: Path | None = None

    @property
    def secrets(self) -> list[SecretStr]:
        """Every secret that is set: what no message may hold."""
        values = (getattr(self, name) for name in type(self).model_fields)
        found = [value for value in values if isinstance(value, SecretStr)]
        return [*found, *(checks.parts_of_channels(self.channels.get_secret_value()) if self.channels else ())]

    @property
    def asset_owners(self) -> list[str]:
        """Each owner; none where the setting is empty, and the owner of models/groups.yml stands."""
        return self.owners.split(", ") if self.owners else []

    @property
    def times(self) -> Times:
        """How moments are shown to people."""
        return Times(self.display_timezone, self.display_hours)

    def output_of(self, as_of_date: date) -> Path:
        """Directory of a date's files."""
        return (self.output_dir or self.trends_home / "output") / as_of_date.isoformat()

    def task_id(self, market: str, kind: str) -> str | None:
        """Task id of a market and kind (`videos` or `music`), if one is set."""
        return self.task_ids.get(f"{market.upper()}_{'VIDEO' if kind == 'videos' else 'MUSIC'}_TASK_ID")

    @field_validator("trends_home")
    @classmethod
    def _apart_from_code(cls, value: Path) -> Path:
        if value.expanduser().resolve() == PROJECT_ROOT:
            message = (
                f"the home can't be the project's own folder {PROJECT_ROOT}: leave TRENDS_HOME and --home out, and what"
                f" is there is moved to {DEFAULT_HOME}"
            )
            raise ValueError(message)
        if "?" in str(value.expanduser().resolve()):
            raise ValueError("DuckDB cuts the names of its files at the ? in that path; rename the folder")
        return value

    @model_validator(mode="before")
    @classmethod
    def _collect_task_ids(cls, values: dict[str, object]) -> dict[str, object]:
        # Markets are data: their variables cannot be fields. A real variable wins over one in .env. Other programs
        # have variables that end in TASK_ID too.
        known = {**env_file_values(), **os.environ}
        found = {name: value for name, value in known.items() if checks.TASK_NAME.fullmatch(name) and value}
        wanted = found | dict(values.get("task_ids") or {})  # type: ignore[call-overload]
        return {**values, "task_ids": {name: str(value).strip() for name, value in wanted.items() if value}}

    @field_validator("panel_task_id")
    @classmethod
    def _task_of_its_own(cls, value: str | None, info: ValidationInfo) -> str | None:
        # A run of the panel would be taken for a feed: joined, used again, or landed by the sensor.
        if value is not None and value in info.data.get("task_ids", {}).values():
            raise ValueError("is a task that feeds are read with: the panel needs one of its own")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _stripped(cls, value: object) -> object:
        # A secret that was pasted into a form often ends with a line break.
        return value.strip() if isinstance(value, str) else value

    @field_validator("trends_home", "output_dir", "cache_dir", "spark_warehouse", "java_home")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().resolve() if value is not None else None


# As in the environment. `Token | None` is a union whose first part is `Annotated[SecretStr, ...]`.
SECRET_NAMES = frozenset(
    name.upper()
    for name, field in Settings.model_fields.items()
    if any(SecretStr in (part, *get_args(part)) for part in get_args(field.annotation))
)


def load(**given: Any) -> Settings:
    """The settings of the environment and `.env`, under what a command was given.

    Raises:
        SettingsError: Some can't be used; it names each with the remedy.
    """
    settings, problems = load_usable(**given)
    if problems:
        raise SettingsError(problems)
    return settings


def load_usable(**given: Any) -> tuple[Settings, list[Problem]]:
    """The settings with defaults in place of those that can't be used, and what is wrong with these."""
    slips, _ = unknown_names()
    try:
        return Settings(**given), slips
    except ValidationError as error:
        found = error.errors()
    defaults: dict[str, Any] = {}
    for entry in found:
        name = str(entry["loc"][0])
        if name == "task_ids":
            defaults.setdefault(name, {})[str(entry["loc"][-1])] = ""
        else:
            defaults[name] = Settings.model_fields[name].get_default(call_default_factory=True)
    return Settings(**{**given, **defaults}), [*checks.from_errors(found, SECRET_NAMES), *slips]


def unusable_places(settings: Settings) -> list[Problem]:
    """What a command that writes can't work with: directories, the database of the run history, the engine."""
    places = {"TRENDS_HOME": settings.trends_home, "OUTPUT_DIR": settings.output_dir, "CACHE_DIR": settings.cache_dir}
    if settings.trends_engine == SPARK:
        places["SPARK_WAREHOUSE"] = settings.spark_warehouse
    found = [
        checks.problem(name, place, reason)
        for name, place in places.items()
        if place is not None and (reason := _unwritable(place)) is not None
    ]
    if settings.dagster_postgres_url is not None:
        reason = checks.unreachable(settings.dagster_postgres_url.get_secret_value())
        if reason is not None:
            found.append(checks.problem("DAGSTER_POSTGRES_URL", "", reason, is_secret=True))
    if settings.trends_engine == SPARK:
        from engine.on_spark import session
        from orchestration.engines import spark_config

        reason = session.missing(spark_config(settings))
        if reason is not None:
            found.append(checks.problem("TRENDS_ENGINE", settings.trends_engine, reason))
    return found


def _unwritable(place: Path) -> str | None:
    """Why a directory or one of those that a home has in it can't be written."""
    for within in (place, *(place / name for name in ("warehouse", "output", "data", "dagster"))):
        if within == place or within.exists():
            reason = checks.unwritable(within)
            if reason is not None:
                return reason
    return None


def unknown_names() -> tuple[list[Problem], list[str]]:
    """Names in `.env` that nothing reads: slips, which are errors, and a line for each other one."""
    known = {name.upper() for name in Settings.model_fields} - {"TASK_IDS"}
    known |= {f"{market}_{kind}_TASK_ID" for market in configured_markets() for kind in ("VIDEO", "MUSIC")}
    return checks.unknown_names(env_file_values(), known, Path(str(Settings.model_config.get("env_file"))))


def env_file_values() -> dict[str, str | None]:
    """What stands in `.env`, where it is read."""
    path = Settings.model_config.get("env_file")
    return dict(dotenv_values(path)) if isinstance(path, Path) else {}


def configured_markets(project_root: Path = PROJECT_ROOT) -> list[str]:
    """Market codes of seeds/markets.csv, in file order."""
    with (project_root / "seeds" / "markets.csv").open(encoding="utf-8", newline="") as stream:
        return [row["market"].strip().upper() for row in csv.DictReader(stream)]
