"""The facts of a home: what can't be had again, opened with its tables as this version knows them.

Belongs here: the one way to write facts. Must not be here: their tables (`migrations`), what is landed (`landing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from ingest.migrations import migrate
from warehouse.store import Store


@contextmanager
def writer(store: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-write connection to a home's facts, under the writer lock, closed at the end.

    Raises:
        WarehouseBusyError: Another process is writing.
        FactsLostError: The facts are gone, what is derived from them is not.
        NewerHomeError: A newer version of the project wrote them.
    """
    with store.facts_writer() as connection:
        migrate(connection)
        yield connection
