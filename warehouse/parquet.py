"""The published marts as Parquet files, for programs that don't read DuckDB's.

Belongs here: writing them. Must not be here: which marts there are (models), reading other schemas.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from warehouse.store import Store


def export(store: Store, directory: Path) -> Iterator[tuple[Path, int]]:
    """Writes each published mart to `<mart>.parquet`; files of before are replaced one by one, each as a whole.

    Args:
        store: The home.
        directory: Where; made if it is not there.

    Yields:
        Each file with its rows.

    Raises:
        FileNotFoundError: Nothing is published.
        OSError: The directory can't be written.
    """
    with store.published_reader() as connection:
        directory.mkdir(parents=True, exist_ok=True)
        marts = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts' order by table_name"
        ).fetchall()
        for (mart,) in marts:
            path = directory / f"{mart}.parquet"
            partial = path.with_suffix(".parquet.partial")
            quoted = str(partial).replace("'", "''")
            done = connection.execute(
                f"copy (from marts.\"{mart}\") to '{quoted}' (format parquet, compression zstd)"
            ).fetchall()
            partial.replace(path)
            yield path, int(done[0][0])
