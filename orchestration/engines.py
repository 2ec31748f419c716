"""Which engine builds a home, by the settings.

Belongs here: choosing it. Must not be here: how one works (`engine`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.engines import DUCKDB, Engine
from orchestration.settings import SPARK, Settings

if TYPE_CHECKING:
    from engine.on_spark.session import SparkConfig


def engine_of(settings: Settings) -> Engine:
    """The engine that is set; Spark's modules are imported only where it is Spark."""
    if settings.trends_engine != SPARK:
        return DUCKDB
    from engine.on_spark.run import engine

    return engine(spark_config(settings))


def spark_config(settings: Settings) -> SparkConfig:
    """Where Spark and its tables are."""
    from engine.on_spark.session import SparkConfig

    return SparkConfig(
        settings.spark_warehouse or settings.trends_home / "spark",
        settings.spark_master,
        settings.spark_remote,
        settings.java_home,
    )
