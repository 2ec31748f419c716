"""What the watch list follows: watched and told first by polls, marked in the build list, summed up everywhere."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pytest

from exports import published as marts
from exports.report.trend_report import trend_report
from exports.text.daily_report import covers, daily_report
from exports.text.summary import summary
from services.message import Link
from tests.support import PROJECT, published, video, write_feed
from warehouse.store import Store

pytestmark = pytest.mark.slow("a day and its polls, with a list of what is followed")

DAY = "2026-02-20"
QUIET, TWIN, TAGGED, SPOKEN, LOUD = (f"76088077302509500{number}" for number in range(10, 15))
COVER = "https://p16-sign-sg.tiktokcdn.com/c.jpeg?x-expires=1771700000&x-signature=x"
ENTRIES = [
    ["Account", "https://www.tiktok.com/@Quiet.Maker?lang=en", "Follow", ""],
    ["tag", "#SoapCut", "follow", "us"],
    ["keyword", "glow ring", "follow", "UK"],
    ["sound", "7001", "follow", ""],
    ["hashtag", "#oops", "follow", ""],
]


def items(hour: int, market: str) -> list[dict[str, object]]:
    """A feed of ordinary videos, and the ones that the entries name."""
    found = [
        video(f"760880773025094{number:04}", plays=2_000 * (number + 3) + 250 * number * hour, shares=300 + hour,
              posted="2026-02-19T22:00:00.000Z", authorMeta={"name": f"someone.{number}", "id": str(number)})
        for number in range(30)
    ]  # fmt: skip
    slow = {8: 800, 10: 900, 12: 1_000, 14: 9_000}[hour]
    posted = "2026-02-19T20:00:00.000Z"
    # Few shares: neither would ever qualify to be watched.
    for key, maker in ((QUIET, "quiet.maker"), (TWIN, "quiet.twin")):
        found.append(
            video(key, plays=slow, shares=2, posted=posted, authorMeta={"name": maker, "id": key}, hashtags=[])
        )
    found.append(
        video(TAGGED, plays=30_000 + 9_000 * hour, shares=4_000 + 500 * hour, posted=posted,
              hashtags=[{"name": "soapcut"}], text="soap", authorMeta={"name": "soap.maker", "id": "7"},
              videoMeta={"coverUrl": COVER})
    )  # fmt: skip
    found.append(video(SPOKEN, plays=5_000 + hour, posted=posted, text="My Glow-Ring!", hashtags=[]))
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home of a project whose watch list has the entries: the file is the user's own, so a copy has another one."""
    root = tmp_path_factory.mktemp("followed")
    project = root / "project"
    shutil.copytree(
        PROJECT, project, ignore=shutil.ignore_patterns(".*", "target", "home", "benchmarks", "__pycache__", "e2e")
    )
    with (project / "seeds" / "watchlist.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["kind", "value", "action", "market"], *ENTRIES])
    store = Store(root / "home")
    for hour in (8, 10, 12, 14):
        for market in ("us", "uk"):
            write_feed(root / "feeds", f"{DAY}T{hour:02}:00", items(hour, market), market=market)
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "run", "--date", DAY, "--source", root / "feeds",
         "--home", store.home, "--no-deliver"],
        cwd=project, env=os.environ | {"PYTHONPATH": str(project)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return store


def test_a_poll_watches_what_is_followed_and_not_its_twin(home: Store) -> None:
    told = published(home, "select video_id, followed_by, is_message from marts.acceleration_alerts order by 1")
    by_video = {video_id: (followed_by, is_message) for video_id, followed_by, is_message in told}
    assert by_video[QUIET] == ("account https://www.tiktok.com/@Quiet.Maker?lang=en", True)
    assert TWIN not in by_video


def test_the_build_list_marks_it_and_keeps_its_order(home: Store) -> None:
    rows = published(
        home, "select place, video_id, because, followed_by, gain_48h_p50 from marts.build_list order by place"
    )
    marked = {video_id: (because, followed_by) for _, video_id, because, followed_by, _ in rows if followed_by}
    assert set(marked) == {TAGGED}
    because, followed_by = marked[TAGGED]
    assert (followed_by, because.endswith(", ⭐ followed (tag #SoapCut)")) == ("tag #SoapCut", True)
    gains = [gain for *_, gain in rows]
    assert gains == sorted(gains, reverse=True) and len(gains) > 1


def test_each_entry_says_what_it_did(home: Store) -> None:
    rows = published(
        home,
        "select kind, value, market, videos, new_videos, creators, best_video_id, builds, alerts_24h"
        f" from marts.followed where as_of_date = '{DAY}' order by kind",
    )
    assert rows == [
        ("account", ENTRIES[0][1], None, 1, 1, 1, QUIET, 0, 1),
        ("keyword", "glow ring", "UK", 1, 1, 1, SPOKEN, 0, 0),
        ("sound", "7001", None, 0, 0, 0, None, 0, 0),
        ("tag", "#SoapCut", "US", 1, 1, 1, TAGGED, 1, 0),
    ]
    (unusable,) = published(home, "select message from meta.check_results where check_name = 'check_watchlist'")
    assert unusable[0].startswith('seeds/watchlist.csv: the row "hashtag,#oops,follow," is not used: its kind is none')


def test_message_summary_and_report_have_a_section_of_it(home: Store) -> None:
    with marts.open_day(home.published_path, date.fromisoformat(DAY)) as day:
        message = daily_report(day, [], [], None)
        of_uk = daily_report(day, [], [], None, ["UK"])
        text, page = summary(day).decode(), trend_report(day).decode()
    assert "FOLLOWED since yesterday" in message.lines
    names = [line.label for line in message.lines if isinstance(line, Link)]
    assert "tag #SoapCut (US)" in names and "keyword glow ring (UK)" in names
    assert "tag #SoapCut (US)" not in [line.label for line in of_uk.lines if isinstance(line, Link)]
    assert "no feed of the day shows it" in message.lines
    did = "1 video in the feeds, 1 new since yesterday"
    assert any(line.startswith(did) and "1 build of the list, the first at place 1" in line for line in message.lines
               if isinstance(line, str))  # fmt: skip
    assert "⭐ FOLLOWED SINCE YESTERDAY" in text and "sound 7001\n   no feed of the day shows it" in text
    assert '<section id="followed">' in page and "tag #SoapCut (US)" in page


def test_a_build_has_its_cover_while_that_can_be_loaded(home: Store) -> None:
    runs_out = datetime.fromtimestamp(1771700000, UTC)
    with marts.open_day(home.published_path, date.fromisoformat(DAY)) as day:
        (cover,) = covers(day, runs_out - timedelta(hours=2))
        assert covers(day, runs_out - timedelta(minutes=30)) == ()
    assert (cover.image, cover.url.rpartition("/")[2]) == (COVER, TAGGED)
