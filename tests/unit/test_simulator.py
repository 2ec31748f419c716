"""The market simulator: deterministic, readable, odd where it should be, and true to its own truth."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from simulator import (
    NO_ODDITIES,
    Oddities,
    Simulation,
    SimulatorConfig,
    bench_config,
    sample_config,
    simulate,
    write_export_folder,
)
from simulator.config import ACCOUNTS
from tests.invented import HOSTILE_CAPTIONS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sample() -> Simulation:
    return simulate(sample_config())


@pytest.fixture(scope="module")
def folder(sample: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sample")
    write_export_folder(sample, directory)
    return directory


@pytest.fixture(scope="module")
def con(sample: Simulation, folder: Path) -> duckdb.DuckDBPyConnection:
    """All distinct JSON-lines items of the sample, parsed by DuckDB, beside the truth tables."""
    connection = duckdb.connect()
    connection.execute("set TimeZone='UTC'")
    connection.execute(
        f"""
        create table items as
        select
            upper(parts[1]) as market, parts[2] as kind,
            strptime(parts[3], '%Y-%m-%dT%H-%M-%SZ') as observed_at, json as item, json ->> 'id' as video_id
        from (
            select json, string_split(regexp_extract(filename, '(us|uk)/(videos|music)/[^.]+'), '/') as parts
            from read_json_objects('{folder}/*/*/*.jsonl', format = 'newline_delimited', filename = true)
        )
        """
    )
    for name in ("videos", "bursts", "trends", "trend_days", "cross_market", "competitor_responses", "expected_counts"):
        connection.register(f"true_{name}", getattr(sample.truth, name))
    connection.register("feeds", sample.feeds)
    return connection


def digest(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def one(con: duckdb.DuckDBPyConnection, query: str) -> tuple:
    (row,) = con.execute(query).fetchall()
    return row


def test_equal_settings_give_equal_bytes_in_another_process(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from simulator import sample_config, simulate, write_export_folder;"
        "write_export_folder(simulate(sample_config()), pathlib.Path(sys.argv[1]))"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        check=True,
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": "."},
    )
    assert digest(tmp_path) == digest(folder)


def test_another_seed_gives_another_market(sample: Simulation) -> None:
    config = SimulatorConfig(seed=sample.config.seed + 1, days=2, videos_per_day=50)
    again = SimulatorConfig(seed=sample.config.seed + 2, days=2, videos_per_day=50)
    assert simulate(config).videos.column("video_id") != simulate(again).videos.column("video_id")


def test_folder_is_small_and_laid_out_as_an_export_folder(sample: Simulation, folder: Path) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    assert sum(path.stat().st_size for path in paths) < 25e6
    assert len(paths) == sample.feeds.num_rows
    for path in paths:
        market, kind, name = path.relative_to(folder).parts
        assert market in ("us", "uk")
        assert kind in ("videos", "music")
        moment = datetime.strptime(name.split(".")[0], "%Y-%m-%dT%H-%M-%SZ").replace(tzinfo=UTC)
        assert date(2026, 3, 4) <= moment.date() <= date(2026, 3, 15)
    assert Counter(path.name.split(".", 1)[1] for path in paths if path.name.split(".", 1)[1] != "jsonl") == {
        "json": 1,
        "json.gz": 1,
        "csv": 2,
    }


def test_every_daily_feed_holds_the_configured_number_of_videos(con: duckdb.DuckDBPyConnection) -> None:
    rows = con.execute(
        """
        select items.market, items.observed_at, count(distinct video_id)
        from items inner join feeds using (market, kind, observed_at)
        where kind = 'videos' and role = 'daily' group by items.market, items.observed_at
        """
    ).fetchall()
    assert len(rows) == 2 * 12 - 3  # one json.gz, one csv, one repeat
    assert {count for _, _, count in rows} == {250}


def test_own_accounts_and_competitors_are_those_of_the_seed() -> None:
    with (ROOT / "seeds" / "accounts.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["handle"], row["role"], row["market"]) for row in csv.DictReader(file)]
    assert rows == [(a.handle, a.role, ("US", "UK")[a.market]) for a in ACCOUNTS]
    assert Counter(role for _, role, _ in rows) == {"own": 3, "competitor": 6}
    assert all(handle.startswith("sim.") for handle, _, _ in rows)


def test_ids_are_quoted_19_digit_integers_that_hold_the_upload_second(con: duckdb.DuckDBPyConnection) -> None:
    count, quoted, long, near, drafts = one(
        con,
        """
        select
            count(*), count(*) filter (json_type(item, '$.id') = 'VARCHAR'), count(*) filter (length(video_id) = 19),
            count(*) filter (epoch(true_videos.posted_at) - (video_id::bigint >> 32) between 0 and 36000),
            count(*) filter (epoch(true_videos.posted_at) - (video_id::bigint >> 32) > 3600)
        from items inner join true_videos using (video_id)
        """,
    )
    assert count == quoted == long == near
    assert 0 < drafts < 0.02 * count


def test_counts_are_rounded_as_on_the_page_and_exact_in_some_feeds(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        create or replace temp table printed as
        select exact, (item ->> '$.playCount')::bigint as plays
        from items inner join feeds using (market, kind, observed_at)
        where video_id is not null
        """
    )
    broken = "(plays >= 10000 and plays % 100 <> 0) or (plays >= 1000000 and plays % 100000 <> 0)"
    rounded_rows, violations = one(con, f"select count(*), count(*) filter ({broken}) from printed where not exact")
    exact_violations = one(con, f"select count(*) filter ({broken}) from printed where exact")[0]
    assert rounded_rows > 5_000
    assert violations == 0
    assert exact_violations > 500


def test_true_counts_never_fall_and_the_printed_ones_stay_near_them(con: duckdb.DuckDBPyConnection) -> None:
    falls = one(
        con,
        """
        select count(*) from (
            select plays - lag(plays) over video as gain, shares - lag(shares) over video as more
            from true_expected_counts window video as (partition by market, video_id order by observed_at)
        ) where gain < 0 or more < 0
        """,
    )[0]
    assert falls == 0
    worst, fallen = one(
        con,
        """
        select max(abs((item ->> '$.playCount')::bigint - plays) / greatest(plays, 100)),
            count(*) filter ((item ->> '$.playCount')::bigint < 0.9 * plays)
        from items inner join true_expected_counts using (market, video_id, observed_at) where kind = 'videos'
        """,
    )
    assert worst < 0.2
    assert fallen < 10


def test_oddities_of_single_items_are_present(con: duckdb.DuckDBPyConnection) -> None:
    conditions = {
        "error rows": "(item ->> '$.error') is not null",
        "empty items": "item::varchar = '{}'",
        "counts as strings": "json_type(item, '$.playCount') = 'VARCHAR'",
        "saves missing": "video_id is not null and kind = 'videos' and json_type(item, '$.collectCount') is null",
        "music id missing": "video_id is not null and json_type(item, '$.musicMeta.musicId') is null",
        "album null": "json_type(item, '$.musicMeta.musicAlbum') = 'NULL'",
        "album absent": "video_id is not null and json_type(item, '$.musicMeta.musicAlbum') is null",
        "photo urls": "(item ->> '$.webVideoUrl') like '%/photo/%'",
        "urls with a query": "(item ->> '$.webVideoUrl') like '%?%'",
        "slideshows": "(item ->> '$.isSlideshow') = 'true' and (item ->> '$.videoMeta.duration') = '0'",
        "empty hashtag names": """item::varchar like '%{"name":""}%'""",
        "empty captions": "(item ->> '$.text') = ''",
        "iso time only": "video_id is not null and json_type(item, '$.createTime') is null",
        "handles in other case": "(item ->> '$.authorMeta.name') <> lower(item ->> '$.authorMeta.name')",
        "pinned, very old": "(item ->> '$.isPinned') = 'true' and (item ->> '$.createTimeISO') < '2025-06'",
        "post time after the reading": "(item ->> '$.createTime')::bigint > epoch(observed_at)",
        "2044.8B": "(item ->> '$.searchHashtag.views') = '2044.8B'",
        "80.3K": "regexp_matches(item ->> '$.searchMusic.videos', '^[0-9.]+K$')",
        "effects": "json_array_length(item, '$.effectStickers') > 0",
        "profile finders": "(item ->> '$.fromProfileSection') = 'videos'",
        "translated original sound": "(item ->> '$.musicMeta.musicName') = 'sonido original'",
    }
    selected = ", ".join(f"count(*) filter ({condition})" for condition in conditions.values())
    found = dict(zip(conditions, one(con, f"select {selected} from items"), strict=True))
    assert all(found.values()), found
    duplicated, different = one(
        con,
        """
        select count(*), count(*) filter (plays > 1 or finders < rows_found) from (
            select count(*) as rows_found, count(distinct (item ->> '$.playCount')) as plays,
                count(distinct (item ->> '$.input')) as finders
            from items where kind = 'videos' and video_id is not null
            group by market, observed_at, video_id having count(*) > 1
        )
        """,
    )
    assert duplicated > 100
    assert different == 0
    fallen = one(
        con,
        """
        select count(*) from (
            select plays - lag(plays) over (partition by market, video_id order by observed_at) as gain from (
                select distinct market, video_id, observed_at, (item ->> '$.playCount')::bigint as plays
                from items where kind = 'videos' and video_id is not null
            )
        ) where gain < 0
        """,
    )[0]
    assert 10 < fallen < 500


def test_given_captions_are_in_the_last_feed_of_each_market_and_nothing_else_changes(sample: Simulation) -> None:
    given = replace(sample_config(), oddities=Oddities(captions=HOSTILE_CAPTIONS))
    hostile = simulate(given).videos.to_pylist()
    plain = sample.videos.to_pylist()
    assert not any(caption in HOSTILE_CAPTIONS for caption in (video["caption"] for video in plain))
    assert [video["video_id"] for video in hostile] == [video["video_id"] for video in plain]
    changed = [one["caption"] for one, other in zip(hostile, plain, strict=True) if one["caption"] != other["caption"]]
    assert sorted(changed) == sorted(HOSTILE_CAPTIONS * 2)
    for market in ("US", "UK"):
        captions = [video["caption"] for video in hostile if video["market"] == market]
        assert '=HYPERLINK("http://x")' in captions
        assert max(map(len, captions)) >= 40_000
        assert any("\x1b" in caption for caption in captions)
        assert any("\u202e" in caption for caption in captions)
        assert any("🇬🇧🇺🇸" in caption for caption in captions)
        assert any("\r\n" in caption and '"quoted"' in caption for caption in captions)
        assert {"+", "-", "@"} <= {caption[:1] for caption in captions}


def test_repeats_stale_days_and_gaps_are_present(sample: Simulation, folder: Path) -> None:
    feeds = sample.feeds.to_pylist()
    by_number = {feed["number"]: feed for feed in feeds}
    repeats = [feed for feed in feeds if feed["role"] == "repeat"]
    assert len(repeats) >= 10
    for feed in repeats:
        original = by_number[feed["content"]]
        assert original["observed_at"] < feed["observed_at"]
        files = [
            folder / f["market"].lower() / f["kind"] / f"{f['observed_at']:%Y-%m-%dT%H-%M-%SZ}{f['suffix']}"
            for f in (original, feed)
        ]
        assert files[0].read_bytes() == files[1].read_bytes()
    stale = [f for f in repeats if f["observed_at"].hour == 8]
    assert [(f["market"], f["day"]) for f in stale] == [("UK", 6)]
    music_days = {(f["market"], f["day"]) for f in feeds if f["kind"] == "music"}
    assert {(m, d) for m in ("US", "UK") for d in range(12)} - music_days == {("UK", 7)}


def test_console_csv_json_and_gzip_files_hold_the_feed_they_stand_for(sample: Simulation, folder: Path) -> None:
    con = duckdb.connect()
    csv_path = sorted(folder.glob("uk/videos/*.csv"))[0]
    assert csv_path.read_bytes().startswith(b'\xef\xbb\xbf"authorMeta/')
    rows = con.execute("select * from read_csv(?, all_varchar = true)", [str(csv_path)]).to_arrow_table().to_pylist()
    ids = {row["id"] for row in rows if row["id"]}
    assert len(ids) == 250
    assert {"hashtags/0/name", "musicMeta/musicId", "searchHashtag/views"} <= set(rows[0])
    gzip_path = sorted(folder.glob("us/videos/*.json.gz"))[0]
    query = "select count(distinct json ->> 'id') from read_json_objects(?, format = 'array')"
    assert con.execute(query, [str(gzip_path)]).fetchall() == [(250,)]
    music_path = sorted(folder.glob("us/music/*.json"))[0]
    kinds = Counter("sound" if item.get("type") else "video" for item in json.loads(music_path.read_text("utf-8")))
    assert kinds["sound"] >= 10
    assert kinds["video"] >= 30


def test_music_feeds_hold_chart_rows_and_videos_that_use_the_sound(con: duckdb.DuckDBPyConnection) -> None:
    charted, videos, matching, with_saves = one(
        con,
        """
        select
            count(*) filter ((item ->> '$.type') = 'sound'),
            count(*) filter ((item ->> '$.searchMusic.musicTag') is not null),
            count(*) filter (
                (item ->> '$.searchMusic.musicTag') is not null and (
                    (item ->> '$.musicMeta.musicId') is null
                    or ends_with(item ->> '$.searchMusic.musicTag', (item ->> '$.musicMeta.musicId'))
                )
            ),
            count(*) filter (item ->> '$.collectCount' is not null)
        from items where kind = 'music'
        """,
    )
    assert charted > 200
    assert videos == matching > 1_000
    assert with_saves == 0


def test_planted_lags_are_visible_in_the_feeds() -> None:
    truth = simulate(SimulatorConfig(seed=4, days=20, videos_per_day=600, oddities=NO_ODDITIES)).truth
    seen = defaultdict(list)
    for row in truth.cross_market.to_pylist():
        if row["visible_lag_days"] is not None:
            seen[row["lag_days"]].append(row["visible_lag_days"])
    errors = [abs(visible - lag) for lag, values in seen.items() for visible in values]
    assert len(errors) >= 20
    assert sum(error <= 1 for error in errors) >= 0.8 * len(errors)
    means = [sum(seen[lag]) / len(seen[lag]) for lag in (0, 2, 4)]
    assert means[0] < means[1] < means[2]


def test_trends_go_through_a_life(con: duckdb.DuckDBPyConnection) -> None:
    stages = dict(con.execute("select stage, count(*) from true_trend_days group by stage").fetchall())
    expected = {"none", "new", "emerging", "rising", "peaking", "declining", "dead", "resurged"}
    assert set(stages) == expected
    wrong = one(
        con,
        """
        select count(*) from true_trend_days
        where (stage = 'none' and expected_posts > 0) or (stage = 'dead' and expected_posts > 1)
        """,
    )[0]
    assert wrong == 0
    kinds = {row[0] for row in con.execute("select distinct type from true_trends").fetchall()}
    assert kinds == {"template", "sound", "hashtag"}


def test_trend_keys_of_the_truth_are_in_the_items(con: duckdb.DuckDBPyConnection) -> None:
    checked, found = one(
        con,
        """
        with keyed as (
            select item::varchar as item, split_part(trend_key, ':', 2) as value
            from items inner join true_videos using (video_id)
            where trend_key is not null and (item ->> '$.musicMeta.musicId') is not null
        )

        select count(*), count(*) filter (contains(item, value)) from keyed
        """,
    )
    assert checked == found > 3_000


def test_bursts_really_lift_the_views(sample: Simulation) -> None:
    config = SimulatorConfig(seed=2, days=6, videos_per_day=400, polls=12, music=False, oddities=NO_ODDITIES)
    truth = simulate(config).truth
    con = duckdb.connect()
    con.register("counts", truth.expected_counts)
    con.register("bursts", truth.bursts)
    [(bursts, inside, before)] = con.execute(
        """
        with gains as (
            select *, plays - lag(plays) over video as gain, lag(observed_at) over video as previous
            from counts window video as (partition by market, video_id order by observed_at)
        )

        select
            count(distinct video_id),
            median(gain) filter (previous >= bursts.start and observed_at <= bursts.end),
            median(gain) filter (observed_at < bursts.start)
        from gains inner join bursts using (video_id)
        where observed_at between bursts.start - interval 6 hour and bursts.end
        """
    ).fetchall()
    assert bursts > 30
    assert inside > 4 * before
    assert sample.truth.bursts.num_rows > 50


def test_accounts_meet_on_trends_with_the_planted_delays(sample: Simulation) -> None:
    rows = sample.truth.competitor_responses.to_pylist()
    assert set(Counter(row["gap_type"] for row in rows)) == {"MISSED_BY_YOU", "BOTH_CAUGHT", "BEAT_THEM"}
    videos = sample.truth.videos.to_pylist()
    first: dict[tuple[str, str], datetime] = {}
    for video in videos:
        key = (video["trend_key"], video["creator"])
        first[key] = min(first.get(key, video["posted_at"]), video["posted_at"])
    for row in rows:
        assert first[row["trend_key"], row["competitor"]] == row["competitor_posted_at"]
        if row["own_posted_at"] is None:
            assert row["delay_hours"] is None
            continue
        delay = (row["competitor_posted_at"] - row["own_posted_at"]).total_seconds() / 3600
        assert delay == pytest.approx(row["delay_hours"])
        assert (delay > 0) == (row["gap_type"] == "BEAT_THEM")


def test_last_day_has_a_useful_mix_of_triggers(con: duckdb.DuckDBPyConnection) -> None:
    """The classic rules, computed here from the items alone, post time from the id."""
    rows = con.execute(
        """
        with readings as (
            select distinct market, video_id, observed_at, (item ->> '$.playCount')::bigint as plays,
                (item ->> '$.diggCount')::bigint as likes, (item ->> '$.shareCount')::bigint as shares,
                greatest((epoch(observed_at) - (video_id::bigint >> 32)) / 3600, 0.1) as age
            from items where kind = 'videos' and video_id is not null
        ),

        scored as (
            select *, 10 * shares / age + 3 * likes / age + 0.01 * plays / age as momentum,
                cast(observed_at as date) as day
            from readings
        ),

        last_of_day as (
            select market, video_id, day, arg_max(momentum, observed_at) as momentum, arg_max(age, observed_at) as age,
                arg_max(shares / age, observed_at) as shares_h, arg_max(plays / age, observed_at) as views_h
            from scored group by market, video_id, day
        )

        select today.market, today.momentum, today.shares_h, today.views_h, today.age,
            today.momentum - yesterday.momentum as delta
        from last_of_day as today
        left join last_of_day as yesterday
            on today.market = yesterday.market and today.video_id = yesterday.video_id
            and today.day = yesterday.day + 1
        where today.day = '2026-03-15'
        """
    ).fetchall()
    for market in ("US", "UK"):
        mine = [row[1:] for row in rows if row[0] == market]
        spiking = [r for r in mine if r[4] is not None and r[4] > 100]
        urgent = [r for r in mine if r[0] >= 3000 or r[1] >= 100 or (r in spiking and r[0] >= 2000)]
        high = [r for r in mine if r not in urgent and (r[0] >= 2000 or r[1] >= 60)]
        build = [r for r in mine if r[3] <= 72 and r[1] >= 5 and r[2] >= 1000]
        assert 5 <= len(urgent) <= 20
        assert 8 <= len(high) <= 30
        assert len(urgent) + len(high) < len(build) < 125
        assert 1 <= len(spiking) <= 15


def test_both_ai_and_traps_are_among_the_captions(sample: Simulation) -> None:
    captions = sample.videos.select(["caption", "is_ai", "language"]).to_pylist()
    share = sum(c["is_ai"] for c in captions) / len(captions)
    assert 0.1 < share < 0.5
    plain = " ".join(c["caption"].lower() for c in captions if not c["is_ai"])
    for trap in ("hair", "said", "bailar", "bagaimana", "again", "email"):
        assert trap in plain
    assert len({c["language"] for c in captions}) >= 8
    assert len({c["caption"] for c in captions}) > 0.8 * len(captions)


def test_benchmark_feeds_hold_the_asked_number_of_plain_items(tmp_path: Path) -> None:
    simulation = simulate(bench_config(2_000, 3))
    paths = write_export_folder(simulation, tmp_path)
    assert {path.suffix for path in paths} == {".jsonl"}
    feeds = [f for f in simulation.feeds.to_pylist() if f["kind"] == "videos"]
    assert [f["items"] for f in feeds] == [2_000] * 6
    count = duckdb.connect().execute(
        "select count(*), count(distinct json ->> 'id') from read_json_objects(?)", [str(paths[0])]
    )
    assert count.fetchall() == [(2_000, 2_000)]


def test_broken_files_come_on_request_only(folder: Path, tmp_path: Path) -> None:
    config = SimulatorConfig(days=1, videos_per_day=20, oddities=Oddities(broken_files=True))
    paths = write_export_folder(simulate(config), tmp_path)
    broken = [path for path in paths if "2026-01" in path.name]
    assert {path.relative_to(tmp_path).parts[0] for path in broken} == {"us", "uk", "zz"}
    assert not list(folder.rglob("2026-01*"))


@pytest.mark.parametrize(("name", "value"), [("days", 0), ("videos_per_day", 5), ("polls", 13), ("trend_share", 1.5)])
def test_impossible_settings_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"SimulatorConfig.{name}"):
        SimulatorConfig(**{name: value})  # type: ignore[arg-type]
