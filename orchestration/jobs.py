"""Jobs and schedules: one per user story. Must not be here: assets, sensors, business rules."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import dagster as dg

from engine import rebuild as rebuilding
from orchestration import sources, timetable, watchdog
from orchestration.assets import delivery, exports, ingest
from orchestration.assets.publication import PUBLISHED
from orchestration.partitions import WRITER_POOL
from orchestration.settings import PROJECT_ROOT
from warehouse.store import Store

# Dagster does not export the type of a job before its assets are known.
AnyJob = Any

LAST_OPS = ("deliver", "send_poll")


@dg.success_hook(required_resource_keys={"settings", "store"})
def sign_of_life(context: dg.HookContext) -> None:
    """At the end of a run that went well: a watcher outside hears that this machine lives."""
    settings = context.resources.settings
    if context.op.name in LAST_OPS and delivery.why_not(settings, context.resources.store) is None:
        problem = watchdog.give_sign_of_life(settings)
        if problem:
            context.log.warning(problem)


# In one process: a multiprocess step costs 8-9 s of imports, the work of a whole small day less than one of them.
daily = dg.define_asset_job(
    "daily",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(delivery.send_poll),
    executor_def=dg.in_process_executor,
    hooks={sign_of_life},
    description="Lands the day's feeds, builds and checks the models, publishes, writes the files, delivers them.",
)

backfill = dg.define_asset_job(
    "backfill",
    # What is past is not news: nothing of a backfill is sent.
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups("delivery"),
    executor_def=dg.in_process_executor,
    # The command line gives an export folder instead.
    config=dg.RunConfig(
        ops={
            "raw_feeds": ingest.IngestConfig(source=sources.LANDED),
            **dict.fromkeys(exports.FILE_OPS, exports.FilesConfig(files=exports.Files.latest)),
        }
    ),
    description="The daily run over a range of dates, in one run: models are built set-based for all of them.",
)


@dg.op(
    pool=WRITER_POOL,
    description="Makes models and marts of all dates again, at the stored cut-offs, and publishes them in one step.",
)
def rebuild_home(context: dg.OpExecutionContext, store: dg.ResourceParam[Store]) -> None:
    """What `trends rebuild` does."""
    wanted = rebuilding.plan(store)
    context.log.info(f"rebuilding {wanted.describe()}")
    done = rebuilding.rebuild_and_publish(PROJECT_ROOT, store, wanted)
    for day, reason in done.left_out.items():
        context.log.warning(f"left out {day}: {reason}")
    if done.publication is None:
        raise dg.Failure("nothing was built: run `daily` first", allow_retries=False)
    context.add_output_metadata({"dates": len(done.dates), "left_out": len(done.left_out)})


@dg.job(
    executor_def=dg.in_process_executor,
    description="After a change of the project: makes everything derived again from the facts. Sends nothing.",
)
def rebuild() -> None:
    """All dates of the home."""
    rebuild_home()


def build_micro_poll(polled: Sequence[dg.AssetKey]) -> AnyJob:
    """The poll: fresh readings, the models of `polled` and nothing else, the published file."""
    return dg.define_asset_job(
        "micro_poll",
        selection=dg.AssetSelection.assets(ingest.raw_feeds, *polled, PUBLISHED, delivery.send_poll),
        executor_def=dg.in_process_executor,
        hooks={sign_of_life},
        config=dg.RunConfig(ops={"raw_feeds": ingest.IngestConfig(poll=True)}),
        description="Fresh video readings, the watch list and the acceleration alerts; only the models they need.",
    )


def build_revenue(revenue_models: Sequence[dg.AssetKey], files: Sequence[dg.AssetKey]) -> AnyJob:
    """After an edit of the revenue sheet: what hangs on it, and nothing else.

    Drive gets the files, because there a repeat replaces what changed. No message and no row of the dashboard sheet
    is sent: those of the day stand.
    """
    return dg.define_asset_job(
        "revenue",
        selection=dg.AssetSelection.assets(ingest.raw_revenue, *revenue_models, PUBLISHED, *files, delivery.DRIVE),
        executor_def=dg.in_process_executor,
        config=dg.RunConfig(ops={"raw_revenue": ingest.RevenueConfig(renew=True)}),
        description="Reads the revenue sheet, builds its models and the files that show it; replaces them in Drive.",
    )


def build_micro_poll_schedule(micro_poll: AnyJob) -> dg.ScheduleDefinition:
    """Every two hours of the British day, whatever the clocks do."""

    @dg.schedule(
        job=micro_poll,
        name="micro_poll_2h",
        cron_schedule=timetable.POLL_CRON,
        execution_timezone=timetable.POLL_ZONE,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every two hours from 08:00 to 22:00 in London, for the date in UTC.",
    )
    def micro_poll_2h(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        at = context.scheduled_execution_time.astimezone(UTC)
        return dg.RunRequest(run_key=f"{at:%Y-%m-%dT%H:%M}", partition_key=at.date().isoformat())

    return micro_poll_2h


@dg.schedule(
    job=daily,
    cron_schedule=timetable.DAILY_CRON,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 09:00 UTC, for the day that has begun.",
)
def daily_09_utc(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """One run a day: the run key is the date."""
    as_of_date = context.scheduled_execution_time.date().isoformat()
    return dg.RunRequest(run_key=as_of_date, partition_key=as_of_date)
