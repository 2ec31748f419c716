{#-
    Trends that a competitor posted on within the week, and what became of them on your side: MISSED_BY_YOU, BOTH_CAUGHT
    (they were first, or both at once) or BEAT_THEM. A gap is about a trend key that several videos share: two accounts
    can't own one video.
-#}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

trends as (

    select * from {{ ref('int_party_trends') }}

),

theirs as (

    select * from trends
    where
        role = 'competitor'
        and not is_total
        and posts_7d > 0

),

yours as (

    select * from trends
    where party = 'YOU'

),

last_looks as (

    -- How long a gap has been open ends with the day's last look: the cut-off of a backfill is the day's end.
    select
        as_of_date,
        max(last_seen_at) as last_look_at
    from {{ ref('videos_daily') }}
    where as_of_date in (select in_batch.as_of_date from batch as in_batch)
    group by as_of_date

),

{{ rates_of_the_day(ref('revenue_rates')) }},

compared as (

    select
        theirs.*,
        yours.first_posted_at as your_first_post_at,
        yours.best_momentum as your_momentum,
        yours.best_url as your_url,
        last_looks.last_look_at,
        case
            when yours.trend_key is null then 'MISSED_BY_YOU'
            when yours.first_posted_at < theirs.first_posted_at then 'BEAT_THEM'
            else 'BOTH_CAUGHT'
        end as gap_type
    from theirs
    inner join last_looks
        on theirs.as_of_date = last_looks.as_of_date
    left join yours
        on
            theirs.as_of_date = yours.as_of_date
            and theirs.trend_key = yours.trend_key

)

select
    compared.as_of_date,
    compared.party as account,
    compared.trend_key,
    compared.trend_key_type,
    compared.first_market as market,
    compared.first_caption as trend,
    compared.best_momentum as competitor_momentum,
    compared.your_momentum,
    compared.best_shares_per_hour as competitor_shares_per_hour,
    compared.posts as competitor_posts,
    compared.first_posted_at as competitor_first_post_at,
    compared.your_first_post_at,
    compared.gap_type,
    {{ hours_between('compared.first_posted_at', 'coalesce(compared.your_first_post_at, compared.last_look_at)') }}
        as hours_behind,
    {%- for quantile in ['p10', 'p50', 'p90'] %}
    {%- set value = 'compared.best_plays / 1000.0 * ' ~ revenue_per_1000_views(quantile) %}
    case
        when compared.gap_type = 'MISSED_BY_YOU'
            then
                round(
                    {{ at_most(value, 'cast(rates.cap as double)') }}, 2
                )
    end as missed_revenue_{{ quantile }},
    {%- endfor %}
    compared.best_ai_category as ai_category,
    compared.best_video_id as video_id,
    compared.best_url as url,
    compared.your_url
from compared
left join rates
    on compared.as_of_date = rates.as_of_date
