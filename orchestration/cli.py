"""The `trends` command: thin, it runs the same jobs as the Dagster UI, in this process.

Exit codes: 0 done, 1 failed or finished with unreadable input, 2 wrong use. Belongs here: arguments, progress, what is
printed. Must not be here: what a job does.
"""

from __future__ import annotations

# Little: `command` must be able to answer Ctrl-C before anything large is imported.
import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from orchestration import process

if TYPE_CHECKING:
    import dagster as dg

    from orchestration.settings import Settings
    from warehouse.store import Store

DONE, FAILED, WRONG_USE = 0, 1, 2
# What a shell gives a program that wrote to a reader which had gone (SIGPIPE).
BROKEN_PIPE = 141


class UsageError(ValueError):
    """The command cannot be carried out as given; the message names the remedy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line and runs it; returns the exit code."""
    options = _parser().parse_args(arguments)
    # NumPy comes with some libraries; a thread of its algebra, which nobody uses, spins for a while in every process.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from ingest.migrations import NewerHomeError
    from orchestration import former_home
    from warehouse.former_home import HomeMoveError
    from warehouse.store import FactsLostError, WarehouseBusyError

    home = Path.cwd()
    try:
        settings = _settings(options)
        home = settings.trends_home
        if moved := former_home.take_up(settings):
            _complain(moved)
        code = int(options.run(options, settings))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # `trends scorecard | head`. The signal itself stays ignored, else a service that drops a connection would
        # kill the process; and Python would flush standard output once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except UsageError as error:
        _complain(error)
        return WRONG_USE
    except (
        WarehouseBusyError, FactsLostError, NewerHomeError, HomeMoveError, FileNotFoundError, LookupError
    ) as error:  # fmt: skip
        _complain(error)
        return FAILED
    except Exception as error:
        from orchestration import troubles

        line = troubles.line_for(error, home)
        if line is None:
            raise
        _complain(line)
        return FAILED


def _complain(error: object) -> None:
    """One line on standard error for each thing that is wrong."""
    for line in str(error).splitlines():
        print(f"trends: {line}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="trends", description="TikTok trends for template creators.")
    parser.add_argument("--version", action=_Version, help="print the versions of the program and its main libraries")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, help_text: str, *, writes: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_text, description=help_text)
        sub.add_argument("--home", type=Path, help="home directory (default: TRENDS_HOME, else home/ in the project)")
        sub.set_defaults(run=run, writes=writes)
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
    backfill.add_argument(
        "--files",
        choices=("latest", "all", "none"),
        default="latest",
        help="of which dates files are made: the last and those that have some (latest, the default), all, or none",
    )

    poll = command("poll", _poll, "Take fresh readings and look for videos that speed up.")
    poll.add_argument("--date", type=_date, help="date of the poll (default: today, or the source's last day)")
    poll.add_argument("--source", default="", help="apify, sample or an export folder")
    poll.add_argument("--no-deliver", action="store_true", help="land and judge, send nothing")
    poll.add_argument("--if-due", action="store_true", help="only in a poll hour of London that was not polled yet")

    rebuild = command("rebuild", _rebuild, "Make everything derived again from the facts; sends nothing.")
    rebuild.add_argument("--from", dest="first", type=_date, help="first date (default: all; others stay)")
    rebuild.add_argument("--to", dest="last", type=_date, help="last date (default: all; others stay)")
    command("publish", _publish, "Publish the marts as they are built.")
    scorecard = command(
        "scorecard", _scorecard, "Print how good the forecasts were, beside the naive ones.", writes=False
    )
    scorecard.add_argument("--from", dest="first", type=_date, help="first scored date (default: all)")
    scorecard.add_argument("--to", dest="last", type=_date, help="last scored date (default: all)")
    backup = command("backup", _backup, "Bring the copy of the warehouse in Drive up to date.")
    backup.add_argument("--if-configured", action="store_true", help="without a Drive folder, say so and succeed")
    backup.add_argument("--force", action="store_true", help="also over a copy that has what this warehouse lacks")
    restore = command("restore", _restore, "Put the warehouse back from its copy in Drive.")
    restore.add_argument("--if-newer", action="store_true", help="do nothing, and succeed, where the copy is not newer")
    restore.add_argument("--force", action="store_true", help="also over a newer warehouse, which is set aside")
    doctor = command("doctor", _doctor, "Check every setting: present, valid, reachable, permitted.", writes=False)
    doctor.add_argument("--live", action="store_true", help="also write to scratch places, and clean up")
    auth = command("auth", _auth, "Sign in with Google once and print the refresh token.", writes=False)
    auth.add_argument("service", choices=["google"])
    show = command(
        "show", _show, "All that is known of a video, an account, a tag, a sound or a template.", writes=False
    )
    show.add_argument("what", metavar="WHAT", help="a link, @handle, #tag, a video's id, or kind:value")
    show.add_argument("--date", type=_date, help="as it was told up to this as-of date (default: the newest)")

    export = command("export", _export, "Write the published marts to files for other programs.", writes=False)
    export.add_argument(
        "--parquet", type=Path, required=True, metavar="DIR", help="where one Parquet file per mart goes"
    )

    resend = command("resend", _resend, "Send a date's messages again that may not have arrived, or were deleted.")
    resend.add_argument("--date", type=_date, required=True, help="as-of date of the messages")
    explore = command("explore", _explore, "Open the published marts in the browser.", writes=False)
    explore.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    explore.add_argument("--port", type=int, default=3001)
    explore.add_argument("--no-browser", action="store_true", help="only serve the page")
    ui = command("ui", _ui, "Start the Dagster UI and its daemon.")
    ui.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    ui.add_argument("--port", type=int, default=3000)
    return parser


class _Version(argparse.Action):
    """`--version`: the versions are looked up only where they are asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Prints one line and ends the command."""
        from engine import version
        from orchestration.settings import PROJECT_ROOT

        print(version.describe(PROJECT_ROOT))
        parser.exit()


def _settings(options: argparse.Namespace) -> Settings:
    """The settings of a command, checked before it changes anything.

    Raises:
        UsageError: Some can't be used; a line for each.
    """
    import logging

    from engine.progress import LogHandler
    from orchestration import settings as known

    settings, problems = known.load_usable(**_given(options))
    if options.writes and not problems:
        problems = known.unusable_places(settings)
    # The doctor tells what is wrong beside what is right.
    if problems and options.run is not _doctor:
        raise UsageError("\n".join(problem.text for problem in problems))
    if options.run is not _doctor:
        for line in known.unknown_names()[1]:
            print(f"trends: note: {line}", file=sys.stderr)
    logging.basicConfig(
        level=settings.trends_log_level, format="%(levelname)s %(name)s: %(message)s", handlers=[LogHandler()]
    )
    return settings


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """What the command line says in place of settings."""
    given: dict[str, Any] = {}
    if options.home:
        given["trends_home"] = options.home
    if getattr(options, "no_deliver", False):
        given["deliver"] = False
    return given


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
    from orchestration import sources

    if options.if_due and not _is_due("daily", settings):
        return DONE
    source = options.source or sources.default_source(settings)
    as_of_date = options.date or _last_date(source, settings)
    return _execute("daily", settings, [as_of_date], source, options.as_of)[0]


def _backfill(options: argparse.Namespace, settings: Settings) -> int:
    dates = [
        day
        for day in _offered_dates(options.source, settings)
        if (options.first is None or day >= options.first) and (options.last is None or day <= options.last)
    ]
    if not dates:
        message = f"{options.source} has no feed in the dates asked for"
        raise UsageError(message)
    return _execute("backfill", settings, dates, options.source, None, files=options.files)[0]


def _poll(options: argparse.Namespace, settings: Settings) -> int:
    from exports import published
    from exports.text import poll_report
    from orchestration import sources

    if options.if_due and not _is_due("micro_poll", settings):
        return DONE
    source = options.source or sources.default_source(settings)
    day = options.date or _last_date(source, settings)
    code, is_published = _execute("micro_poll", settings, [day], source, None, poll=True)
    if not is_published:
        return code
    with _store(settings).published_reader() as connection:
        poll = published.last_poll(connection, day)
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
    from orchestration import services, timetable
    from services.receipts import Receipt

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
    from orchestration import services
    from orchestration.backup import NotConfiguredError
    from services.retries import ServiceError
    from warehouse.copies import BackupError

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
    from engine import compiled_models
    from engine import rebuild as rebuilding
    from orchestration.engines import engine_of
    from orchestration.settings import PROJECT_ROOT

    _check_range(options)
    store, engine = _store(settings), engine_of(settings)
    wanted = rebuilding.plan(store, options.first, options.last, engine=engine) if store.has_facts else None
    if wanted is None or not wanted.rows_by_date:
        message = f"nothing to rebuild: nothing was landed in {store.home} for these dates. Run `trends run` first."
        raise UsageError(message)
    print(f"rebuilding {wanted.describe()}; nothing is fetched or sent, the published file stays until it is whole")
    is_part = options.first is not None or options.last is not None
    try:
        done = rebuilding.rebuild_and_publish(PROJECT_ROOT, store, wanted, engine=engine, is_part=is_part)
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
    from engine.dbt_runner import descriptions, ensure_manifest
    from engine.version import git_sha
    from orchestration.settings import PROJECT_ROOT
    from warehouse import publish

    store = _store(settings)
    if not publish.has_builds(store):
        message = f"nothing to publish: nothing was built in {store.home}. Run `trends run` first."
        raise UsageError(message)
    publication = publish.publish(
        store,
        run_id="trends publish",
        git_sha=git_sha(PROJECT_ROOT),
        descriptions=descriptions(ensure_manifest(PROJECT_ROOT)),
    )
    print(f"published {publication.path} as of {publication.as_of_date}: {sum(publication.tables.values())} rows")
    return DONE


def _resend(options: argparse.Namespace, settings: Settings) -> int:
    from orchestration import services
    from orchestration.assets import delivery

    services.guard_logs(settings)
    outcomes: list[bool] = []
    try:
        for told, is_done in delivery.send_again(settings, _store(settings), options.date):
            outcomes.append(is_done)
            print(told, file=sys.stdout if is_done else sys.stderr)
    except delivery.Skipped as skipped:
        raise UsageError(str(skipped)) from None
    if not outcomes:
        print(f"every message of {options.date} is in its channel: nothing to send")
    return DONE if all(outcomes) else FAILED


def _export(options: argparse.Namespace, settings: Settings) -> int:
    from warehouse import parquet

    try:
        files = list(parquet.export(_store(settings), options.parquet))
    except OSError as error:
        if isinstance(error, FileNotFoundError) and error.errno is None:
            raise
        message = f"{options.parquet} can't be written ({error.strerror or error}): give a folder that can"
        raise UsageError(message) from None
    rows, size = sum(count for _, count in files), sum(path.stat().st_size for path, _ in files)
    print(f"wrote {len(files)} marts to {options.parquet}: {rows:,} rows, {size / 1e6:.1f} MB")
    return DONE


def _show(options: argparse.Namespace, settings: Settings) -> int:
    from exports import questions
    from exports.text import show

    try:
        asked = questions.subject(options.what)
    except ValueError as error:
        raise UsageError(str(error)) from None
    with _store(settings).published_reader() as connection:
        print(show.show(connection, asked, options.date))
    return DONE


def _scorecard(options: argparse.Namespace, settings: Settings) -> int:
    from exports import published
    from exports.text import scorecard

    _check_range(options)
    with _store(settings).published_reader() as connection:
        forecasts, decisions = published.scorecard_days(connection, options.first, options.last)
        alerts = published.last_alert_scores(connection, options.last)
        scores = published.last_scorecard(connection, options.last)
        if forecasts.rows:
            text = scorecard.report(forecasts, decisions, alerts, scores)
        else:
            text = scorecard.nothing_scored(*published.scored_period(connection))
            text += "".join(f"\n{line}" for line in scorecard.alert_block(alerts)) if alerts else ""
    print(text)
    return DONE


def _check_range(options: argparse.Namespace) -> None:
    if options.first and options.last and options.first > options.last:
        message = f"--from {options.first} is after --to {options.last}"
        raise UsageError(message)


def _doctor(options: argparse.Namespace, settings: Settings) -> int:
    from orchestration import services
    from orchestration.doctor import examine
    from orchestration.settings import load_usable

    services.guard_logs(settings)
    failed = 0
    _, problems = load_usable(**_given(options))
    for finding in examine(settings, problems, live=options.live):
        failed += finding.state == "FAILED"
        print(f"{finding.state:<8} {finding.name}: {finding.text}", flush=True)
    return FAILED if failed else DONE


def _auth(options: argparse.Namespace, settings: Settings) -> int:
    from services.google_auth import authorize_in_browser
    from services.retries import ServiceError

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
    from orchestration.settings import PROJECT_ROOT

    _require_free(options.host, options.port)
    variables = instance.environment(settings, _store(settings))
    os.environ.update(variables)
    # Its processes start at once, and each would make the store of a new home.
    with instance.of_command(variables):
        pass
    environment = dict(os.environ)
    environment["TRENDS_HOME"] = str(settings.trends_home)
    if not _is_loopback(options.host):
        _complain(
            f"the UI has no sign-in: whoever reaches {options.host}:{options.port} can start runs. Put a proxy before"
            " it that asks who comes: docs/ui_for_others.md"
        )
    executable = Path(sys.executable).with_name("dagster")
    os.chdir(PROJECT_ROOT)
    command = [str(executable), "dev", "-m", "orchestration.definitions", "-h", options.host, "-p", str(options.port)]
    os.execve(sys.executable, [sys.executable, "-c", _HEARING_SIGNALS, *command], environment)  # noqa: S606 - a fixed program of this environment


# A script starts what stands before an & with Ctrl-C ignored, and on SIGTERM Dagster does what it does then: nothing.
# Signals are set in a main thread alone, and commands work in another.
_HEARING_SIGNALS = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)


def _explore(options: argparse.Namespace, settings: Settings) -> int:
    import importlib.util

    from orchestration.settings import PROJECT_ROOT

    if importlib.util.find_spec("marimo") is None:
        message = "the explorer's packages are not installed: `make explore` installs them and opens it"
        raise UsageError(message)
    with _store(settings).published_reader():
        pass
    _require_free(options.host, options.port, "the explorer")
    if not _is_loopback(options.host):
        _complain(
            f"the explorer has no sign-in: whoever reaches {options.host}:{options.port} sees your numbers, and can"
            " change none. Put a proxy before it that asks who comes: docs/ui_for_others.md"
        )
    page = PROJECT_ROOT / "explorer" / "app.py"
    command = [sys.executable, "-m", "marimo", "run", str(page), "--host", options.host, "--port", str(options.port)]
    command += ["--headless"] if options.no_browser else []
    # Nothing is looked up elsewhere, not even whether there is a newer version.
    environment = os.environ | {"MARIMO_SKIP_UPDATE_CHECK": "1"}
    os.chdir(PROJECT_ROOT)
    os.execve(sys.executable, [*command, "--", "--home", str(settings.trends_home.resolve())], environment)  # noqa: S606 - as above


def _require_free(host: str, port: int, what: str = "the UI") -> None:
    """Says that an address can't be listened on before the daemon starts beside nothing."""
    import socket

    try:
        [(family, kind, _, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Not the port of the address: one that is too large was cut.
            trial.bind((address[0], port, *address[2:]))
            trial.listen()
    except (OSError, OverflowError) as error:
        message = f"{what} can't listen on {host}:{port} ({error}): stop what does, or take another with --port, --host"
        raise UsageError(message) from None


def _is_loopback(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _store(settings: Settings) -> Store:
    from warehouse.store import Store

    return Store(settings.trends_home, settings.lock_timeout_s)


def _offered_dates(source: str, settings: Settings) -> list[date]:
    from orchestration import sources

    try:
        offered = sources.offer(source, settings, _store(settings))
    except (FileNotFoundError, ValueError) as error:
        raise UsageError(str(error)) from None
    return sorted({feed.observed_at.date() for feed in offered.feeds})


def _last_date(source: str, settings: Settings) -> date:
    """Today for live data; for a folder the last day it has, which is said aloud."""
    from orchestration import sources

    today = datetime.now(UTC).date()
    if source == sources.APIFY:
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
    files: str = "",
) -> tuple[int, bool]:
    """Runs a job in this process and says what a person needs to know.

    Returns:
        The exit code, and whether the run published anything.
    """
    _check_before(dates, source, settings)
    started_at = datetime.now(UTC)
    store = _store(settings)
    from engine import progress
    from orchestration import console, outcomes, troubles

    try:
        troubles.check_room(store)
    except OSError as error:
        _complain(error)
        return FAILED, False
    clock = console.Clock()
    span = str(dates[-1]) if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    with progress.stage(f"start-up of {job_name} for {span} from {source}"):
        _import_for(job_name, settings)
    clock.lap("start-up")
    job, opened = _make_ready(job_name, settings, store, dates[0])
    clock.lap("definitions")
    with opened, outcomes.collected() as outcome:
        result = _run_job(job, opened, dates, _run_config(source, as_of, poll, started_at, files))
    report = console.report(outcome, result, clock)
    print(*report.lines, sep="\n")
    failures = console.failures(result)
    for step, reason in failures:
        print(f"trends: {step} failed: {reason}", file=sys.stderr)
        if trouble := troubles.line_for_text(reason, store.home):
            _complain(trouble)
    if not result.success:
        step, reason = failures[0] if failures else (job_name, "unknown")
        _tell_failure(settings, store, result.run_id, job_name, dates[-1], source, step, reason)
        return FAILED, report.is_published
    _record_slot(job_name, settings, store, started_at, dates[-1])
    return FAILED if report.unreadable else DONE, report.is_published


def _check_before(dates: Sequence[date], source: str, settings: Settings) -> None:
    """Refuses what can't come to anything, before anything is changed.

    Raises:
        UsageError: A date to come, a source without its settings, or a first real source without feeds of the dates.
    """
    from orchestration import sources

    today = datetime.now(UTC).date()
    if dates[-1] > today:
        message = f"{dates[-1]} has not begun: today is {today} (UTC). Say --date of a day until today"
        raise UsageError(message)
    try:
        sources.check_offer(source, dates, settings, _store(settings))
    except (FileNotFoundError, sources.NothingOfferedError) as error:
        raise UsageError(str(error)) from None


def _import_for(job_name: str, settings: Settings) -> None:
    """Imports what a job needs, and has what makes its files imported by a process beside this one."""
    from orchestration import makers

    if job_name == "daily" and settings.export_processes > 1:
        makers.start()
    from orchestration import definitions, services  # noqa: F401 - the first is what takes long

    services.guard_logs(settings)


def _make_ready(
    job_name: str, settings: Settings, store: Store, first_date: date
) -> tuple[dg.JobDefinition, dg.DagsterInstance]:
    """The job, and the instance that keeps its run, which is to be closed."""
    from orchestration import instance
    from orchestration.definitions import build_defs

    variables = instance.environment(settings, store)
    os.environ.update(variables)
    return build_defs(settings, first_date=first_date).resolve_job_def(job_name), instance.of_command(variables)


def _run_config(source: str, as_of: datetime | None, poll: bool, started_at: datetime, files: str) -> dict[str, Any]:
    from orchestration import timetable

    slot = timetable.poll_slot(started_at) if poll else None
    # A poll that is tried again within its slot reads on in the runs that the first try paid.
    poll_key = f"{slot:%Y-%m-%dT%H}" if slot is not None else ""
    ingest = {"source": source, "as_of": as_of.isoformat() if as_of else "", "poll": poll, "poll_key": poll_key}
    ops = {"raw_feeds": {"config": ingest}}
    if files:
        from orchestration.assets import exports

        ops |= {op: {"config": {"files": files}} for op in exports.FILE_OPS}
    return {
        "ops": ops,
        # Dagster's own console log repeats every event: people get a report, the UI has the events.
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }


def _run_job(
    job: dg.JobDefinition, opened: dg.DagsterInstance, dates: Sequence[date], run_config: dict[str, Any]
) -> dg.ExecuteInProcessResult:
    """Runs a job over a date or a range; one that is interrupted stands as canceled, not as running or failed."""
    from uuid import uuid4

    from orchestration import event_log

    first, last = dates[0].isoformat(), dates[-1].isoformat()
    selection: dict[str, Any] = (
        {"partition_key": last}
        if len(dates) == 1
        else {"tags": {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}}
    )
    run_id = str(uuid4())

    def cancel() -> None:
        # The makers of the files are ended before this process: the run must not be noted as one that failed by that.
        event_log.hold(opened)
        run = opened.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            opened.report_run_canceled(run, "interrupted on the command line")

    with process.noting_interruption(cancel):
        return job.execute_in_process(
            instance=opened, run_config=run_config, raise_on_error=False, run_id=run_id, **selection
        )


def _tell_failure(
    settings: Settings, store: Store, run_id: str, job: str, as_of_date: date, source: str, step: str, reason: str
) -> None:
    """Tells those who read the reports that there is none, unless it was a sample's."""
    from orchestration import services, sources

    if source != sources.SAMPLE or settings.deliver_sample:
        services.report_failure(
            settings, store, run_id=run_id, job=job, as_of_date=as_of_date, step=step, reason=reason
        )


def command() -> NoReturn:
    """The program `trends`."""
    # Nearly all objects that are made stay: looking through them for cycles finds nothing, and took some 3 % of a small
    # day (9.8 s against 10.2 s on average of four runs each) where it was done for each million new ones.
    gc.set_threshold(10_000_000, 50, 50)
    process.run_command(main)


if __name__ == "__main__":
    command()
