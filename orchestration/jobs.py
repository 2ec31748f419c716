"""Jobs and schedules: one per user story. Must not be here: assets, sensors, business rules."""

import dagster as dg

# In one process: a multiprocess step costs 8-9 s of imports, the work of a whole small day less than one of them.
daily = dg.define_asset_job(
    "daily",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    description="Lands the day's feeds, builds and checks the models, publishes, writes the day's files.",
)

backfill = dg.define_asset_job(
    "backfill",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    description="The daily run over a range of dates, in one run: models are built set-based for all of them.",
)


@dg.schedule(
    job=daily,
    cron_schedule="0 9 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 09:00 UTC, for the day that has begun.",
)
def daily_09_utc(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """One run a day: the run key is the date."""
    as_of_date = context.scheduled_execution_time.date().isoformat()
    return dg.RunRequest(run_key=as_of_date, partition_key=as_of_date)
