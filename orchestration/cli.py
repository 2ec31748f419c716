"""The `trends` command: thin, it runs the same jobs as the Dagster UI, in this process.

Exit codes: 0 done, 1 failed or finished with unreadable input, 2 wrong use. Belongs here: arguments, progress, what is
printed. Must not be here: what a job does.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ingest.migrations import NewerHomeError
from orchestration import former_home
from orchestration.settings import PROJECT_ROOT, Settings
from warehouse.former_home import HomeMoveError
from warehouse.store import FactsLostError, Store, WarehouseBusyError

if TYPE_CHECKING:
    import dagster as dg

DONE, FAILED, WRONG_USE = 0, 1, 2
# What a shell gives a program that wrote to a reader which had gone (SIGPIPE).
BROKEN_PIPE = 141

# Problems and notes of a landing that are printed; all of them stand in raw.loads and in the run's metadata.
LINES_SHOWN = 8


class UsageError(ValueError):
    """The command cannot be carried out as given; the message names the remedy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line and runs it; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    settings = _settings(options)
    # NumPy comes with some libraries; a thread of its algebra, which nobody uses, spins for a while in every process.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    logging.basicConfig(level=settings.trends_log_level, format="%(levelname)s %(name)s: %(message)s")
    try:
        if moved := former_home.take_up(settings):
            print(f"trends: {moved}", file=sys.stderr)
        code = int(options.run(options, settings))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # `trends scorecard | head`. The signal itself stays ignored, else a service that drops a connection would
        # kill the process; and Python would flush standard output once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except UsageError as error:
        print(f"trends: {error}", file=sys.stderr)
        return WRONG_USE
    except (
        WarehouseBusyError, FactsLostError, NewerHomeError, HomeMoveError, FileNotFoundError, LookupError
    ) as error:  # fmt: skip
        print(f"trends: {error}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="trends", description="TikTok trends for template creators.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, help_text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_text, description=help_text)
        sub.add_argument("--home", type=Path, help="home directory (default: TRENDS_HOME, else home/ in the project)")
        sub.set_defaults(run=run)
        return sub

    run = command("run", _run, "Run the daily job for one date.")
    run.add_argument("--date", type=_date, help="as-of date (default: today, or the source's last day)")
    run.add_argument("--source", default="", help="apify, sample or an export folder")
    run.add_argument("--as-of", type=_moment, help="cut-off time with offset, replaces the stored one")
    run.add_argument("--no-deliver", action="store_true", help="write the files, send nothing")
    run.add_argument("--if-due", action="store_true", help="only if today's run is due and was not made yet")

    backfill = command("backfill", _backfill, "Run the daily job over all dates of an export folder.")
    backfill.add_argument("--source", required=True, help="an export folder, or sample")
    backfill.add_argument("--from", dest="first", type=_date, help="first date (default: the source's first)")
    backfill.add_argument("--to", dest="last", type=_date, help="last date (default: the source's last)")

    poll = command("poll", _poll, "Take fresh readings and look for videos that speed up.")
    poll.add_argument("--date", type=_date, help="date of the poll (default: today, or the source's last day)")
    poll.add_argument("--source", default="", help="apify, sample or an export folder")
    poll.add_argument("--no-deliver", action="store_true", help="land and judge, send nothing")
    poll.add_argument("--if-due", action="store_true", help="only in a poll hour of London that was not polled yet")

    rebuild = command("rebuild", _rebuild, "Make everything derived again from the facts; sends nothing.")
    rebuild.add_argument("--from", dest="first", type=_date, help="first date (default: all; others stay)")
    rebuild.add_argument("--to", dest="last", type=_date, help="last date (default: all; others stay)")
    command("publish", _publish, "Publish the marts as they are built.")
    scorecard = command("scorecard", _scorecard, "Print how good the forecasts were, beside the naive ones.")
    scorecard.add_argument("--from", dest="first", type=_date, help="first scored date (default: all)")
    scorecard.add_argument("--to", dest="last", type=_date, help="last scored date (default: all)")
    backup = command("backup", _backup, "Bring the copy of the warehouse in Drive up to date.")
    backup.add_argument("--if-configured", action="store_true", help="without a Drive folder, say so and succeed")
    backup.add_argument("--force", action="store_true", help="also over a copy that has what this warehouse lacks")
    restore = command("restore", _restore, "Put the warehouse back from its copy in Drive.")
    restore.add_argument("--if-newer", action="store_true", help="do nothing, and succeed, where the copy is not newer")
    restore.add_argument("--force", action="store_true", help="also over a newer warehouse, which is set aside")
    doctor = command("doctor", _doctor, "Check every setting: present, valid, reachable, permitted.")
    doctor.add_argument("--live", action="store_true", help="also write to scratch places, and clean up")
    auth = command("auth", _auth, "Sign in with Google once and print the refresh token.")
    auth.add_argument("service", choices=["google"])
    ui = command("ui", _ui, "Start the Dagster UI and its daemon.")
    ui.add_argument("--port", type=int, default=3000)
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    given: dict[str, Any] = {}
    if options.home:
        given["trends_home"] = options.home
    if getattr(options, "no_deliver", False):
        given["deliver"] = False
    return Settings(**given)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date: expected YYYY-MM-DD") from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: expected 2026-02-20T09:00:00Z") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no offset: say 2026-02-20T09:00:00Z")
    return moment.astimezone(UTC)


def _run(options: argparse.Namespace, settings: Settings) -> int:
    from orchestration import feeds

    if options.if_due and not _is_due("daily", settings):
        return DONE
    source = options.source or feeds.default_source(settings)
    as_of_date = options.date or _last_date(source, settings)
    return _execute("daily", settings, [as_of_date], source, options.as_of)


def _backfill(options: argparse.Namespace, settings: Settings) -> int:
    dates = [
        day
        for day in _offered_dates(options.source, settings)
        if (options.first is None or day >= options.first) and (options.last is None or day <= options.last)
    ]
    if not dates:
        message = f"{options.source} has no feed in the dates asked for"
        raise UsageError(message)
    return _execute("backfill", settings, dates, options.source, None)


def _poll(options: argparse.Namespace, settings: Settings) -> int:
    from exports import poll_report, published
    from orchestration import feeds

    if options.if_due and not _is_due("micro_poll", settings):
        return DONE
    source = options.source or feeds.default_source(settings)
    code = _execute("micro_poll", settings, [options.date or _last_date(source, settings)], source, None, poll=True)
    if code == FAILED and not _store(settings).published_path.exists():
        return code
    with _store(settings).published_reader() as connection:
        poll = published.last_poll(connection)
    row = poll.row
    print(
        f"poll of {row['poll_at']:%Y-%m-%d %H:%M} UTC: {row['new_readings']} new readings,"
        f" {row['repeated_readings']} read before; {row['tracked']} tracked, {row['new_candidates']} new candidates,"
        f" {row['removed']} removed; {row['alerts']} alerts, {row['watches']} to watch; an alert needed"
        f" {row['pace_factor_needed']:.1f} times the pace"
    )
    for line in poll_report.gaps(poll.markets):
        print(line)
    for alert in poll.alerts:
        print(
            f"{alert['tier']:<6} {alert['market']} @{alert['author_handle']} {poll_report.happened(alert)}"
            f" {alert['video_url']}"
        )
    for trend in poll.trends:
        name = poll_report.trend_name(trend["trend_key"], trend["music_name"], None)
        print(f"TREND  {trend['market']} {name}: {poll_report.trend_happened(trend)}")
    return code


def _is_due(job_name: str, settings: Settings) -> bool:
    """Whether the present belongs to a slot of the job that was not served yet; says so where it does not."""
    from orchestration import services, timetable

    now, store = datetime.now(UTC), _store(settings)
    slot = timetable.daily_slot(now) if job_name == "daily" else timetable.poll_slot(now)
    following = f"the next one is due at {timetable.next_slot(job_name, now):%Y-%m-%d %H:%M} UTC"
    if slot is None:
        print(f"not due: {following}")
        return False
    if store.has_facts and services.receipts(store).find(timetable.slot_key(job_name, slot)) is not None:
        print(f"done before: {job_name} of {slot:%Y-%m-%d %H:%M} UTC; {following}")
        return False
    return True


def _record_slot(job_name: str, settings: Settings, store: Store, started_at: datetime, as_of_date: date) -> None:
    """Notes that the slot a run began in was served, so that a second call of a scheduler finds nothing due."""
    from exports.receipts import Receipt
    from orchestration import services, timetable

    slot = timetable.daily_slot(started_at) if job_name == "daily" else timetable.poll_slot(started_at)
    if job_name in ("daily", "micro_poll") and slot is not None and as_of_date == slot.date() and settings.deliver:
        key = timetable.slot_key(job_name, slot)
        services.receipts(store).save(Receipt(key, "slot", job_name, digest="served", as_of_date=as_of_date))


def _backup(options: argparse.Namespace, settings: Settings) -> int:
    from orchestration.backup import backup

    return _copy(
        settings,
        "not backed up",
        options.if_configured,
        lambda: backup(settings, _store(settings), force=options.force),
    )


def _restore(options: argparse.Namespace, settings: Settings) -> int:
    from orchestration.backup import restore
    from warehouse.publish import has_builds

    store = _store(settings)
    restored: list[str] = []

    def put_back() -> str:
        done = restore(settings, store, force=options.force, if_newer=options.if_newer)
        if done is None:
            return "not restored: there is no copy in Drive, or none that is newer than this warehouse"
        restored.append(done)
        return done

    code = _copy(settings, "not restored", options.if_newer, put_back)
    return _publish(options, settings) if restored and has_builds(store) else code


def _copy(settings: Settings, refusal: str, is_optional: bool, act: Callable[[], str]) -> int:
    """Makes or puts back the copy in Drive; where that is optional, settings that are missing are no failure."""
    from ingest.retries import ServiceError
    from orchestration import services
    from orchestration.backup import NotConfiguredError
    from warehouse.backup import BackupError

    services.guard_logs(settings)
    try:
        print(act())
    except NotConfiguredError as error:
        print(f"{refusal}: {error}" if is_optional else f"trends: {error}", file=None if is_optional else sys.stderr)
        return DONE if is_optional else FAILED
    except (BackupError, ServiceError) as error:
        print(f"trends: {error}", file=sys.stderr)
        return FAILED
    return DONE


def _rebuild(options: argparse.Namespace, settings: Settings) -> int:
    from tqdm import tqdm

    from orchestration import compiled_models
    from orchestration import rebuild as rebuilding

    _check_range(options)
    store = _store(settings)
    wanted = rebuilding.plan(store, options.first, options.last) if store.has_facts else None
    if wanted is None or not wanted.rows_by_date:
        message = f"nothing to rebuild: nothing was landed in {store.home} for these dates. Run `trends run` first."
        raise UsageError(message)
    print(f"rebuilding {wanted.describe()}; nothing is fetched or sent, the published file stays until it is whole")
    nodes = len(compiled_models.compiled(PROJECT_ROOT)) * len(rebuilding.batches(wanted.rows_by_date))
    try:
        with tqdm(total=nodes, desc="rebuilding", unit="node", disable=None) as bar:
            done = rebuilding.rebuild_and_publish(
                PROJECT_ROOT,
                store,
                wanted,
                is_part=options.first is not None or options.last is not None,
                on_result=lambda _: bar.update(),
            )
    except compiled_models.OutdatedHomeError as error:
        raise UsageError(str(error)) from None
    for day, reason in done.left_out.items():
        print(f"left out {day}: {reason}")
    if done.publication is None:
        print("trends: no date could be built, nothing was published", file=sys.stderr)
        return FAILED
    print(f"rebuilt {len(done.dates)} dates; published {done.publication.path} as of {done.publication.as_of_date}")
    return DONE


def _publish(options: argparse.Namespace, settings: Settings) -> int:
    from orchestration.dbt_runner import descriptions, ensure_manifest
    from orchestration.version import git_sha
    from warehouse import publish

    store = _store(settings)
    if not publish.has_builds(store):
        message = f"nothing to publish: nothing was built in {store.home}. Run `trends run` first."
        raise UsageError(message)
    publication = publish.publish(
        store,
        run_id="trends publish",
        git_sha=git_sha(),
        descriptions=descriptions(ensure_manifest(PROJECT_ROOT)),
    )
    print(f"published {publication.path} as of {publication.as_of_date}: {sum(publication.tables.values())} rows")
    return DONE


def _scorecard(options: argparse.Namespace, settings: Settings) -> int:
    from exports import published, scorecard

    _check_range(options)
    with _store(settings).published_reader() as connection:
        forecasts, decisions = published.scorecard_days(connection, options.first, options.last)
        alerts = published.last_alert_scores(connection, options.last)
        if forecasts.rows:
            text = scorecard.report(forecasts, decisions, alerts)
        else:
            text = scorecard.nothing_scored(*published.scored_period(connection))
            text += "".join(f"\n{line}" for line in scorecard.alert_lines(alerts)) if alerts else ""
    print(text)
    return DONE


def _check_range(options: argparse.Namespace) -> None:
    if options.first and options.last and options.first > options.last:
        message = f"--from {options.first} is after --to {options.last}"
        raise UsageError(message)


def _doctor(options: argparse.Namespace, settings: Settings) -> int:
    from orchestration import services
    from orchestration.doctor import examine

    services.guard_logs(settings)
    failed = 0
    for finding in examine(settings, live=options.live):
        failed += finding.state == "FAILED"
        print(f"{finding.state:<8} {finding.name}: {finding.text}", flush=True)
    return FAILED if failed else DONE


def _auth(options: argparse.Namespace, settings: Settings) -> int:
    from exports.google_auth import authorize_in_browser
    from ingest.retries import ServiceError

    if not settings.google_client_id or settings.google_client_secret is None:
        message = "set GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET first: an OAuth client of the type Desktop app"
        raise UsageError(message)
    try:
        token = authorize_in_browser(
            settings.google_client_id,
            settings.google_client_secret,
            auth_uri=settings.google_auth_uri,
            token_uri=settings.google_token_uri,
        )
    except ServiceError as error:
        print(f"trends: {error}", file=sys.stderr)
        return FAILED
    print("Put this line into .env; it is shown only once:")
    print(f"GOOGLE_REFRESH_TOKEN={token.get_secret_value()}")
    return DONE


def _ui(options: argparse.Namespace, settings: Settings) -> int:
    from orchestration import instance

    environment = os.environ | instance.environment(settings, _store(settings))
    environment["TRENDS_HOME"] = str(settings.trends_home)
    executable = Path(sys.executable).with_name("dagster")
    os.chdir(PROJECT_ROOT)
    command = [str(executable), "dev", "-m", "orchestration.definitions", "-p", str(options.port)]
    os.execve(executable, command, environment)  # noqa: S606 - a fixed program of this environment


def _store(settings: Settings) -> Store:
    return Store(settings.trends_home, settings.lock_timeout_s)


def _offered_dates(source: str, settings: Settings) -> list[date]:
    from orchestration import feeds

    try:
        offered = feeds.offer(source, settings, _store(settings))
    except (FileNotFoundError, ValueError) as error:
        raise UsageError(str(error)) from None
    return sorted({feed.observed_at.date() for feed in offered.feeds})


def _last_date(source: str, settings: Settings) -> date:
    """Today for live data; for a folder the last day it has, which is said aloud."""
    from orchestration import feeds

    today = datetime.now(UTC).date()
    if source == feeds.APIFY:
        return today
    dates = _offered_dates(source, settings)
    if not dates:
        message = f"{source} holds no feed: expected <market>/<kind>/<YYYY-MM-DDTHH-MM-SSZ>.json files"
        raise UsageError(message)
    if today in dates:
        return today
    print(f"no --date given: taking {dates[-1]}, the last day of {source}")
    return dates[-1]


def _execute(
    job_name: str,
    settings: Settings,
    dates: Sequence[date],
    source: str,
    as_of: datetime | None,
    *,
    poll: bool = False,
) -> int:
    """Runs a job in this process, prints its stages, and says what a person needs to know."""
    today = datetime.now(UTC).date()
    if dates[-1] > today:
        message = f"{dates[-1]} has not begun: today is {today} (UTC). Say --date of a day until today"
        raise UsageError(message)
    started, started_at = time.monotonic(), datetime.now(UTC)
    store = _store(settings)
    from orchestration import instance, makers

    if job_name == "daily" and settings.export_processes > 1:
        makers.start()

    os.environ.update(instance.environment(settings, store))
    import dagster as dg

    from orchestration import feeds, services, timetable
    from orchestration.definitions import build_defs

    services.guard_logs(settings)

    stages = [("start-up", time.monotonic() - started)]
    job = build_defs(settings).resolve_job_def(job_name)
    first, last = dates[0].isoformat(), dates[-1].isoformat()
    selection: dict[str, Any] = (
        {"partition_key": last}
        if len(dates) == 1
        else {"tags": {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}}
    )
    slot = timetable.poll_slot(started_at) if poll else None
    # A poll that is tried again within its slot reads on in the runs that the first try paid.
    poll_key = f"{slot:%Y-%m-%dT%H}" if slot is not None else ""
    ingest = {"source": source, "as_of": as_of.isoformat() if as_of else "", "poll": poll, "poll_key": poll_key}
    config = {
        "ops": {"raw_feeds": {"config": ingest}},
        # Dagster's own console log repeats every event: people get the report below, the UI has the events.
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }
    stages.append(("definitions", time.monotonic() - started - stages[0][1]))
    with dg.DagsterInstance.get() as opened:
        result = job.execute_in_process(instance=opened, run_config=config, raise_on_error=False, **selection)
    problems = _report(result, store, stages, started)
    for event in result.all_events:
        if event.is_step_failure:
            print(f"trends: {event.step_key} failed: {_innermost(event)}", file=sys.stderr)
    if not result.success:
        failed = [event for event in result.all_events if event.is_step_failure]
        step, reason = (str(failed[0].step_key), _innermost(failed[0])) if failed else (job_name, "unknown")
        if source != feeds.SAMPLE or settings.deliver_sample:
            services.report_failure(
                settings, store, run_id=result.run_id, job=job_name, as_of_date=dates[-1], step=step, reason=reason
            )
        return FAILED
    _record_slot(job_name, settings, store, started_at, dates[-1])
    return FAILED if problems else DONE


def _innermost(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return str(failure.user_failure_data.description)
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error else "unknown"


def _report(result: dg.ExecuteInProcessResult, store: Store, stages: list[tuple[str, float]], started: float) -> int:
    """Prints landing, stage times and files; returns the number of unreadable files."""
    problems = 0
    seen: set[str] = set()
    told_of: set[dg.AssetKey] = set()
    for event in result.all_events:
        if event.is_step_success:
            stages.append((str(event.step_key), event.step_success_data.duration_ms / 1000))
        if event.event_type_value == "ASSET_OBSERVATION" and event.step_key in ("deliver", "send_poll"):
            observation = event.asset_observation_data.asset_observation
            print(f"not delivered: {observation.asset_key.path[-1]}: {observation.metadata['skipped'].value}")
        if not event.is_step_materialization:
            continue
        if event.step_key == "deliver":
            told = event.materialization.metadata
            where = [str(told[name].value) for name in ("folder", "sheet", "outcome") if name in told]
            print(f"delivered: {event.materialization.asset_key.path[-1]}: {' '.join(where)}")
        metadata = event.materialization.metadata
        landing_line = metadata.get("landing")
        if landing_line is not None and "landing" not in seen:
            seen.add("landing")
            print(f"landing: {landing_line.value}")
            problems = int(str(metadata["unreadable_files"].value))
            for name in ("problems", "notes"):
                lines = [line for line in str(metadata[name].value).splitlines() if line != "none"]
                print(*lines[:LINES_SHOWN], sep="\n", end="\n" if lines else "")
                if len(lines) > LINES_SHOWN:
                    print(
                        f"- and {len(lines) - LINES_SHOWN} more: select file, reason from raw.loads where reason <> ''"
                    )
        if "revenue" in metadata and "revenue" not in seen:
            seen.add("revenue")
            print(f"revenue: {metadata['revenue'].value}")
        # A run over a range materializes every partition with the same metadata.
        if "files" in metadata and event.materialization.asset_key not in told_of:
            told_of.add(event.materialization.asset_key)
            for line in str(metadata["files"].value).splitlines():
                print(f"wrote {line} ({metadata['seconds'].value:.1f} s)")
    print("stages: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in stages))
    print(f"total {time.monotonic() - started:.1f} s; published {store.published_path}")
    return problems


def command() -> NoReturn:
    """The program `trends`: `main`, and then the end of the process without taking it apart.

    Freeing Dagster's objects one by one at exit takes longer than some commands; whatever needs closing was closed.
    """
    # Nearly all objects that are made stay: looking through them for cycles finds nothing, and took some 3 % of a small
    # day (9.8 s against 10.2 s on average of four runs each) where it was done for each million new ones.
    gc.set_threshold(10_000_000, 50, 50)
    code = main()
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    command()
