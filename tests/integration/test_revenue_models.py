"""Revenue models on readings that were really landed: which reading a date sees, and every figure in plain Python."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingest import export_folder, landing
from ingest.revenue import RevenueReading, RevenueRow, land_revenue, read_seed
from tests.integration.dbt_subset import REPOSITORY, Subset, create_subset
from tests.support import MARKETS, PROJECT, video, write_feed

MODELS = [
    "int_as_of",
    "stg_sheet__revenue_rows",
    "int_revenue_reads",
    "int_revenue_rows",
    "revenue_source",
    "template_revenue",
    "revenue_breakdown",
    "revenue_monthly",
    "revenue_by_day",
    "revenue_by_week",
    "revenue_by_template",
    "revenue_by_trend",
    "revenue_installs",
]
# Of the 59 shipped entries; the others were first seen later.
SEEN_BY_THE_13TH = 57
DATES = ["2026-03-13", "2026-03-14", "2026-03-15"]
OWN = "7600000000000000001"
TEMPLATE = "7300000000000000009"
PARENTS = {
    "videos_daily": f"""
        select * from (values
            (date '2026-03-12', '{OWN}', 'sound:old', 'sound', 'own'),
            (date '2026-03-14', '{OWN}', 'template:1', 'template', 'own'),
            (date '2026-03-15', '{OWN}', 'template:2', 'template', 'own'),
            (date '2026-03-15', '7600000000000000003', 'sound:theirs', 'sound', 'other')
        ) as rows (as_of_date, video_id, trend_key, trend_key_type, author_role)
    """,
    "int_trend_corpus": f"select as_of_date, 'template:{TEMPLATE}' as trend_key from {{{{ ref('int_as_of') }}}}",
}
RATES = """valid_from,us_eu3_countries,us_eu3_rate,row_rate,cap,note
2026-02-01,US,3.51,1.50,2500,first
2026-03-01,US,4.00,2.00,1000,second
"""


def row(sheet_row: int, received: object, **further: Any) -> RevenueRow:
    values: dict[str, Any] = {
        "entered": ("",) * 19,
        "url": f"https://www.tiktok.com/@example.own/video/76000000000000000{sheet_row:02}",
        "account": "@Example.Own",
        "received": None if received is None else Decimal(str(received)),
        "first_seen_on": date(2026, 3, 5),
    }
    return RevenueRow(sheet_row, **(values | further))


SHEET = RevenueReading(
    "sheet",
    datetime(2026, 3, 14, 8, tzinfo=UTC),
    "en_US",
    "Etc/GMT",
    ("TikTok URL", "Received ($)"),
    (
        row(2, 400, url=f"https://www.tiktok.com/@example.own/video/{OWN}", us_eu3_installs=90, row_installs=10,
            trigger_level="🔥 URGENT", market="🌐 BOTH", ai_category="ai", trend_description="first"),
        row(3, 2600, first_seen_on=date(2026, 2, 20), us_eu3_installs=700, row_installs=20, trigger_level="URGENT"),
        row(4, None, estimated=Decimal(50), template_link=f"https://www.capcut.com/template-detail/{TEMPLATE}"),
        row(5, "0.1", market="UK ONLY", ai_category="NON-AI", trigger_level="high", post_date=date(2026, 3, 6)),
        row(6, "0.2", url=f"https://www.tiktok.com/@example.own/video/{OWN}?lang=en"),
        row(7, 0, first_seen_on=None),
        replace(row(9, None), problem="Received ($): 'n/a' is no amount", url=None, account=None),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subset]:
    subset = create_subset(
        tmp_path_factory.mktemp("revenue"),
        models=MODELS,
        seeds=["revenue_rates.csv", "revenue.yml"],
        parents=PARENTS,
        sources=(REPOSITORY / "models" / "staging" / "_raw__sources.yml").read_text(encoding="utf-8"),
    )
    (subset.folder / "seeds" / "revenue_rates.csv").write_text(RATES, encoding="utf-8")
    with subset.facts() as connection:
        for text in DATES:
            landing.cutoff_for(connection, date.fromisoformat(text), now=datetime(2100, 1, 1, tzinfo=UTC))
        seed = read_seed(PROJECT / "seeds" / "revenue_seed.csv")
        land_revenue(connection, seed, attempted_at=datetime(2026, 3, 12, tzinfo=UTC))
        land_revenue(connection, SHEET, attempted_at=datetime(2026, 3, 14, 8, tzinfo=UTC))
        cached = replace(SHEET, source="cache", failure="the sheet is gone", rows=SHEET.rows[:2])
        land_revenue(connection, cached, attempted_at=datetime(2026, 3, 15, 9, tzinfo=UTC))
        land_revenue(connection, SHEET, attempted_at=datetime(2026, 3, 16, 9, tzinfo=UTC))
    subset.build(as_of_dates=DATES)
    yield subset


def found(built: Subset, mart: str, day: str = "2026-03-14") -> list[dict[str, Any]]:
    with built.connect() as connection:
        cursor = connection.execute(f"select * from marts.{mart} where as_of_date = '{day}' order by 2, 3")
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def test_each_date_sees_the_newest_reading_it_can_know(built: Subset) -> None:
    sources = {day: found(built, "revenue_source", day)[0] for day in DATES}
    # The 13th knew the shipped entries only: what was read later stays unknown to it, also when it is made again.
    assert [sources[day]["source"] for day in DATES] == ["seed", "sheet", "cache"]
    assert [sources[day]["row_count"] for day in DATES] == [SEEN_BY_THE_13TH, 6, 2]
    assert sources["2026-03-15"]["failure"] == "the sheet is gone"
    assert sources["2026-03-14"]["age_hours"] == pytest.approx(16, abs=0.001)
    assert (sources["2026-03-14"]["quarantined_rows"], sources["2026-03-14"]["duplicate_rows"]) == (1, 1)
    assert sources["2026-03-14"]["problems"] == "row 9: Received ($): 'n/a' is no amount"
    assert sources["2026-03-14"]["total_received"] == 3000.3


def test_the_seed_gives_way_only_to_a_sheet(built: Subset) -> None:
    ((simulated,),) = built.rows("select bool_or(is_simulated) from marts.revenue_source")
    assert simulated is True, "on the 13th, in a home without feeds"
    ((later,),) = built.rows("select count(*) from marts.template_revenue where first_seen_on > as_of_date")
    assert later == 0
    ((rows,),) = built.rows("select count(*) from raw.revenue_rows where read_id = 1")
    assert rows == 59


def test_templates_row_by_row(built: Subset) -> None:
    rows = {entry["sheet_row"]: entry for entry in found(built, "template_revenue")}
    assert sorted(rows) == [2, 3, 4, 5, 6, 7, 9]
    assert (rows[2]["account"], rows[2]["trigger_level"], rows[2]["market_at_detection"], rows[2]["ai_category"]) == (
        "example.own",
        "URGENT",
        "BOTH",
        "AI",
    )
    # A template keeps the rates and the cap of the day it was first seen.
    assert (rows[2]["cap"], rows[3]["cap"]) == (1000, 2500)
    assert rows[2]["estimated_by_rate"] == 90 * 4 + 10 * 2
    assert rows[3]["estimated_by_rate"] == min(700 * 3.51 + 20 * 1.5, 2500)
    assert (rows[2]["is_at_cap"], rows[3]["is_at_cap"]) == (False, True)
    assert rows[2]["revenue_per_install"] == 4
    assert (rows[4]["outstanding"], rows[4]["is_hit"], rows[7]["is_hit"]) == (50, False, False)
    assert (rows[6]["duplicate_of_row"], rows[2]["duplicate_of_row"]) == (2, None)
    assert (rows[9]["is_counted"], rows[9]["received"]) == (False, None)


def test_trend_of_a_template_as_the_date_knows_it(built: Subset) -> None:
    keys = {
        (day, entry["sheet_row"]): (entry["trend_key"], entry["trend_key_by"])
        for day in DATES
        for entry in found(built, "template_revenue", day)
    }
    assert keys["2026-03-14", 2] == ("template:1", "video")
    assert keys["2026-03-15", 2] == ("template:2", "video")
    assert keys["2026-03-14", 4] == (f"template:{TEMPLATE}", "template link")
    assert keys["2026-03-15", 3] == (None, None), "another's post says nothing of ours"


def test_forecast_is_the_curve_censored_at_the_cap(built: Subset) -> None:
    day = date(2026, 3, 14)
    rows = {entry["sheet_row"]: entry for entry in found(built, "template_revenue")}

    def share(age: float) -> float:
        return 1 - math.exp(-age / 14)

    age, earned, cap = 9, 400.0, 1000.0
    for name, z in (("p10", -1.2815515655), ("p50", 0.0), ("p90", 1.2815515655)):
        gain = earned * (share(age + 30) / share(age) - 1) * math.exp(z * 0.6)
        assert rows[2][f"forecast_{name}"] == pytest.approx(min(cap, earned + gain), abs=1e-4)
        on = next(
            (
                day + timedelta(days=ahead)
                for ahead in range(181)
                if earned + earned * (share(age + ahead) / share(age) - 1) * math.exp(z * 0.6) >= cap
            ),
            None,
        )
        assert rows[2][f"cap_on_{name}"] == on
    # At the cap nothing more is known, without an earning or a date nothing is extrapolated.
    assert [rows[3][f"forecast_{name}"] for name in ("p10", "p50", "p90")] == [2500] * 3
    assert rows[3]["forecast_is_censored"] is True
    assert rows[3]["cap_on_p50"] is None
    assert (rows[7]["forecast_p50"], rows[9]["forecast_p50"]) == (None, None)
    assert rows[4]["forecast_p50"] > 50, "what is estimated has been earned"


def test_breakdowns_add_up(built: Subset) -> None:
    counted = [entry for entry in found(built, "template_revenue") if entry["is_counted"]]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for entry in counted:
        groups["all", "ALL"].append(entry)
        groups["trigger_level", entry["trigger_level"]].append(entry)
        groups["market", entry["market_at_detection"]].append(entry)
        groups["ai_category", entry["ai_category"]].append(entry)
    rows = found(built, "revenue_breakdown")
    assert len(rows) == 1 + 4 + 4 + 3
    for entry in rows:
        members = groups[entry["dimension"], entry["value"]]
        received = [member["received"] or 0 for member in members]
        assert entry["templates"] == len(members)
        assert entry["total_revenue"] == pytest.approx(sum(received))
        assert entry["hits"] == sum(value > 0 for value in received)
        assert entry["templates_at_cap"] == sum(member["is_at_cap"] for member in members)
        if members:
            assert entry["average_revenue"] == pytest.approx(sum(received) / len(members))
            assert entry["hit_rate"] == entry["hits"] / len(members)
            best = max(received)
            assert entry["best_revenue"] == (best or None)
        else:
            assert (entry["average_revenue"], entry["best_template"]) == (None, None)
    (urgent,) = [entry for entry in rows if entry["value"] == "URGENT"]
    assert urgent["best_template"] == SHEET.rows[1].url, "a template without a description is named by its link"


def test_months_and_installs(built: Subset) -> None:
    months = found(built, "revenue_monthly")
    # Nobody entered a date for row 7: the id of its post was made on 2026-01-27.
    assert [(str(entry["month"]), entry["templates"], entry["total_revenue"]) for entry in months] == [
        ("2026-01-01", 1, 0.0),
        ("2026-02-01", 1, 2600.0),
        ("2026-03-01", 4, 400.3),
    ]
    assert [entry["growth"] for entry in months] == [None, None, pytest.approx(400.3 / 2600 - 1, abs=1e-4)]
    assert [entry["revenue_so_far"] for entry in months] == [0, 2600, 3000.3]
    assert [entry["is_over"] for entry in months] == [True, True, False]
    (installs,) = found(built, "revenue_installs")
    assert installs["total_installs"] == 820
    assert installs["revenue_per_install"] == pytest.approx(3000.3 / 820)
    assert installs["minimum_installs_at_cap"] == 720


def test_days_weeks_templates_and_trends_add_up_to_what_was_received(built: Subset) -> None:
    days = found(built, "revenue_by_day")
    assert [(str(day["posted_on"]), day["posts"], day["received"], day["received_so_far"]) for day in days] == [
        ("2026-01-27", 1, 0, 0),
        ("2026-02-20", 1, 2600, 2600),
        ("2026-03-05", 3, 400.2, 3000.2),
        # Row 5 has a Post Date, which counts before the day that it was first seen.
        ("2026-03-06", 1, 0.1, 3000.3),
    ]
    weeks = found(built, "revenue_by_week")
    assert [(str(week["week"]), week["received"], week["growth"], week["is_over"]) for week in weeks] == [
        ("2026-01-26", 0, None, True),
        ("2026-02-16", 2600, None, True),
        ("2026-03-02", 400.3, None, True),
    ]
    templates = {entry["template_key"]: entry for entry in found(built, "revenue_by_template")}
    # Rows 2 and 6 link to the same post.
    own = templates[f"post:{OWN}"]
    assert (own["posts"], own["received"], own["trend_key"], own["trend_description"]) == (
        2, 400.2, "template:1", "first"
    )  # fmt: skip
    assert templates[f"template:{TEMPLATE}"]["outstanding"] == 50
    trends = {entry["trend_key"]: entry for entry in found(built, "revenue_by_trend")}
    assert {key: (entry["templates"], entry["received"]) for key, entry in trends.items()} == {
        "template:1": (1, 400.2),
        f"template:{TEMPLATE}": (1, 0),
    }
    for grain in (days, weeks, list(templates.values())):
        assert sum(entry["received"] for entry in grain) == pytest.approx(3000.3)
        assert sum(entry["posts"] for entry in grain) == 6
        assert sum(entry["installs"] for entry in grain) == 820
    # The next day knows a shorter reading: the history of a template is its rows by date.
    with built.connect() as connection:
        history = connection.execute(
            "select as_of_date::varchar, posts from marts.revenue_by_template where template_key = ? order by 1",
            [f"post:{OWN}"],
        ).fetchall()
    assert history == [("2026-03-14", 2), ("2026-03-15", 1)]


@pytest.mark.slow("a build for each of many dates")
def test_a_batch_of_dates_equals_single_dates(built: Subset) -> None:
    marts = [name for name in MODELS if not name.startswith(("int_", "stg_"))]
    sums = {mart: built.rows(f"select count(*), sum(hash(mart)::hugeint) from marts.{mart} as mart") for mart in marts}
    for day in DATES:
        built.build(as_of_dates=[day])
    again = {mart: built.rows(f"select count(*), sum(hash(mart)::hugeint) from marts.{mart} as mart") for mart in marts}
    assert again == sums


def test_a_home_of_real_feeds_has_no_simulated_revenue(built: Subset, tmp_path: Path) -> None:
    write_feed(tmp_path, "2026-03-13T08:00", [video()])
    feeds, refusals = export_folder.scan(tmp_path, MARKETS)
    with built.facts() as connection:
        landing.land(connection, feeds, refusals, landed_at=datetime(2026, 3, 13, 9, tzinfo=UTC))
    built.build(as_of_dates=DATES)
    assert found(built, "revenue_source", "2026-03-13") == []
    assert found(built, "template_revenue", "2026-03-13") == []
    assert found(built, "revenue_source", "2026-03-14")[0]["source"] == "sheet"
