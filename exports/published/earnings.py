"""What the user's templates earned, and where that is known from."""

from __future__ import annotations

from typing import Any

from exports.published.day import Day


def revenue_source(day: Day) -> dict[str, Any] | None:
    """Where the day's revenue comes from; None where none was read."""
    rows = day.table("select * from marts.revenue_source where as_of_date = $as_of_date").dicts()
    return rows[0] if rows else None


def revenue_rows(day: Day) -> list[dict[str, Any]]:
    """The user's templates, in the sheet's order."""
    return day.table("select * from marts.template_revenue where as_of_date = $as_of_date order by sheet_row").dicts()


def revenue_breakdown(day: Day) -> list[dict[str, Any]]:
    """Revenue of all templates and by trigger level, market and AI category."""
    return day.table(
        """
        select * from marts.revenue_breakdown
        where as_of_date = $as_of_date
        order by dimension, display_order
        """
    ).dicts()


def revenue_months(day: Day) -> list[dict[str, Any]]:
    """Revenue by month, oldest first."""
    return day.table("select * from marts.revenue_monthly where as_of_date = $as_of_date order by month").dicts()


def revenue_days(day: Day) -> list[dict[str, Any]]:
    """Revenue by the day that it is for, the newest first."""
    return day.table(
        "select * from marts.revenue_by_day where as_of_date = $as_of_date order by posted_on desc nulls last"
    ).dicts()


def payments(day: Day) -> list[dict[str, Any]]:
    """Rows that count, by the day that they are for, the newest first."""
    return day.table(
        """
        select *, total_installs as installs from marts.template_revenue
        where as_of_date = $as_of_date and is_counted
        order by posted_on desc nulls last, received desc nulls last, sheet_row
        """
    ).dicts()


def revenue_total(day: Day) -> dict[str, Any]:
    """What all days come to."""
    (total,) = day.table(
        """
        select
            sum(received) as received, sum(outstanding) as outstanding, cast(sum(installs) as bigint) as installs,
            sum(received) / nullif(sum(installs), 0) as revenue_per_install
        from marts.revenue_by_day
        where as_of_date = $as_of_date
        """
    ).dicts()
    return total


def revenue_installs(day: Day) -> dict[str, Any] | None:
    """What installs are worth; None without a readable row."""
    rows = day.table("select * from marts.revenue_installs where as_of_date = $as_of_date").dicts()
    return rows[0] if rows else None
