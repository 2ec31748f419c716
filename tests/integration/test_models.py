"""The dbt project against a real DuckDB: its unit tests, and staging of every item shape and of exports."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import compiled_models, compiler, dbt_runner
from ingest import landing
from ingest.items import variables
from ingest.landing import FeedFile, LandingReport
from ingest.migrations import migrate
from tests import invented
from tests.staging import staging_sql
from tests.support import (
    FIXTURES,
    PROJECT,
    build,
    build_models,
    dbt,
    land_folder,
    moment,
    prepare,
    real_data,
    records,
    video,
    write_feed,
)
from warehouse.store import Store

SHAPES = FIXTURES / "item_shapes"


# ---------- dbt unit tests


@pytest.fixture(scope="module")
def empty_models(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home in which every relation exists and only seeds have rows: what dbt's unit tests need.

    That is what a new home begins with: dbt built it over empty raw tables.
    """
    store = Store(tmp_path_factory.mktemp("empty"))
    prepare(store, "2026-01-05")
    compiler.compiled(PROJECT)
    with store.model_writer() as connection:
        compiled_models.prepare(connection, PROJECT, dbt_runner.fingerprint(PROJECT))
    return store


def unit_tests() -> list[str]:
    """`model.test` of every formula and threshold that is tested in models/**/_unit_tests__*.yml."""
    files = sorted((PROJECT / "models").rglob("*.yml"))
    content = [yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in files]
    return [f"{test['model']}.{test['name']}" for file in content for test in file.get("unit_tests", [])]


@pytest.fixture(scope="module")
def outcomes(empty_models: Store) -> dict[str, dbt_runner.NodeResult]:
    """What dbt says of each, run together: dbt takes seconds to start."""
    try:
        results = dbt(empty_models, "test", "--select", "test_type:unit")
    except dbt_runner.DbtFailedError as error:
        results = error.results
    return {".".join(result.unique_id.split(".")[2:]): result for result in results}


@pytest.mark.parametrize("name", unit_tests())
def test_dbt_unit_test(outcomes: dict[str, dbt_runner.NodeResult], name: str) -> None:
    """A failure shows the rows that differ as dbt prints them."""
    assert outcomes[name].status == "pass", outcomes[name].message


def test_every_dbt_unit_test_is_shown_here(outcomes: dict[str, dbt_runner.NodeResult]) -> None:
    assert set(outcomes) == set(unit_tests())


# ---------- shapes of items


SHAPE_TIMES = {path.name: f"2026-01-05T{hour:02}:00" for hour, path in enumerate(sorted(SHAPES.glob("*.[cj]s*")), 8)}


class Staged:
    """A home with feeds landed and staged: the folder they are of, and what landing them reported."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.report: LandingReport = land_folder(store, folder)
        prepare(store, "2026-01-05")
        build_models(store, ["2026-01-05"], ["stg_tiktok__videos", "stg_tiktok__sound_uses"])

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with self.store.model_writer() as connection:
            return records(connection, sql)

    def video(self, shape: str) -> dict[str, Any]:
        """The one staged video of a shape; of the nested file, the first."""
        return self.rows(
            "select * from staging.stg_tiktok__videos"
            f" where observed_at = timestamp '{SHAPE_TIMES[shape]}' and video_id = '7573848409104960789'"
        )[0]


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Staged:
    """The shapes, as video and as music feeds."""
    folder = tmp_path_factory.mktemp("staged")
    store = Store(folder / "home")
    for name, observed_at in SHAPE_TIMES.items():
        for kind in landing.KINDS:
            path = folder / "feeds" / "uk" / kind / f"{moment(observed_at):%Y-%m-%dT%H-%M-%SZ}{Path(name).suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SHAPES / name, path)
    return Staged(store, folder / "feeds")


CREATOR = {
    "video_id": "7573848409104960789",
    "author_handle": "example.creator",
    "posted_at": datetime(2025, 11, 18),
    "posted_at_source": "iso",
    "shares": 145,
    "comments": 46,
    "video_url": "https://www.tiktok.com/@example.creator/video/7573848409104960789",
    "market": "UK",
}
CLOCKWORKS = {**CREATOR, "plays": 145900, "likes": 23400, "saves": 1637, "music_name": "original sound"}
EXACT = {**CREATOR, "plays": 145912, "likes": 23388, "saves": 1637, "music_name": "original sound"}
FULL = {**CLOCKWORKS, "hashtags": ["capcut", "capcuttemplate", "fyp"], "effects": ["green screen"], "duration_s": 15.0,
        "cover_url": "https://p16.example/c.jpeg"}  # fmt: skip
SOUND = {"music_id": "7000000000000000002", "music_author": "Example ✨"}


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("clockworks_nested.json", {**FULL, **SOUND, "is_music_original": True, "location_created": "GB"}),
        ("clockworks_csv_slashes.csv", {**FULL, **SOUND, "is_music_original": True, "location_created": "GB"}),
        ("clockworks_sound_scraper.json", {**FULL, **SOUND, "author_followers": 12800}),
        ("clockworks_overview_view_dots.json", {**CLOCKWORKS, "music_id": None, "duration_s": 15.0}),
        (
            "clockworks_explore_scraper.json",
            {
                **CLOCKWORKS,
                **SOUND,
                "saves": None,
                "cover_url": "https://p16.example/c.jpeg",
                "posted_at_source": "video_id",
                "author_followers": 12800,
            },
        ),
        (
            "apidojo.json",
            {**EXACT, **SOUND, "cover_url": None, "hashtags": ["capcut", "capcuttemplate", "fyp"], "duration_s": 15.02},
        ),
        (
            "mobile_aweme_novi.json",
            {
                **EXACT,
                **SOUND,
                "posted_at_source": "epoch",
                "template_id": "7400000000000000009",
                "hashtags": ["capcut", "capcuttemplate", "fyp"],
                "ai_label": None,
                "is_ad": False,
            },
        ),
        ("mu0i_trending.json", {**EXACT, **SOUND, "hashtags": ["capcut", "capcuttemplate", "fyp"], "duration_s": 15.0}),
    ],
)
def test_shape_is_resolved(staged: Staged, shape: str, expected: dict[str, Any]) -> None:
    row = staged.video(shape)
    assert {name: row[name] for name in expected} == expected
    rounded = expected["plays"] == 145900
    assert (row["plays_resolution"], row["likes_resolution"], row["shares_resolution"]) == (
        (100, 100, 1) if rounded else (1, 1, 1)
    )
    assert row["caption"].startswith("POV: the 2026 recap template 🎬")


def test_every_shape_is_resolved_or_quarantined_with_its_reason(staged: Staged) -> None:
    assert len(SHAPE_TIMES) == 9
    times = {moment(text).replace(tzinfo=None): name for name, text in SHAPE_TIMES.items()}
    landed = Counter(
        (times[row["observed_at"]], row["kind"])
        for row in staged.rows(
            "select observed_at, kind from raw.tiktok_videos where year(observed_at) = 2026"
            " union all select observed_at, kind from raw.tiktok_music"
        )
    )
    refused = Counter(
        (times[row["observed_at"]], row["kind"], row["reason"].partition("; its fields: ")[0])
        for row in staged.rows("select observed_at, kind, reason from raw.quarantine where year(observed_at) = 2026")
    )
    trends = "clockworks_trends_scraper.json"
    videos = {name: landed[name, "videos"] for name in SHAPE_TIMES}
    assert {name for name, count in videos.items() if count == 0} == {trends}
    assert refused == {
        (trends, "videos", "a hashtag row of a trends list in a videos feed"): 1,
        (trends, "videos", "a sound row of a trends list in a videos feed"): 1,
        (trends, "videos", "no counts: a ranking row without plays, likes, shares or comments"): 1,
        (trends, "music", "a hashtag row of a trends list in a music feed"): 1,
        (trends, "music", "a video row of a trends list in a music feed"): 1,
        ("clockworks_csv_slashes.csv", "videos", "error row: This profile/hashtag does not exist."): 1,
        ("clockworks_csv_slashes.csv", "music", "error row: This profile/hashtag does not exist."): 1,
        ("clockworks_overview_view_dots.json", "music", "no sound id"): 1,
        **{
            ("clockworks_nested.json", kind, reason): 1
            for kind in landing.KINDS
            for reason in (
                "error row: This profile/hashtag does not exist.",
                "error row: The profile is private.: PRIVATE",
                "empty item",
            )
        },
    }
    items = sum(len(json.loads(path.read_text(encoding="utf-8"))) for path in SHAPES.glob("*.json"))
    csv_rows = 3
    assert sum(landed.values()) + sum(refused.values()) == 2 * (items + csv_rows), "no item is lost"
    assert staged.report.problems == []


def test_music_feeds_know_their_sounds(staged: Staged) -> None:
    rows = staged.rows("select * from staging.stg_tiktok__sound_uses order by observed_at, item_index")
    by_time = {row["observed_at"].replace(tzinfo=UTC): row for row in rows}
    sound = by_time[moment(SHAPE_TIMES["clockworks_sound_scraper.json"])]
    assert {name: sound[name] for name in ("sound_id", "sound_name", "video_id", "platform_uses", "is_original")} == {
        "sound_id": "7000000000000000002",
        "sound_name": "original sound",
        "video_id": "7573848409104960789",
        "platform_uses": 80300,
        "is_original": True,
    }
    ranked = by_time[moment(SHAPE_TIMES["clockworks_trends_scraper.json"])]
    assert {name: ranked[name] for name in ("sound_id", "sound_name", "video_id", "platform_rank", "is_original")} == {
        "sound_id": "7000000000000000002",
        "sound_name": "Example Song",
        "video_id": None,
        "platform_rank": 3,
        "is_original": None,
    }


# ---------- exports


@pytest.fixture(scope="module", params=["invented", pytest.param("apify_exports", marks=pytest.mark.real_data)])
def exports(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Staged:
    """Exports of three years, invented and real ones."""
    directory = tmp_path_factory.mktemp("exports")
    is_invented = request.param == "invented"
    folder = invented.write_exports(directory / "feeds") if is_invented else real_data(request.param)
    return Staged(Store(directory / "home"), folder)


def rows_of_csv(exports: Staged, year: int) -> list[dict[str, str]]:
    """The rows of a year's CSV export, read without the product."""
    (path,) = exports.folder.glob(f"*/videos/{year}-*.csv")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_rows_of_an_export_are_one_video_each_with_its_resolution(exports: Staged) -> None:
    times = Counter(row["id"] for row in rows_of_csv(exports, 2022))
    assert len(times) < times.total()
    if exports.folder.name == "apify_exports":
        assert (len(times), times.total(), max(times.values())) == (1092, 1200, 5)
    (load,) = exports.rows("select * from raw.loads where file like '%2022-07-27T21-44-%Z.csv'")
    assert (load["status"], load["item_count"], load["quarantined_count"]) == ("landed", times.total(), 0)
    (row,) = exports.rows(
        f"""
        select
            count(*) as videos,
            count(distinct video_id) as ids,
            sum(times_in_load) as items,
            max(times_in_load) as most,
            min(length(video_id)) as shortest,
            bool_and(regexp_matches(video_id, '^[0-9]+$')) as is_numeric,
            bool_and(counts_rounded) as all_rounded,
            count(*) filter (plays_resolution = 1 and plays >= 10000) as wrong_ones,
            count(*) filter (plays_resolution = 100 and plays not between 10000 and 999999) as wrong_hundreds,
            count(*) filter (plays_resolution = 100000 and plays < 1000000) as wrong_large,
            count(distinct plays_resolution) as resolutions,
            count(*) filter (plays is null or likes is null or shares is null) as missing,
            count(*) filter (plays_resolution is null) as unknown_resolution,
            count(music_id) as music_ids,
            count(posted_at) as post_times,
            bool_and(len(found_by) >= 1) as all_found_by,
            max(len(found_by)) as most_finders
        from staging.stg_tiktok__videos where load_id = {load["load_id"]}
        """
    )
    assert (row["videos"], row["ids"], row["items"], row["most"]) == (
        len(times), len(times), times.total(), max(times.values()),
    )  # fmt: skip
    assert (row["shortest"], row["is_numeric"], row["all_rounded"]) == (19, True, True)
    assert (row["wrong_ones"], row["wrong_hundreds"], row["wrong_large"], row["missing"]) == (0, 0, 0, 0)
    assert (row["resolutions"], row["unknown_resolution"]) == (3, 0)
    assert (row["music_ids"], row["post_times"]) == (0, len(times))
    assert row["all_found_by"]
    assert row["most_finders"] > 1


def test_error_row_of_an_export_is_in_quarantine(exports: Staged) -> None:
    quarantined = exports.rows("select item_index, reason, file from raw.quarantine")
    assert [(row["reason"][:11], Path(row["file"]).name) for row in quarantined] == [
        ("error row: ", "2024-09-04T12-00-00Z.csv")
    ]
    rows = rows_of_csv(exports, 2024)
    (load,) = exports.rows("select * from raw.loads where file like '%2024-09-04T12-00-00Z.csv'")
    assert (load["item_count"], load["quarantined_count"]) == (len(rows) - 1, 1)
    slideshows = exports.rows(
        f"select count(*) as n, max(duration_s) as longest from staging.stg_tiktok__videos"
        f" where load_id = {load['load_id']} and is_slideshow"
    )
    assert slideshows == [{"n": sum(row["isSlideshow"] == "true" for row in rows), "longest": 0.0}]
    assert slideshows[0]["n"] > 0


def test_nested_items_of_an_export_are_complete(exports: Staged) -> None:
    path = exports.folder / "us" / "videos" / "2025-07-07T18-00-00Z.json"
    items = json.loads(path.read_text(encoding="utf-8"))
    rows = {
        row["video_id"]: row
        for row in exports.rows("select * from staging.stg_tiktok__videos where year(observed_at) = 2025")
    }
    assert len(rows) == len(items) == 10
    for item in items:
        row = rows[item["id"]]
        assert row["caption"] == item["text"].strip()
        assert row["author_handle"] == item["authorMeta"]["name"].lower()
        assert row["author_name"] == item["authorMeta"]["nickName"]
        assert row["author_followers"] == item["authorMeta"]["fans"]
        assert (row["plays"], row["likes"], row["shares"]) == (
            item["playCount"],
            item["diggCount"],
            item["shareCount"],
        )
        assert (row["comments"], row["saves"]) == (item["commentCount"], item["collectCount"])
        assert row["music_id"] == item["musicMeta"]["musicId"]
        assert row["music_name"] == item["musicMeta"]["musicName"]
        assert row["posted_at"].replace(tzinfo=UTC) == datetime.fromisoformat(item["createTimeISO"])
        assert row["hashtags"] == sorted({tag["name"].lower() for tag in item["hashtags"]} - {""})
        assert row["is_slideshow"] == item["isSlideshow"]
        assert row["duration_s"] == item["videoMeta"]["duration"]
        assert row["cover_url"] == item["videoMeta"].get("coverUrl")
        assert row["posted_at_disagrees"] is False


# ---------- any item, through landing and staging


@pytest.fixture(scope="module")
def scratch() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with empty raw tables."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    migrate(connection)
    yield connection
    connection.close()


characters = st.characters(codec="utf-8")
counts = st.one_of(st.none(), st.integers(0, 2**62), st.integers(0, 2**62).map(str))


@pytest.mark.slow("dozens of builds of staging")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    items=st.dictionaries(
        st.integers(10**17, 2**63 - 1).map(str),
        st.fixed_dictionaries(
            {
                "text": st.text(characters, max_size=60),
                "plays": counts,
                "likes": st.integers(0, 2**62),
                "tags": st.lists(st.text(characters, max_size=8), max_size=4),
                "handle": st.text("abcXYZ._09", min_size=1, max_size=12),
            }
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_item_comes_through_staging(
    items: dict[str, dict[str, Any]],
    scratch: duckdb.DuckDBPyConnection,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = write_feed(
        tmp_path_factory.mktemp("any"),
        "2026-01-05T08:00",
        [
            video(
                video_id,
                plays=item["plays"],
                likes=item["likes"],
                text=item["text"],
                hashtags=[{"name": tag} for tag in item["tags"]],
                authorMeta={"name": item["handle"]},
            )
            for video_id, item in items.items()
        ],
    )
    scratch.execute("delete from raw.loads; delete from raw.tiktok_videos; delete from raw.quarantine")
    feed = FeedFile(path, "folder", "US", "videos", moment("2026-01-05T08:00"))
    report = landing.land(scratch, [feed], landed_at=moment("2026-01-05T09:00"))
    assert (report.items, report.quarantined, report.problems) == (len(items), 0, [])
    bounds = {fact: float(bound) for fact, bound in variables()["item_count_bounds"].items()}
    rows = {row["video_id"]: row for row in records(scratch, staging_sql("stg_tiktok__videos"))}
    assert set(rows) == set(items)
    for video_id, item in items.items():
        row = rows[video_id]
        assert row["caption"].strip() == item["text"].strip()
        for fact in ("plays", "likes"):
            # What can not be true is not given; raw has it.
            given = None if item[fact] is None else int(item[fact])
            assert row[fact] == (given if given is not None and given <= bounds[fact] else None)
        assert row["author_handle"] == item["handle"].lower()
        assert row["video_url"] == f"https://www.tiktok.com/@{item['handle'].lower()}/video/{video_id}"
        # The caption's tags count as well, behind either sign.
        assert len(row["hashtags"]) <= len(item["tags"]) + item["text"].count("#") + item["text"].count("＃")
        assert all(tag and tag == tag.strip(" ") for tag in row["hashtags"])


# ---------- data tests hold what they say


def test_data_tests_fail_on_bad_rows(empty_models: Store) -> None:
    """The project's own generic tests: each finds the row that breaks it."""
    with empty_models.model_writer() as connection:
        connection.execute("begin")
        connection.execute(
            "insert into intermediate.int_video_readings (market, video_id, reading_number, age_hours, times_seen,"
            " observed_at, last_seen_at, last_load_id) values ('US', '1', 1, 0.05, 1, '2026-01-05', '2026-01-05', 1),"
            " ('US', '1', 1, 5, 1, '2026-01-05', '2026-01-05', 1)"
        )
        connection.execute("insert into staging.stg_tiktok__videos (load_id, video_id) values (1, null)")
        connection.execute("commit")
    try:
        with pytest.raises(dbt_runner.DbtFailedError) as failure:
            dbt(
                empty_models,
                "test",
                "--select",
                "unique_grain_int_video_readings",
                "holds_int_video_readings",
                "never_null_stg_tiktok__videos",
                "unique_grain_stg_tiktok__videos",
            )
        statuses = {result.unique_id.split(".")[2]: result.status for result in failure.value.results}
    finally:
        build(empty_models, "delete from intermediate.int_video_readings")
        build(empty_models, "delete from staging.stg_tiktok__videos")
    assert statuses == {
        "unique_grain_int_video_readings": "fail",
        "holds_int_video_readings": "fail",
        "never_null_stg_tiktok__videos": "fail",
        "unique_grain_stg_tiktok__videos": "pass",
    }
    assert "unique_grain_int_video_readings" in str(failure.value)
