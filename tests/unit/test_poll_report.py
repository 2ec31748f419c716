"""Wording of a poll's messages: what to do, what the sources don't give, and how well the polls heard."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from exports.published import Poll
from exports.text import heard, poll_report, scorecard

AT = datetime(2026, 3, 1, 8, 29)
ROW = {
    "poll_at": AT, "new_readings": 7, "repeated_readings": 1, "tracked": 12, "pace_factor_needed": 3.004,
    "new_candidates": 2, "alerts": 1, "removed": 0,
}  # fmt: skip
HEARD = {"market": "US", "silent_because": None, "gives_views": True, "gives_likes": True, "gives_shares": True}
ALERT: dict[str, Any] = {
    "video_id": "7590000000000090001", "alerted_at": AT, "is_message": True, "tier": "ALERT", "market": "UK",
    "followed_by": None,
    "ai_category": "AI", "author_handle": "example.creator", "age_hours": 42.0, "fresh_age_hours": 48,
    "momentum_score": 1234.5,
    "shares_per_hour": None, "delta_shares_per_hour": None, "gain_views": 220_000, "hours": 18.0, "plays": 244_000,
    "expected_gain_views": 20_000.0, "z": 5.27, "caption": "an invented caption", "video_url": None,
    "trend_key": "sound:1", "music_name": "Some Sound", "build_place": 3, "builds": 12,
    "until_at": datetime(2026, 3, 1, 20, 0),
}  # fmt: skip
TREND = {
    "market": "US", "trend_key": "hashtag:wave", "trend_key_type": "hashtag", "music_name": None, "alerted_at": AT,
    "is_message": True, "burst_of": "creators", "new_creators": 5, "expected_creators": 0.4, "is_ahead": True,
    "other_creators": 1, "example_video_url": "https://www.tiktok.com/@a/video/1", "until_at": None,
    "fresh_until_at": datetime(2026, 3, 4, 2, 29), "build_place": 2, "builds": 12,
}  # fmt: skip
SCORES = {
    "as_of_date": date(2026, 3, 1), "polled_days": 18, "bursts": 10, "found": 8, "missed_not_watched": 1,
    "missed_below_z": 1, "missed_budget": 0, "missed_cooldown": 0, "missed_no_new_reading": 0,
    "median_delay_hours": 0.5, "messages": 12, "messages_per_day": 0.67, "pace_factor_needed": 3.0,
    "highest_pace_factor_needed": 3.5, "scored_4h": 0, "right_4h": 0, "base_rate_4h": None, "base_readings_4h": 0,
    "scored_24h": 10, "right_24h": 9, "base_rate_24h": 0.47, "base_readings_24h": 1353,
    "scored_trends": 0, "right_trends": 0, "base_rate_trends": None, "base_trends": 0, "minimum_scored": 5,
}  # fmt: skip


def test_an_alert_says_what_to_do() -> None:
    ((key, message),) = poll_report.messages(Poll(ROW, [HEARD], [ALERT, {**ALERT, "is_message": False}], []))
    assert key == "alert:7590000000000090001:2026-03-01T08:29"
    fields = {field.name: field.lines[0] for field in message.fields}
    assert fields["Trend"] == "sound Some Sound"
    assert fields["What happened"] == "24,000 → 244,000 views in 18.0 h, 11.0 times the usual (z 5.3)"
    assert fields["Publish by"] == "Sun 01 Mar 20:00 UTC (end of its window)"
    assert fields["Build list"] == "place 3 of 12 of the last run"
    assert fields["Shares/h"] == "not given"


def test_a_trend_tells_where_it_is_ahead() -> None:
    ((key, message),) = poll_report.messages(Poll(ROW, [HEARD], [], [TREND]))
    assert (key, message.title) == ("trend:US:hashtag:wave:2026-03-01T08:29", "🌊 TREND BURST: #wave")
    fields = {field.name: field.lines for field in message.fields}
    assert fields["What happened"] == ("5 creators took it up within hours where 0.4 were expected",)
    assert fields["Other markets"] == ("before the others: 1 creators there",)


@pytest.mark.parametrize(
    ("summary", "sent", "footer"), [("never", 1, ""), ("alerts", 1, "Poll"), ("always", 2, "Poll")]
)
def test_the_summary_is_sent_as_it_is_wanted(summary: str, sent: int, footer: str) -> None:
    told = poll_report.messages(Poll(ROW, [HEARD], [ALERT], []), summary)
    assert len(told) == sent
    assert told[0][1].footer[:4] == footer
    assert len(poll_report.messages(Poll(ROW, [HEARD], [], []), summary)) == sent - 1


def test_what_the_source_does_not_give_is_said() -> None:
    deaf = {**HEARD, "market": "UK", "gives_shares": False, "silent_because": "no new reading"}
    assert poll_report.gaps([HEARD, deaf]) == [
        "UK: nothing to hear, no new reading.",
        "UK: the source gives no share counts, likes decide who is watched.",
    ]


def test_publish_by_is_the_end_of_its_window_else_of_its_freshness() -> None:
    """Until which age a video is fresh comes with the alert: it is a setting of the models."""
    ((_, message),) = poll_report.messages(Poll(ROW, [HEARD], [{**ALERT, "until_at": datetime(2026, 3, 1, 6)}], []))
    fields = {field.name: field.lines[0] for field in message.fields}
    assert fields["Publish by"] == "Sun 01 Mar 14:29 UTC (48 h after the post)"
    ((_, message),) = poll_report.messages(Poll(ROW, [HEARD], [], [TREND]))
    fields = {field.name: field.lines[0] for field in message.fields}
    assert fields["Publish by"] == "Wed 04 Mar 02:29 UTC (while what began it is fresh)"
    assert fields["Build list"] == "place 2 of 12 of the last run"


RECALL = (
    "8 of 10 (80%) bursts heard, median delay 0.5 h; 9 of 10 (90%) messages still ahead of their cohort 24 h later,"
    " 47% of 1,353 others; 18 polled days to 2026-03-01"
)


def test_one_line_a_day_says_that_polling_works() -> None:
    polling = {"polls": 8, "new_readings": 31, "alerts": 1, "scores": SCORES}
    assert poll_report.polling_line(polling) == (
        f"🔎 Polling, last 24 h: 8 polls, 31 new readings, 1 alerts; an alert needed 3.0 times the pace; {RECALL}"
    )


def test_recall_is_the_same_line_everywhere_and_no_share_of_a_few() -> None:
    assert heard.recall_line(SCORES) == RECALL
    assert heard.recall_line(None) == heard.NO_POLL
    few = {**SCORES, "bursts": 2, "found": 1, "scored_24h": 0, "median_delay_hours": None}
    assert heard.recall_line(few) == "1 of 2 (not enough yet) bursts heard; 18 polled days to 2026-03-01"
    # How many are enough comes with the scores.
    assert heard.recall_line({**few, "minimum_scored": 2}).startswith("1 of 2 (50%) bursts heard")
    assert heard.recall_line({**few, "bursts": 0, "found": 0}).startswith("no burst to hear; 18 polled days")


def test_the_scorecard_tells_recall_misses_and_the_base_rate() -> None:
    assert heard.alert_lines(SCORES) == [
        f"Alerts: {RECALL}",
        "Not heard: 1 not watched, 1 below z",
        "Messages: 12, 0.7 a day; an alert needed 3.0 times the pace, at most 3.5",
    ]
    trends = {**SCORES, "scored_trends": 6, "right_trends": 3, "base_rate_trends": 0.25, "base_trends": 80}
    assert heard.alert_lines(trends)[-1] == "Trends: 3 of 6 (50%) told kept growing the day after; 25% of 80 others"
    assert max(map(len, scorecard.alert_block(trends))) <= scorecard.WIDTH
