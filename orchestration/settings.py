"""Settings: the only reader of the environment (and of `.env` in the project's root).

Belongs here: names, types and defaults of what a user can set. Must not be here: what the settings are used for.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Everything a user may set; an empty variable counts as not set.

    Attributes:
        trends_home: Directory of warehouse, outputs, data and run storage.
        trends_log_level: Python log level of the command line.
        lock_timeout_s: Seconds to wait for another writer before giving up.
        apify_token: Apify API token; without it the source defaults to the simulated sample.
        output_dir: Directory of the daily files, instead of `<home>/output`.
        cache_dir: Directory of downloads and caches, instead of `<home>/data`.
    """

    model_config = SettingsConfigDict(
        env_file=PROJECT_ROOT / ".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    trends_home: Path = PROJECT_ROOT
    trends_log_level: str = "WARNING"
    lock_timeout_s: float = 60.0

    apify_token: SecretStr | None = None

    output_dir: Path | None = None
    cache_dir: Path | None = None

    def output_of(self, as_of_date: date) -> Path:
        """Directory of a date's files."""
        return (self.output_dir or self.trends_home / "output") / as_of_date.isoformat()

    @field_validator("trends_home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()
