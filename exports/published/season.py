"""Seasonal events that are near, and their spans."""

from __future__ import annotations

from typing import Any

from exports.published.day import Day


def seasonal(day: Day) -> list[dict[str, Any]]:
    """Seasonal events whose time it is, one row per event and phase, nearest first; markets are joined in a text."""
    return day.table(
        """
        with told as (
            -- What is over is nothing to be alerted to.
            select * replace (
                case when event_end_date < as_of_date and phase = 'ALERTS' then 'ON RADAR' else phase end as phase
            )
            from marts.seasonal_alerts
            where as_of_date = $as_of_date and is_newest
        )
        select
            phase, emoji, name, event_date, days_until, tone,
            string_agg(market, ' + ' order by market desc) as markets,
            string_agg(distinct rung, ', ') as rungs,
            any_value(window_text) as window_text,
            any_value(template_ideas) as template_ideas,
            max(keyword_lift) as keyword_lift,
            bool_and(event_end_date < as_of_date) as is_over
        from told
        group by phase, emoji, name, event_date, days_until, tone
        order by days_until, event_date, name
        """
    ).dicts()


def seasonal_spans(day: Day) -> list[dict[str, Any]]:
    """Seasonal events and open content windows with their first and last day, soonest first; markets are joined."""
    return day.table(
        """
        with spans as (
            select
                'event' as kind, name, emoji, tone, market, event_date, template_ideas, window_text, is_approximate,
                event_start_date as starts_on, event_end_date as ends_on
            from marts.seasonal_alerts
            where as_of_date = $as_of_date and is_newest
            union all
            select
                'window', name, emoji, tone, market, starts_on, template_ideas,
                'open for ' || days_left || ' more days', false, starts_on, ends_on
            from marts.seasonal_windows
            where as_of_date = $as_of_date
        )
        select
            kind, name, emoji, tone, event_date, starts_on, ends_on, is_approximate,
            string_agg(market, ' + ' order by market desc) as markets,
            min(window_text) as window_text,
            min(template_ideas) as template_ideas
        from spans
        group by kind, name, emoji, tone, event_date, starts_on, ends_on, is_approximate
        order by kind, event_date < $as_of_date, event_date, name
        """
    ).dicts()
