{#
  CTEs that end in `sent` (step, video_id): the alerts that go out, poll by poll, of `candidates` and of what was sent
  before. A poll offers its candidates, the followed ones first, then by tier and extra views; a video is passed over
  while it cools down or was told of as much, and messages end with the budget of the poll and of the day.
  A watched video (tier 1) costs no message.

  DuckDB walks by a recursion that reads itself several times in a step. Spark's may be read once, and computes what it is
  joined with anew in each step (72 s for the 150 polls of the sample): there the polls are one list that is folded.
#}
{% macro walked_alerts() -%}
    {{ adapter.dispatch('walked_alerts', 'tiktok_trends')() }}
{%- endmacro %}

{% macro duckdb__walked_alerts() -%}
walk as (

    select
        0 as step,
        video_id,
        tier_rank,
        alerted_at,
        as_of_date,
        false as is_new
    from sent_before

    union all

    select
        0 as step,
        cast(null as string) as video_id,
        0 as tier_rank,
        cast(null as timestamp) as alerted_at,
        cast(null as date) as as_of_date,
        false as is_new

    union all

    (
        select
            step + 1 as step,
            video_id,
            tier_rank,
            alerted_at,
            as_of_date,
            false as is_new
        from walk
        where step < (select max(candidates.step) from candidates)

        union all

        select
            step,
            video_id,
            tier_rank,
            observed_at as alerted_at,
            as_of_date,
            true as is_new
        from (
            select
                candidates.*,
                -- Watching costs no message.
                row_number() over (
                    partition by candidates.tier_rank = 1
                    -- What is followed comes first within the budget.
                    order by
                        case when candidates.followed_by is null then 1 else 0 end,
                        candidates.tier_rank desc, candidates.extra_views desc, candidates.video_id asc
                ) as place_in_budget
            from candidates
            where
                candidates.step = (select max(walk.step) + 1 from walk)
                and not exists (
                    select 1 from walk
                    where
                        walk.video_id = candidates.video_id
                        and (
                            walk.tier_rank >= candidates.tier_rank
                            or (
                                walk.tier_rank > 1
                                and {{ hours_between('walk.alerted_at', 'candidates.observed_at') }}
                                < {{ var('alert_cooldown_hours') }}
                            )
                        )
                )
        ) as allowed
        where
            tier_rank = 1
            or (
                place_in_budget <= {{ var('alert_budget_poll') }}
                and place_in_budget <= {{ var('alert_budget_day') }} - (
                    select count(*) from walk
                    where walk.tier_rank > 1 and walk.as_of_date = allowed.as_of_date
                )
            )
    )

),

sent as (

    select * from walk
    where is_new

)
{%- endmacro %}

{% macro spark__walked_alerts() -%}
offers as (

    select
        step,
        min(as_of_date) as as_of_date,
        transform(
            array_sort(collect_list(struct(
                followed_by is null as is_not_followed,
                -tier_rank as falling_tier,
                extra_views is null as is_unknown,
                -extra_views as falling_views,
                video_id,
                tier_rank,
                observed_at as alerted_at,
                as_of_date
            ))),
            offer -> named_struct(
                'step', step, 'video_id', offer.video_id, 'tier_rank', offer.tier_rank, 'alerted_at', offer.alerted_at,
                'as_of_date', offer.as_of_date, 'is_new', true
            )
        ) as offered
    from candidates
    group by step

),

{%- set may_be_told -%}
    not exists(
        told,
        earlier -> earlier.video_id = offer.video_id
        and (
            earlier.tier_rank >= offer.tier_rank
            or (
                earlier.tier_rank > 1
                and {{ hours_between('earlier.alerted_at', 'offer.alerted_at') }} < {{ var('alert_cooldown_hours') }}
            )
        )
    )
{%- endset %}

told as (

    select
        aggregate(
            polls.in_order,
            before.told,
            (told, poll) -> concat(
                told,
                filter(poll.offered, offer -> offer.tier_rank = 1 and {{ may_be_told }}),
                slice(
                    filter(poll.offered, offer -> offer.tier_rank > 1 and {{ may_be_told }}),
                    1,
                    greatest(0, least(
                        {{ var('alert_budget_poll') }},
                        {{ var('alert_budget_day') }}
                        - size(filter(told, earlier -> earlier.tier_rank > 1 and earlier.as_of_date = poll.day))
                    ))
                )
            )
        ) as alerts
    from (
        select
            array_sort(collect_list(named_struct('step', step, 'day', as_of_date, 'offered', offered))) as in_order
        from offers
    ) as polls
    cross join (
        select
            collect_list(named_struct(
                'step', 0, 'video_id', video_id, 'tier_rank', tier_rank, 'alerted_at', alerted_at,
                'as_of_date', as_of_date, 'is_new', false
            )) as told
        from sent_before
    ) as before

),

sent as (

    select
        each.alert.step,
        each.alert.video_id
    from (select explode(told.alerts) as alert from told) as each
    where each.alert.is_new

)
{%- endmacro %}
