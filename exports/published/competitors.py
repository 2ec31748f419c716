"""Own posts beside those of competitors; a market of None is all of them."""

from __future__ import annotations

from typing import Any

from exports.published.day import Day


def competitor_gaps(day: Day, market: str | None) -> list[dict[str, Any]]:
    """Gaps of the week: what was missed first, then by the competitor's momentum."""
    return day.table(
        """
        select * from marts.competitor_gaps
        where as_of_date = $as_of_date and market = coalesce($market, market)
        order by gap_type = 'MISSED_BY_YOU' desc, gap_type = 'BOTH_CAUGHT' desc, competitor_momentum desc, account,
            trend_key
        """,
        market=market,
    ).dicts()


# Orders of the competitor marts: own side first, totals before accounts.
_PARTIES = "parties.role = 'own' desc, parties.is_total desc, rows.account"


_COMPETITOR_ORDERS = {
    "competitor_summary": _PARTIES,
    "competitor_patterns": f"{_PARTIES}, rows.pattern <> 'all', rows.pattern = 'hour', rows.bucket",
    "competitor_responses": f"{_PARTIES}, rows.first_posted_at, rows.trend_key",
    "competitor_selection": f"{_PARTIES}, rows.threshold",
    "competitor_niches": f"{_PARTIES}, rows.dimension, rows.value",
    "competitor_variation": f"{_PARTIES}, rows.variation_rank",
    "competitor_revenue": _PARTIES,
    "competitor_market_timing": f"{_PARTIES}, rows.first_onset_date, rows.trend_key",
    "competitor_scorecard": f"{_PARTIES}, rows.outcome, rows.trend_key",
    "competitor_win_loss": _PARTIES,
}


def competitor_section(day: Day, mart: str, market: str | None) -> list[dict[str, Any]]:
    """Rows of a competitor mart: of the accounts at home in the market, and of the totals, which are over all.

    Args:
        day: The published day.
        mart: A name of `_COMPETITOR_ORDERS`.
        market: Market code, None for all.
    """
    return day.table(
        f"""
        select rows.*
        from marts.{mart} as rows
        inner join marts.competitor_summary as parties using (as_of_date, account)
        where rows.as_of_date = $as_of_date
            and (parties.is_total or coalesce(parties.home_market, '') = coalesce($market, parties.home_market, ''))
        order by {_COMPETITOR_ORDERS[mart]}
        """,
        market=market,
    ).dicts()


def posting_log(day: Day, market: str | None) -> list[dict[str, Any]]:
    """Own and competitors' posts of the week, newest first."""
    return day.table(
        """
        select * from marts.competitor_posts
        where as_of_date = $as_of_date and market = coalesce($market, market)
        order by posted_at desc, video_id
        """,
        market=market,
    ).dicts()
