"""Fixtures for everything that talks to the local service; a test module lists this one as a plugin."""

import datetime as dt
from collections.abc import Callable, Iterator

import pytest

from services.google_auth import SCOPE_DRIVE, SCOPE_SHEETS, GoogleSession, sign_in
from services.receipts import DuckDBReceipts
from tests.service.helpers import google_config, receipts_in
from tests.service.server import Service


@pytest.fixture
def service() -> Iterator[Service]:
    """A fresh service; at the end nothing may have been sent that the real ones would refuse."""
    with Service().running() as running:
        yield running
    assert running.violations == []


@pytest.fixture
def receipts() -> DuckDBReceipts:
    """Receipts in a database of their own."""
    return receipts_in(":memory:")


@pytest.fixture
def google(service: Service) -> GoogleSession:
    """Signed in with both scopes."""
    return sign_in(google_config(service), [SCOPE_DRIVE, SCOPE_SHEETS])


@pytest.fixture
def elapsed() -> Callable[[], float]:
    """Seconds since the test began."""
    began = dt.datetime.now(dt.UTC)
    return lambda: (dt.datetime.now(dt.UTC) - began).total_seconds()
