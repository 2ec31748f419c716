{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT09
-#}
{#-
    Which market a trend came from and when it reaches the others. A market's onset is the first day on which its feeds
    held the key from three creators. A trend that ran already when the 28 days began has no known onset and is left
    out; a market it did not reach yet is censored, and its arrival is expected from trends of the same type.
-#}

{%- set days = var('history_days') | int %}
{#- Days, while no lag was observed: a guess that the first ten lags outweigh. -#}
{%- set prior_lag_days = {
    'p25': var('cross_market_prior_lag_p25_days'),
    'p50': var('cross_market_prior_lag_p50_days'),
    'p75': var('cross_market_prior_lag_p75_days'),
} %}
{%- set lag_quantiles = {'p25': 0.25, 'p50': 0.5, 'p75': 0.75} %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

feeds as (

    select
        as_of_date as feed_date,
        market
    from {{ ref('source_health') }}
    where
        kind = 'videos'
        and not is_missing
        and not is_stale
        and as_of_date >= {{ window_start(ref('int_as_of'), days - 1) }}

),

stages as (

    select * from {{ ref('int_trend_stages') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), 0) }}

),

uses as (

    select * from {{ ref('int_trend_uses') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), 0) }}

),

watched as (

    select
        batch.as_of_date,
        feeds.market,
        min(feeds.feed_date) as first_feed_date,
        max(feeds.feed_date) as last_feed_date
    from batch
    inner join feeds
        on feeds.feed_date between batch.as_of_date - {{ days - 1 }} and batch.as_of_date
    group by batch.as_of_date, feeds.market

),

spread as (

    select
        stages.as_of_date,
        stages.trend_key,
        stages.trend_key_type,
        stages.market,
        stages.onset_date,
        stages.was_running,
        uses.creators
    from batch
    inner join stages
        on batch.as_of_date = stages.as_of_date
    left join uses
        on
            stages.as_of_date = uses.as_of_date
            and stages.market = uses.market
            and stages.trend_key = uses.trend_key
    -- One creator, or two on some day, are no onset anywhere.
    where stages.onset_date is not null or stages.was_running

),

ordered as (

    select
        *,
        max(case when was_running then 1 else 0 end) over (partition by as_of_date, trend_key) as ran_somewhere,
        row_number() over (
            partition by as_of_date, trend_key
            order by onset_date asc nulls last, market asc
        ) as place
    from spread

),

pairs as (

    select
        early.as_of_date,
        early.trend_key,
        early.trend_key_type,
        early.market as first_market,
        early.onset_date as first_onset_date,
        early.creators as first_creators,
        watched.market as other_market,
        late.onset_date as other_onset_date,
        late.creators as other_creators,
        {{ days_between('early.onset_date', 'late.onset_date') }} as lag_days,
        greatest(
            {{ days_between('early.onset_date', 'coalesce(late.onset_date, watched.last_feed_date + 1)') }} - 1, 0
        ) as days_without
    from ordered as early
    inner join watched
        on
            early.as_of_date = watched.as_of_date
            and early.market <> watched.market
    left join ordered as late
        on
            early.as_of_date = late.as_of_date
            and early.trend_key = late.trend_key
            and watched.market = late.market
    where
        early.place = 1
        and early.onset_date is not null
        and early.ran_somewhere = 0

),

lags_of_all as (

    select
        as_of_date,
        count(*) as lags
        {%- for name, fraction in lag_quantiles.items() %},
        {{ quantile('lag_days', fraction) }} as {{ name }}
        {%- endfor %}
    from pairs
    where lag_days >= 1
    group by as_of_date

),

lags_of_type as (

    select
        as_of_date,
        trend_key_type,
        count(*) as lags
        {%- for name, fraction in lag_quantiles.items() %},
        {{ quantile('lag_days', fraction) }} as {{ name }}
        {%- endfor %}
    from pairs
    where lag_days >= 1
    group by as_of_date, trend_key_type

),

expected_lags as (

    select
        types.as_of_date,
        types.trend_key_type,
        coalesce(lags_of_type.lags, 0) as observed_lags
        {%- for name, prior in prior_lag_days.items() %},
        {{ shrunk(
            'lags_of_type.' ~ name, shrunk('lags_of_all.' ~ name, prior, 'lags_of_all.lags'), 'lags_of_type.lags'
        ) }} as lag_{{ name }}
        {%- endfor %}
    from (select distinct pairs.as_of_date, pairs.trend_key_type from pairs) as types
    left join lags_of_all
        on types.as_of_date = lags_of_all.as_of_date
    left join lags_of_type
        on
            types.as_of_date = lags_of_type.as_of_date
            and types.trend_key_type = lags_of_type.trend_key_type

),

days_after as (

    {% for day in range(1, days + 7) -%}
    select {{ day }} as day_after{% if not loop.last %} union all{% endif %}
    {% endfor %}

),

arrivals as (

    -- How many trends had not reached the other market before a day after the first onset, and did on it.
    select
        pairs.as_of_date,
        pairs.trend_key_type,
        days_after.day_after,
        count(*) as waiting,
        sum(case when pairs.lag_days = days_after.day_after then 1 else 0 end) as arrived
    from pairs
    inner join days_after
        on
            days_after.day_after <= pairs.days_without
            or days_after.day_after = pairs.lag_days
    group by pairs.as_of_date, pairs.trend_key_type, days_after.day_after

),

arrivals_of_all as (

    select
        as_of_date,
        day_after,
        sum(waiting) as waiting,
        sum(arrived) as arrived
    from arrivals
    group by as_of_date, day_after

),

arrival_rates as (

    select
        expected_lags.as_of_date,
        expected_lags.trend_key_type,
        days_after.day_after,
        {{ shrunk(
            'arrivals.arrived / arrivals.waiting',
            shrunk(
                'arrivals_of_all.arrived / arrivals_of_all.waiting',
                var('cross_market_arrival_prior') ~ ' / days_after.day_after',
                'arrivals_of_all.waiting'
            ),
            'arrivals.waiting'
        ) }} as arrival_rate
    from expected_lags
    cross join days_after
    left join arrivals_of_all
        on
            expected_lags.as_of_date = arrivals_of_all.as_of_date
            and days_after.day_after = arrivals_of_all.day_after
    left join arrivals
        on
            expected_lags.as_of_date = arrivals.as_of_date
            and expected_lags.trend_key_type = arrivals.trend_key_type
            and days_after.day_after = arrivals.day_after

),

within_7d as (

    select
        since.as_of_date,
        since.trend_key_type,
        since.day_after as days_without,
        round(1 - exp(sum(ln(1 - least(coming.arrival_rate, 0.999)))), 4) as arrival_probability_7d
    from (
        select
            as_of_date,
            trend_key_type,
            day_after - 1 as day_after
        from arrival_rates
    ) as since
    inner join arrival_rates as coming
        on
            since.as_of_date = coming.as_of_date
            and since.trend_key_type = coming.trend_key_type
            and coming.day_after between since.day_after + 1 and since.day_after + 7
    group by since.as_of_date, since.trend_key_type, since.day_after

)

select
    pairs.as_of_date,
    pairs.trend_key,
    pairs.trend_key_type,
    pairs.first_market,
    pairs.other_market,
    pairs.first_onset_date,
    pairs.other_onset_date,
    cast(pairs.lag_days as integer) as lag_days,
    pairs.other_onset_date is null as is_censored,
    cast(pairs.days_without as integer) as days_without,
    case
        when pairs.lag_days >= 1 or (pairs.lag_days is null and pairs.days_without >= 1) then pairs.first_market
        when pairs.lag_days = 0 then 'simultaneous'
    end as leader,
    coalesce(pairs.first_creators, 0) as first_creators,
    coalesce(pairs.other_creators, 0) as other_creators,
    {% for name, column in {'p50': 'expected_arrival_date', 'p25': 'expected_arrival_p25_date',
        'p75': 'expected_arrival_p75_date'}.items() -%}
    -- Once the middle of the lags has gone by there is no date to tell: it is overdue.
    case
        when
            pairs.other_onset_date is null
            and pairs.first_onset_date + cast(round(expected_lags.lag_p50) as integer) >= pairs.as_of_date
            then pairs.first_onset_date + cast(round(expected_lags.lag_{{ name }}) as integer)
    end as {{ column }},
    {% endfor -%}
    case
        when pairs.other_onset_date is null
            then pairs.first_onset_date + cast(round(expected_lags.lag_p50) as integer) < pairs.as_of_date
    end as is_overdue,
    case when pairs.other_onset_date is null then within_7d.arrival_probability_7d end as arrival_probability_7d,
    expected_lags.lag_p50 as expected_lag_days,
    expected_lags.observed_lags
from pairs
inner join expected_lags
    on
        pairs.as_of_date = expected_lags.as_of_date
        and pairs.trend_key_type = expected_lags.trend_key_type
left join within_7d
    on
        pairs.as_of_date = within_7d.as_of_date
        and pairs.trend_key_type = within_7d.trend_key_type
        and pairs.days_without = within_7d.days_without
