"""The models on Spark: the same dbt project, for days that one machine has no room for.

Belongs here: the session, raw rows and facts as Parquet, the tables between two builds, bringing marts back. Must not
be here: SQL of a model. Nothing of this is imported where `TRENDS_ENGINE` is `duckdb`.
"""
