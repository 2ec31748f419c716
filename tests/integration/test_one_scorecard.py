"""One scorecard, read back from every place that shows a score; what was told live stays apart from the replay.

What each place says is read from the finished file and compared with the numbers of `marts.scorecard`; those of the
track record are computed here a second time, from what was told and the readings that followed.
"""

from __future__ import annotations

import html
import io
import re
import shutil
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from openpyxl import load_workbook

from exports.published import Day, open_day
from exports.report.trend_report import trend_report
from exports.text.daily_report import daily_report
from exports.text.summary import summary
from exports.workbooks.build_today import build_today
from exports.workbooks.enhanced import enhanced
from ingest import facts
from tests import homes, support
from warehouse.publish import published_dates
from warehouse.store import Store

pytestmark = pytest.mark.slow("a home of many days with all its files")

LINE = re.compile(
    r"24 h, (?P<record>track record|replay) of (?P<days>\d+) days? to (?P<day>[\d-]+): .*?skill (?P<skill>[+-]\d+) %"
    r".*; error (?P<error>\d+) % of the gain, the best naive forecast \([\w ]+\) (?P<twin>\d+) %;.*"
    r"; scored (?P<scored>[\d,]+) of (?P<due>[\d,]+) due \((?P<share>\d+) %\), (?P<made>[\d,]+) made,"
    r" (?P<cold>\d+) % cold starts"
)
TOLD = ("tellings", "forecasts", "decisions", "build_list", "alerts", "trend_alerts")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The sample, all dates built; every date but the last was told live, with twice the gain of today's models."""
    store = Store(tmp_path_factory.mktemp("scorecard") / "home")
    shutil.copytree(homes.dates_of_sample(tmp_path_factory).home, store.home)
    dates = published_dates(store)
    with facts.writer(store) as connection:
        connection.execute(f"attach '{store.published_path}' as shown (read_only)")
        connection.execute(
            """
            insert into told.tellings
            select
                row_number() over (order by as_of_date), 'daily', as_of_date, null, cutoff_at,
                cutoff_at + interval 5 minute, 'run', 'version', 'project', true, true
            from meta.cutoffs where as_of_date < $1
            """,
            [str(dates[-1])],
        )
        connection.execute(
            """
            insert into told.forecasts
            select
                tellings.telling_id, rows.as_of_date, market, video_id, horizon_hours, made_at, target_at, model,
                base_plays, p10, 2 * p50, p90, is_cold_start, is_stale
            from shown.marts.forecasts as rows inner join told.tellings using (as_of_date)
            """
        )
        connection.execute(
            """
            insert into told.decisions
            select
                tellings.telling_id, rows.as_of_date, market, video_id, decision_mode, action_window, trajectory,
                recommended_variants, stop_building, stop_reason, status, urgency, confidence, score,
                opportunity_score, momentum_score, age_hours, trend_key
            from shown.marts.videos_daily as rows inner join told.tellings using (as_of_date)
            """
        )
        connection.execute("detach shown")
    before = told(store)
    assert support.trends("rebuild", "--home", store.home).code == 0
    assert told(store) == before, "making all dates again changes nothing that was told"
    return store


def told(store: Store) -> dict[str, list[Any]]:
    """Everything that was told, row by row."""
    with facts.writer(store) as connection:
        return {
            table: connection.execute(f"select count(*), bit_xor(hash(rows)) from told.{table} as rows").fetchall()
            for table in TOLD
        }


@pytest.fixture(scope="module")
def day(home: Store) -> Iterator[Day]:
    """The last day."""
    with open_day(home.published_path, published_dates(home)[-1]) as opened:
        yield opened


def places(home: Store, day: Day) -> dict[str, str]:
    """What each place says of the forecasts."""

    def cells(content: bytes, tab: str) -> list[tuple[Any, ...]]:
        return list(load_workbook(io.BytesIO(content))[tab].iter_rows(values_only=True))

    def labelled(lines: list[str]) -> str:
        (line,) = [line for line in lines if line.startswith("Forecasts: ")]
        return line.removeprefix("Forecasts: ")

    book = enhanced(day)
    log = cells(book, "PREDICTION_LOG")
    header = next(row for row in log if row[0] == "Date")
    rows = [row for row in log if re.match(r"\d{4}-", str(row[0]))]
    assert rows[-1][0] == str(day.as_of_date)
    (start,) = [row[1] for row in cells(build_today(day, 20), "START_HERE") if row[0] == "Forecasts"]
    report = html.unescape(re.sub(r"<[^>]*>", "\n", trend_report(day).decode()))
    (said,) = [line for line in report.splitlines() if LINE.match(line)]
    return {
        "START_HERE": start,
        "SUMMARY": labelled(summary(day).decode().splitlines()),
        "DASHBOARD": labelled([str(row[0]) for row in cells(book, "DASHBOARD")]),
        "PREDICTION_LOG": rows[-1][header.index("Scorecard Line")],
        "TREND_REPORT": said,
        "message": labelled([str(line) for line in daily_report(day, [], [], None).lines]),
        "trends scorecard": labelled(support.trends("scorecard", "--home", home.home).out.splitlines()),
    }


def test_every_place_says_the_line_of_the_mart(home: Store, day: Day) -> None:
    said = places(home, day)
    assert len(set(said.values())) == 1, said
    match = LINE.fullmatch(said["START_HERE"])
    assert match, said["START_HERE"]
    [row] = day.table(
        "select * from marts.scorecard where as_of_date = $as_of_date and record = 'track record' and market = 'ALL'"
        " and kind = 'forecast' and value = 'all' and horizon_hours = 24"
    ).dicts()
    numbers = {name: text.replace(",", "") for name, text in match.groupdict().items()}
    assert numbers == {
        "record": "track record", "days": str(row["days"]), "day": str(day.as_of_date),
        "skill": f"{100 * row['skill']:+.0f}", "error": f"{100 * row['score']:.0f}",
        "twin": f"{100 * row['twin_score']:.0f}", "scored": str(row["scored"]), "due": str(row["due"]),
        "share": f"{100 * row['share_scored']:.0f}", "made": str(row["made"]), "cold": f"{100 * row['share_cold']:.0f}",
    }  # fmt: skip


def test_the_track_record_is_what_was_told_on_everybody_it_was_told_of(home: Store, day: Day) -> None:
    """From the tellings and the readings alone: within 6 hours of the target, each video once."""
    with facts.writer(home) as connection:
        connection.execute(f"attach '{home.published_path}' as shown (read_only)")
        [(due, scored, error)] = connection.execute(
            """
            with told_once as (
                select as_of_date, video_id, any_value(made_at) as made_at, any_value(target_at) as target_at,
                    any_value(base_plays) as base_plays, any_value(p50) as p50
                from told.forecasts where horizon_hours = 24 group by as_of_date, video_id
            ),
            seen as (
                select told_once.*, readings.plays, readings.observed_at,
                    row_number() over (
                        partition by told_once.as_of_date, told_once.video_id
                        order by abs(epoch(readings.observed_at - target_at)), readings.observed_at
                    ) as place
                from told_once left join shown.marts.video_readings as readings
                    on readings.video_id = told_once.video_id
                    and abs(epoch(readings.observed_at - target_at)) <= 6 * 3600
                    and readings.observed_at <= $1
            )
            select
                count(*), count(plays),
                sum(abs(p50 - greatest(plays - base_plays, 0) * 24 * 3600 / epoch(observed_at - made_at)))
                / sum(greatest(plays - base_plays, 0) * 24 * 3600 / epoch(observed_at - made_at))
            from seen where place = 1 and target_at + interval 6 hour <= $1 or plays is not null and place = 1
            """,
            [day.cutoff_at],
        ).fetchall()
    [row] = day.table(
        "select due, scored, score from marts.scorecard where as_of_date = $as_of_date and record = 'track record'"
        " and market = 'ALL' and kind = 'forecast' and value = 'all' and horizon_hours = 24"
    ).dicts()
    assert row["due"] == due
    assert row["scored"] == pytest.approx(scored, rel=0.03), "equal counts of another feed are no outcome"
    assert row["score"] == pytest.approx(error, rel=0.03)
    [replay] = day.table(
        "select due, scored, score from marts.scorecard where as_of_date = $as_of_date and record = 'replay'"
        " and market = 'ALL' and kind = 'forecast' and value = 'all' and horizon_hours = 24"
    ).dicts()
    assert (replay["due"], replay["scored"]) == (row["due"], row["scored"])
    assert replay["score"] < row["score"], "twice the gain is another forecast"


def test_labels_are_scored_on_the_same_videos_in_both_records(day: Day) -> None:
    rows = day.table(
        "select record, label, sum(due) as due, sum(scored) as scored, sum(score * scored) as hits from marts.scorecard"
        " where as_of_date = $as_of_date and kind = 'value'"
        " and label in ('Action Window', 'Status', 'URGENCY', 'Score', 'Trajectory')"
        " group by record, label"
    ).dicts()
    by_label: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows:
        by_label.setdefault(row["label"], []).append((row["due"], row["scored"], round(row["hits"])))
    assert len(by_label) == 5
    assert all(len(records) == 2 and records[0] == records[1] for records in by_label.values()), by_label


def test_a_telling_after_the_cut_off_is_of_a_later_date(home: Store) -> None:
    first, second, *_ = published_dates(home)
    with open_day(home.published_path, second) as opened:
        made = opened.table(
            "select record, made from marts.scorecard where as_of_date = $as_of_date and kind = 'forecast'"
            " and market = 'ALL' and value = 'all' and horizon_hours = 24 order by record"
        ).rows
    assert first < second
    assert [record for record, _ in made] == ["replay", "track record"]
    assert made[0][1] == made[1][1] > 0
    assert isinstance(second, date)
