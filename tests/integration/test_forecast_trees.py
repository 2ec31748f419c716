"""The trees that forecast: what they know, what they are made of, and that SQL walks them as the library does."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from benchmarks.home import backfill
from forecasting import trees
from orchestration.doctor import examine
from orchestration.settings import Settings
from tests import homes
from tests.support import build_day
from warehouse.store import Store, connect

pytestmark = pytest.mark.slow("trees fitted for each of many dates")

FORECASTS = "select * exclude (chosen_because) from trends.marts.forecasts where as_of_date <= ? order by all"
DERIVED = ("int_forecast_examples", "int_forecast_trees", "int_forecast_tree_gains", "int_forecast_trials")


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return homes.daily_lists(tmp_path_factory)[0]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return homes.daily_lists(tmp_path_factory)[1]


@pytest.fixture
def built(home: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    with _opened(home) as connection:
        yield connection


def _opened(home: Store) -> duckdb.DuckDBPyConnection:
    connection = connect(home.build_path, read_only=True)
    connection.execute(f"attach '{home.marts_path}' as trends (read_only)")
    return connection


def _days(feeds: Path) -> list[date]:
    return sorted({date.fromisoformat(path.name[:10]) for path in feeds.glob("*/videos/*.json")})


def _rows(home: Store, until: date) -> dict[str, list[Any]]:
    with _opened(home) as connection:
        rows = {
            name: connection.execute(
                f"select * from intermediate.{name} where as_of_date <= ? order by all", [until]
            ).fetchall()
            for name in DERIVED
        }
        return rows | {"forecasts": connection.execute(FORECASTS, [until]).fetchall()}


def test_sql_walks_the_trees_as_the_library_does(built: duckdb.DuckDBPyConnection) -> None:
    """A fit from the stored examples, made here by the library, says of each video what is stored."""
    [(fitted_on,)] = built.execute("select max(fitted_on) from intermediate.int_forecast_tree_gains").fetchall()
    features = [
        name
        for (name, *_) in built.execute("describe intermediate.int_forecast_inputs").fetchall()
        if name.startswith("f_")
    ]
    for name, learner in trees.LEARNERS.items():
        labelled = built.execute(
            f"select {', '.join(features)}, {learner.label} from intermediate.int_forecast_examples"
            f" where as_of_date <= ? and as_of_date > ? and {learner.label} is not null"
            " order by as_of_date, forecast_date, market, video_id, horizon_hours",
            [fitted_on, fitted_on - timedelta(days=28)],
        ).fetchnumpy()
        matrix = np.column_stack([labelled[feature] for feature in features])
        model = lightgbm.train(
            {
                "objective": "regression", "num_leaves": 6, "max_depth": 4, "min_data_in_leaf": 20, "num_threads": 1,
                "deterministic": True, "force_row_wise": True, "seed": 1, "verbosity": -1,
                "learning_rate": learner.rate,
            },
            lightgbm.Dataset(matrix, labelled[learner.label]),
            40,
        )  # fmt: skip
        told = built.execute(
            f"""
            select {", ".join("inputs." + feature for feature in features)},
                gains.log_factor + case when gains.learner = 'cold' then inputs.log_day_retention else 0 end as told
            from intermediate.int_forecast_tree_gains as gains
            inner join intermediate.int_forecast_inputs as inputs
                on gains.as_of_date = inputs.as_of_date and gains.market = inputs.market
                and gains.video_id = inputs.video_id
            where gains.fitted_on = ? and gains.learner = ?
            """,
            [fitted_on, name],
        ).fetchnumpy()
        assert len(told["told"]) > 20
        expected = model.predict(np.column_stack([told[feature] for feature in features]))
        # Each of 40 leaves is kept to the millionth.
        np.testing.assert_allclose(told["told"], expected, atol=4e-5)


def test_trees_are_fitted_on_few_dates_and_to_what_was_known(built: duckdb.DuckDBPyConnection) -> None:
    fits = built.execute(
        """
        select as_of_date, max(examples) filter (learner = 'cold'), count(distinct tree), max(node),
            (select count(*) from intermediate.int_forecast_examples as known
                where known.as_of_date <= trees.as_of_date)
        from intermediate.int_forecast_trees as trees group by as_of_date order by as_of_date
        """
    ).fetchall()
    assert len(fits) >= 2
    assert all(examples == known >= 1000 and count == 40 and node <= 31 for _, examples, count, node, known in fits)
    assert all((later[0] - earlier[0]).days == 3 for earlier, later in pairwise(fits))
    late = built.execute(
        "select count(*) from intermediate.int_forecast_tree_gains where fitted_on > as_of_date"
        " or as_of_date - fitted_on > 2"
    ).fetchall()
    assert late == [(0,)]


def test_gains_of_all_horizons_rise_and_are_in_order(built: duckdb.DuckDBPyConnection) -> None:
    [(rows, of_trees, bad)] = built.execute(
        """
        with steps as (
            select *,
                lag(p10) over horizons as low, lag(p50) over horizons as middle, lag(p90) over horizons as high
            from trends.marts.forecasts
            window horizons as (partition by as_of_date, market, video_id order by horizon_hours)
        )
        select count(*), count(*) filter (model = 'trees'),
            count(*) filter (p10 < low or p50 < middle or p90 < high or p10 > p50 or p50 > p90 or p10 < 0)
        from steps
        """
    ).fetchall()
    assert rows > 1000
    assert of_trees > 100
    assert bad == 0


def test_a_later_reading_changes_no_earlier_row(home: Store, feeds: Path, tmp_path: Path) -> None:
    """All counts of one late day tripled: examples, trees, trials and forecasts of the days before stay, bit by bit."""
    days = _days(feeds)
    shifted = days[-3]
    changed = shutil.copytree(feeds, tmp_path / "feeds")
    for path in changed.glob(f"*/videos/{shifted}*.json"):
        items = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps([item | {"playCount": 3 * item["playCount"]} for item in items]), encoding="utf-8")
    other = backfill(changed, tmp_path / "home", until=datetime.combine(shifted, time(23, 59), UTC))
    before = shifted - timedelta(days=1)
    expected = _rows(home, before)
    assert all(expected.values())
    assert _rows(other, before) == expected
    assert _rows(other, shifted)["forecasts"] != _rows(home, shifted)["forecasts"]


def test_dates_built_alone_have_the_trees_of_the_batch(home: Store, feeds: Path, tmp_path: Path) -> None:
    """The last days one after the other, a fit date and those that use its fit: as in one batch, bit by bit."""
    days = _days(feeds)
    parts = backfill(feeds, tmp_path / "home", until=datetime.combine(days[-4], time(23, 59), UTC))
    for day in days[-3:]:
        build_day(parts, feeds, day)
    assert _rows(parts, days[-1]) == _rows(home, days[-1])


def test_a_fit_depends_on_its_examples_alone() -> None:
    random = np.random.default_rng(3)
    known = pa.table(
        {
            "f_a": random.normal(size=500),
            "f_b": random.normal(size=500),
            "level_label": random.normal(size=500),
            "correction_label": pa.array([None] * 470 + [0.5] * 30, pa.float64()),
        }
    )
    first, other = date(2026, 3, 9), date(2026, 3, 12)
    both = trees.fit({first: known, other: known}, ["f_a", "f_b"])
    assert both.schema == trees.SCHEMA
    # Thirty examples make no two leaves of twenty.
    assert both["learner"].unique().to_pylist() == ["cold"]
    of_first, of_other = (
        [row | {"as_of_date": None} for row in both.to_pylist() if row["as_of_date"] == day] for day in (first, other)
    )
    assert of_first == of_other
    assert [row | {"as_of_date": None} for row in trees.fit({other: known}, ["f_a", "f_b"]).to_pylist()] == of_other
    nodes = {(row["tree"], row["node"]): row for row in of_first}
    for (tree, node), row in nodes.items():
        assert (row["value"] is None) == (row["feature"] is not None)
        assert all(((tree, child) in nodes) == (row["value"] is None) for child in (2 * node, 2 * node + 1))


def test_a_columns_type_moves_no_tree() -> None:
    """Engines differ in which columns are decimals and which are doubles."""
    made = np.random.default_rng(5)
    few = np.round(made.random(400), 1)
    doubles = {
        "f_a": made.random(400) * 12.3,
        "f_b": few,
        "level_label": made.random(400) + few,
        "correction_label": made.random(400) - few,
    }
    table = pa.table(doubles)
    decimals = table.set_column(1, "f_b", pc.cast(table["f_b"], pa.decimal128(2, 1), safe=False))
    day = date(2026, 3, 9)
    fitted = trees.fit({day: table}, ["f_a", "f_b"])
    assert fitted.num_rows > 0
    assert fitted.equals(trees.fit({day: decimals}, ["f_a", "f_b"]))


def test_without_the_library_nothing_is_fitted_and_the_doctor_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Slim images have no OpenMP: the forecasts go on by the rules, and the log says what is missing."""

    class Missing:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "lightgbm":
                message = "libgomp.so.1: cannot open shared object file"
                raise OSError(message)

    monkeypatch.delitem(sys.modules, "lightgbm")
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    known = pa.table({"f_a": np.arange(100.0), "level_label": np.arange(100.0), "correction_label": np.arange(100.0)})
    assert trees.fit({date(2026, 3, 9): known}, ["f_a"]).num_rows == 0
    assert "libgomp.so.1" in caplog.text
    assert "apt install libgomp1" in caplog.text
    (finding,) = [finding for finding in examine(Settings(trends_home=tmp_path)) if finding.name == "forecast trees"]
    assert finding.state == "not set" and "apt install libgomp1), then `trends rebuild`" in finding.text
