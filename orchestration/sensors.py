"""Sensors: what happens outside that makes a run worth while, and the word to people when a run failed.

Belongs here: when a sensor looks, what it asks for, and which settings it needs. Must not be here: HTTP (the clients),
what a job does (`jobs`).

A sensor whose settings are missing is there but stopped, and its description says which. None of them pays for
anything: runs of Apify are listed, never started, and the sheet is read with a token that cannot write.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from ingest import facts, landing
from ingest.apify import FinishedRun, finished_runs
from orchestration import services, sources, watchdog
from orchestration.assets import delivery
from orchestration.jobs import AnyJob
from orchestration.settings import Settings
from services.retries import ServiceError
from warehouse.publish import published_dates
from warehouse.store import Store, WarehouseBusyError

# An older run says nothing about now; the data of a date that is missing comes back with `trends backfill`.
LOOKS_BACK = timedelta(days=2)
UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
# The daemon gives a sensor 60 s: the ledger of messages must be free before that.
LONGEST_WAIT_S = 30.0


def build_sensors(
    settings: Settings, micro_poll: AnyJob, revenue_job: AnyJob, partitions: dg.PartitionsDefinition
) -> list[dg.SensorDefinition]:
    """The sensors; those whose settings exist run by default."""
    return [
        _apify_sensor(settings, micro_poll, partitions),
        _revenue_sensor(settings, revenue_job),
        _failure_sensor(settings),
        _silence_sensor(settings),
    ]


def _apify_sensor(settings: Settings, micro_poll: AnyJob, partitions: dg.PartitionsDefinition) -> dg.SensorDefinition:
    tasks = sources.apify_tasks(settings, sources.configured_markets())
    missing = "" if settings.apify_token else "APIFY_TOKEN is not set"
    if not missing and not tasks:
        missing = "no task id is set (US_VIDEO_TASK_ID and so on)"

    @dg.sensor(
        name="apify_run_finished",
        job=micro_poll,
        minimum_interval_seconds=300,
        **_default(
            missing,
            "A run of the actor tasks that somebody else started (the console, Apify's schedule) has finished: its"
            " dataset is landed, and the poll models say what it shows. A date's daily numbers keep their cut-off."
            " Runs are listed, none is started.",
        ),
    )
    def apify_run_finished(
        context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings], store: dg.ResourceParam[Store]
    ) -> dg.SensorResult | dg.SkipReason:
        config = services.apify(settings)
        if isinstance(config, str):
            return dg.SkipReason(config)
        services.guard_logs(settings)
        if context.instance.get_runs_count(dg.RunsFilter(statuses=list(UNFINISHED))):
            return dg.SkipReason("a run is under way, and may be landing what has finished: looking again after it")
        now = datetime.now(UTC)
        tasks = sources.apify_tasks(settings, sources.configured_markets())
        try:
            finished = finished_runs(config, tasks, now - LOOKS_BACK)
            landed = _landed_runs(store)
        except (ServiceError, WarehouseBusyError) as error:
            return dg.SkipReason(str(error))
        asked = set(json.loads(context.cursor or "[]"))
        new = [run for run in finished if run.run_id not in landed | asked]
        cursor = json.dumps(sorted(asked.intersection(run.run_id for run in finished) | {run.run_id for run in new}))
        if not new:
            return dg.SkipReason(f"{len(finished)} runs finished in {LOOKS_BACK.days} days, all of them are landed")
        # A run from before the home's first date is the past of nothing.
        requests = [
            request for request in _poll_requests(new) if partitions.has_partition_key(str(request.partition_key))
        ]
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return apify_run_finished


def _poll_requests(runs: Sequence[FinishedRun]) -> list[dg.RunRequest]:
    """One request a date, because the markets' runs end within minutes of each other and make one poll."""
    by_date: dict[date, list[FinishedRun]] = defaultdict(list)
    for run in runs:
        by_date[run.finished_at.date()].append(run)
    return [
        dg.RunRequest(
            run_key="+".join(run.run_id for run in of_date),
            partition_key=day.isoformat(),
            run_config={
                "ops": {
                    "raw_feeds": {
                        "config": {
                            "source": sources.APIFY,
                            "poll": True,
                            "apify_runs": [f"{run.task.market}/{run.task.kind}/{run.run_id}" for run in of_date],
                        }
                    }
                }
            },
        )
        for day, of_date in sorted(by_date.items())
    ]


def _landed_runs(store: Store) -> set[str]:
    """Run ids in the warehouse. It doesn't wait for a writer: the next look comes soon enough."""
    if not store.has_facts:
        return set()
    with facts.writer(replace(store, lock_timeout_s=0)) as connection:
        return landing.landed_runs(connection)


def _revenue_sensor(settings: Settings, revenue_job: AnyJob) -> dg.SensorDefinition:
    missing = ""
    if sources.revenue_sheet(settings) is None:
        missing = "no sheet is set (DASHBOARD_SHEET_ID or REVENUE_SHEET_ID)"
    elif services.google(settings) is None:
        missing = services.GOOGLE_MISSING

    @dg.sensor(
        name="revenue_sheet_changed",
        job=revenue_job,
        minimum_interval_seconds=900,
        **_default(
            missing,
            "The revenue tab says something else than at its last reading: the revenue models of the newest published"
            " date and the files that show revenue are made again.",
        ),
    )
    def revenue_sheet_changed(
        context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings], store: dg.ResourceParam[Store]
    ) -> dg.SensorResult | dg.SkipReason:
        # Google's libraries take long to import: only who reads the sheet needs them.
        from ingest import revenue

        sheet = sources.revenue_sheet(settings)
        if sheet is None:
            return dg.SkipReason("no sheet is set")
        services.guard_logs(settings)
        if not store.published_path.exists():
            return dg.SkipReason("nothing is published yet: the first daily run reads the sheet")
        now = datetime.now(UTC)
        try:
            reading = revenue.read_sheet(sheet, now=now)
        except (ServiceError, revenue.RevenueReadError) as error:
            return dg.SkipReason(str(error))
        digest = revenue.content_hash(reading)
        if digest == context.cursor:
            return dg.SkipReason("unchanged since the last look")
        if digest == _cached_digest(sources.revenue_cache(settings, store)):
            return dg.SensorResult(skip_reason="unchanged since a run read it", cursor=digest)
        newest = published_dates(store)[-1].isoformat()
        request = dg.RunRequest(run_key=f"{digest[:16]} {now:%Y-%m-%dT%H:%M:%S}", partition_key=newest)
        return dg.SensorResult(run_requests=[request], cursor=digest)

    return revenue_sheet_changed


def _cached_digest(path: Path) -> str | None:
    from ingest import revenue

    try:
        return revenue.content_hash(revenue.read_cache(path))
    except (FileNotFoundError, revenue.RevenueReadError):
        return None


def _nobody_hears(settings: Settings) -> str:
    """Why nobody is told anything; empty where somebody is."""
    if not services.carriers(settings):
        return services.NOBODY_HEARS
    return "" if settings.deliver else "DELIVER is off"


def _failure_sensor(settings: Settings) -> dg.SensorDefinition:
    missing = _nobody_hears(settings)

    @dg.run_failure_sensor(
        name="run_failure_to_discord",
        minimum_interval_seconds=30,
        **_default(
            missing,
            "A run of the UI, a schedule or a sensor failed: Discord and the channels of that kind hear it once, with"
            " step and reason. Runs of the command line tell it themselves.",
        ),
    )
    def run_failure_to_discord(
        context: dg.RunFailureSensorContext, settings: dg.ResourceParam[Settings], store: dg.ResourceParam[Store]
    ) -> dg.SkipReason | None:
        services.guard_logs(settings)
        run = context.dagster_run
        run_config: dict[str, Any] = dict(run.run_config)
        landing_config = run_config.get("ops", {}).get("raw_feeds", {}).get("config", {})
        patient = Store(store.home, min(store.lock_timeout_s, LONGEST_WAIT_S))
        source = sources.source_of(landing_config.get("source", ""), settings, patient)
        if source == sources.SAMPLE and not settings.deliver_sample:
            return dg.SkipReason("a run on the simulated sample tells nobody")
        step, reason = _what_failed(context)
        outcome = services.report_failure(
            settings,
            patient,
            run_id=run.run_id,
            job=run.job_name,
            as_of_date=date.fromisoformat(run.tags["dagster/partition"]) if "dagster/partition" in run.tags else None,
            step=step,
            reason=reason,
        )
        context.log.info(f"run {run.run_id}: message {outcome}")
        return None

    return run_failure_to_discord


def _silence_sensor(settings: Settings) -> dg.SensorDefinition:
    missing = _nobody_hears(settings)

    @dg.sensor(
        name="silence_to_discord",
        minimum_interval_seconds=900,
        **_default(
            missing,
            "Nothing came: no file of the day by 12:00 UTC, no poll for two slots, a revenue sheet unread for a week."
            " Discord and the channels of that kind hear each once.",
        ),
    )
    def silence_to_discord(settings: dg.ResourceParam[Settings], store: dg.ResourceParam[Store]) -> dg.SkipReason:
        services.guard_logs(settings)
        patient = Store(store.home, min(store.lock_timeout_s, LONGEST_WAIT_S))
        if not patient.published_path.exists():
            return dg.SkipReason("nothing was published in this home yet")
        if reason := delivery.why_not(settings, patient):
            return dg.SkipReason(reason)
        told = list(watchdog.tell(settings, patient, datetime.now(UTC)))
        return dg.SkipReason("; ".join(told) or "all that is due has come")

    return silence_to_discord


def _what_failed(context: dg.RunFailureSensorContext) -> tuple[str, str]:
    for event in context.get_step_failure_events():
        failure = event.step_failure_data
        if failure.user_failure_data and failure.user_failure_data.description:
            return str(event.step_key), str(failure.user_failure_data.description)
        error = failure.error
        while error is not None and error.cause is not None:
            error = error.cause
        return str(event.step_key), error.message.strip() if error else "unknown"
    return context.dagster_run.job_name, context.failure_event.message or "unknown"


def _default(missing: str, description: str) -> dict[str, Any]:
    if missing:
        return {
            "default_status": dg.DefaultSensorStatus.STOPPED,
            "description": f"{description} Off, because {missing}.",
        }
    return {"default_status": dg.DefaultSensorStatus.RUNNING, "description": description}
