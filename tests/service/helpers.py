"""What tests that talk to the local service share, fixtures apart."""

import datetime as dt
from pathlib import Path

import duckdb
from pydantic import SecretStr

from ingest.migrations import migrate
from services.google_auth import GoogleConfig
from services.receipts import DuckDBReceipts
from services.retries import Policy
from tests.service.server import Service

AS_OF = dt.date(2026, 1, 5)
QUICK = Policy(attempts=4, wait_initial=0.01, wait_max=0.02, wait_jitter=0.0, longest_wait=2.0, give_up_after=20.0)
"""Short waits; everything else as in production."""


def receipts_in(database: Path | str) -> DuckDBReceipts:
    """Receipts in a database that stays open, because opening one takes longer than a whole delivery."""
    connection = duckdb.connect(str(database))
    migrate(connection)
    return DuckDBReceipts(connection.cursor, lambda: dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC))


def google_config(service: Service) -> GoogleConfig:
    """The OAuth way to sign in."""
    return GoogleConfig(
        client_id=service.token.client_id,
        client_secret=SecretStr(service.token.client_secret),
        refresh_token=SecretStr(service.token.refresh_token),
        token_uri=f"{service.url}/token",
        timeout_seconds=5.0,
        policy=QUICK,
    )
