"""The first real source of a home with the sample: what comes to nothing has changed nothing."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import compiled_models
from engine.dbt_runner import DbtFailedError
from orchestration import sources
from tests import homes
from tests.service.server import Service, environment
from tests.support import build, land_folder, published, trends, video, write_feed, write_file
from warehouse.store import Store

# A date of the sample too: rows of the one could pass for rows of the other.
DAY = homes.SAMPLE_DAY


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def private_and_published(store: Store) -> dict[str, str]:
    """Every file of the warehouse that holds rows, with its hash."""
    return {str(path.relative_to(store.home)): sha(path) for path in sorted(store.warehouse.rglob("*.duckdb"))}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home with a day of the sample, as it was published."""
    store = Store(tmp_path_factory.mktemp("sample") / "home")
    shutil.copytree(homes.day_of_sample(tmp_path_factory).home, store.home)
    return store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A real export folder with one day."""
    for hour, plays in (("08", 1000), ("14", 4000)):
        write_feed(tmp_path / "feeds", f"{DAY}T{hour}:00", [video(plays=plays, posted="2026-03-05T01:00:00.000Z")])
    return tmp_path / "feeds"


@pytest.fixture
def home(sample: Store, tmp_path: Path) -> Store:
    """A copy of the sample's home."""
    shutil.copytree(sample.home, tmp_path / "home")
    return Store(tmp_path / "home")


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        (["run", "--source", "apify"], {}, "source apify needs APIFY_TOKEN: set it in .env, or give --source DIR"),
        (["run"], {"APIFY_TOKEN": "token"}, "source apify needs the id of at least one video task: set US_VIDEO_TASK"),
        (["poll", "--source", "apify"], {}, "source apify needs APIFY_TOKEN"),
        (
            ["run", "--source", "apify", "--date", "2026-03-04"],
            {"APIFY_TOKEN": "token", "US_VIDEO_TASK_ID": "user~task"},
            "nothing was landed for 2026-03-04: leave --date out",
        ),
        (["run", "--source", "DIR", "--date", "2026-03-04"], {}, f"has no feed for 2026-03-04: it has {DAY} to {DAY}."),
        (["poll", "--source", "DIR", "--date", "2026-03-04"], {}, "has no feed for 2026-03-04"),
        (["backfill", "--source", "DIR", "--from", "2026-03-06"], {}, "has no feed in the dates asked for"),
        (["run", "--source", "DIR/nowhere"], {}, "does not exist: give --source a folder"),
        (["run", "--source", "DIR"], {"DRIVE_FOLDER_ID": "https://x.example/folders/1"}, "the id in it is 1;"),
    ],
)
def test_a_first_real_run_that_is_refused_leaves_the_sample_byte_for_byte(
    arguments: list[str],
    variables: dict[str, str],
    told: str,
    sample: Store,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = private_and_published(sample)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    outcome = trends(*[text.replace("DIR", str(folder)) for text in arguments], "--home", sample.home)
    assert outcome.code == 2, outcome.err
    assert told in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert "published" not in outcome.out
    assert private_and_published(sample) == before


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    with service.running():
        yield service


def sample_rows(store: Store) -> list[Any]:
    return build(store, "select count(*), count(distinct source), min(source) from raw.tiktok_videos")


@pytest.mark.parametrize("way", ["malformed", "empty", "token"])
def test_a_first_real_run_that_brings_no_item_leaves_the_sample(
    way: str, home: Store, tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files can't be read, hold nothing, or Apify refuses the token: known only once the run is under way."""
    feeds_of = tmp_path / "other"
    arguments = ["run", "--source", str(feeds_of), "--date", DAY, "--no-deliver"]
    if way == "malformed":
        write_file(feeds_of, f"{DAY}T08:00", b'[{"id": "75900000')
    elif way == "empty":
        write_feed(feeds_of, f"{DAY}T08:00", [])
    else:
        given = environment(service) | {"APIFY_TOKEN": "wrong", "US_VIDEO_TASK_ID": "user~task", "RETRY_WAIT_S": "0.01"}
        for name in ("APIFY_TOKEN", "APIFY_BASE_URL", "US_VIDEO_TASK_ID", "RETRY_WAIT_S"):
            monkeypatch.setenv(name, given[name])
        arguments = ["run", "--source", "apify", "--no-deliver"]
    before, rows = sha(home.published_path), sample_rows(home)
    outcome = trends(*arguments, "--home", home.home)
    assert outcome.code == 1
    assert "trends: raw_feeds failed: source " in outcome.err
    assert "published" not in outcome.out
    assert "open first" not in outcome.out
    assert (sha(home.published_path), sample_rows(home)) == (before, rows)
    assert not list(home.warehouse.glob("*.sample-*"))


def assert_real(home: Store) -> None:
    assert published(home, "select cast(as_of_date as varchar), count(*) from marts.videos_daily group by 1") == [
        (DAY, 1)
    ]
    assert published(home, "select sources from meta.publication") == [("folder",)]
    assert build(home, "select distinct source from raw.loads") == [("folder",)]


@pytest.mark.slow("two whole runs")
def test_a_good_one_sets_the_sample_aside_and_is_published_in_its_place(home: Store, folder: Path) -> None:
    private = sha(home.facts_path)
    outcome = trends("run", "--source", folder, "--no-deliver", "--home", home.home)
    assert outcome.code == 0, outcome.err
    assert f"published {home.published_path} as of {DAY}" in outcome.out
    (aside,) = home.warehouse.glob("facts.sample-*.duckdb")
    assert sha(aside) == private
    assert not list(home.warehouse.glob(".first-real"))
    assert_real(home)


@pytest.mark.slow("three whole runs")
def test_the_sample_stays_published_until_real_dates_are(
    home: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real rows were landed, their models fail: nothing of the sample is taken for them later on."""
    before = sha(home.published_path)

    def fail(*_: object, **__: object) -> None:
        raise DbtFailedError("invented")

    with monkeypatch.context() as patch:
        patch.setattr(compiled_models, "build", fail)
        outcome = trends("run", "--source", folder, "--no-deliver", "--home", home.home)
    assert (outcome.code, "published" in outcome.out) == (1, False)
    assert len(list(home.warehouse.glob("facts.sample-*.duckdb"))) == 1
    assert sha(home.published_path) == before
    # A poll publishes; the date's daily lists are not built yet.
    outcome = trends("poll", "--source", folder, "--no-deliver", "--home", home.home)
    assert outcome.code == 0, outcome.err
    assert published(home, "select count(*) from marts.videos_daily") == [(0,)]
    assert trends("run", "--source", folder, "--no-deliver", "--home", home.home).code == 0
    assert_real(home)


@pytest.mark.slow("a whole run that is killed, and the next")
def test_a_kill_while_the_real_files_take_their_place_loses_nothing(
    home: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "take_over", die)
        place = sources.landing_place(str(folder), home)
        land_folder(place, folder)
        with pytest.raises(OSError, match="killed"):
            sources.take_place(place, home)
    assert not home.has_facts
    outcome = trends("run", "--source", folder, "--no-deliver", "--home", home.home)
    assert outcome.code == 0, outcome.err
    assert "2 already landed" in outcome.out, "what was landed before counts"
    assert_real(home)


def test_the_sample_is_refused_beside_real_data_and_in_place_of_it(home: Store, folder: Path) -> None:
    assert trends("run", "--source", folder, "--no-deliver", "--home", home.home).code == 0
    with pytest.raises(sources.MixedDataError, match="needs a home of its own"):
        sources.landing_place(sources.SAMPLE, home)
    assert sources.landing_place(str(folder), home) == home
