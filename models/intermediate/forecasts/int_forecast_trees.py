"""The trees of the batch's fit dates; how they are fitted is in forecasting/trees.py, what from in the refs."""

from forecasting import trees


def model(dbt, session):
    """Rows of `forecasting.trees.SCHEMA` for the fit dates of the batch."""
    dbt.config(materialized="incremental", incremental_strategy="as_of")
    dbt.ref("int_as_of")
    fit_dates = dbt.ref("int_forecast_fit_dates")
    examples = dbt.ref("int_forecast_examples")
    history_days = dbt.config.get("history_days")
    fewest = dbt.config.get("fewest_examples")
    features = [column for column in examples.columns if column.startswith("f_")]
    wanted = fit_dates.filter("as_of_date = fitted_on").project("fitted_on").order("fitted_on").fetchall()
    columns = ", ".join([*features, *sorted({learner.label for learner in trees.LEARNERS.values()})])
    known = {}
    for (fitted_on,) in wanted:
        rows = examples.filter(
            f"as_of_date <= date '{fitted_on}' and as_of_date > date '{fitted_on}' - {history_days}"
        ).order("as_of_date, forecast_date, market, video_id, horizon_hours")
        table = rows.project(columns).to_arrow_table()
        if table.num_rows >= fewest:
            known[fitted_on] = table
    return trees.fit(known, features)
