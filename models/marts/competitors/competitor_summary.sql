{#- What the sections come to, per account and side; a figure that rests on too few is null, its number is not. -#}

-- The incremental strategy reads the batch.
-- depends_on: {{ ref('int_as_of') }}
with

parties as (

    select * from {{ ref('int_parties') }}

),

posts as (

    select
        as_of_date,
        party,
        count(*) as posts,
        count(*) filter (where is_on_trend) as posts_on_trends,
        count(distinct case when is_on_trend then trend_key end) as trend_keys,
        count(*) filter (where ai_category = 'AI') as ai_posts,
        cast(sum(coalesce(plays, 0)) as bigint) as plays
    from {{ ref('int_party_posts') }}
    where is_in_week
    group by as_of_date, party

),

responses as (

    select
        as_of_date,
        account as party,
        count(response_hours) as responses,
        count(*) filter (where response_hours < 0) as led,
        {{ quantile('response_hours', 0.25) }} as response_p25_hours,
        {{ quantile('response_hours', 0.5) }} as response_p50_hours,
        {{ quantile('response_hours', 0.75) }} as response_p75_hours
    from {{ ref('competitor_responses') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), 0) }}
    group by as_of_date, account

)

select
    parties.as_of_date,
    parties.party as account,
    parties.is_total,
    parties.role,
    parties.home_market,
    coalesce(posts.posts, 0) as posts,
    round(coalesce(posts.posts, 0) / 7.0, 9) as posts_per_day,
    coalesce(posts.plays, 0) as plays,
    coalesce(posts.ai_posts, 0) as ai_posts,
    coalesce(posts.posts_on_trends, 0) as posts_on_trends,
    coalesce(posts.trend_keys, 0) as trend_keys,
    {{ if_enough('cast(posts.posts_on_trends as double) / nullif(posts.trend_keys, 0)', 'posts.posts_on_trends') }}
        as posts_per_trend,
    coalesce(responses.responses, 0) as responses,
    coalesce(responses.led, 0) as led,
    {{ if_enough('responses.response_p25_hours', 'responses.responses') }} as response_p25_hours,
    {{ if_enough('responses.response_p50_hours', 'responses.responses') }} as response_p50_hours,
    {{ if_enough('responses.response_p75_hours', 'responses.responses') }} as response_p75_hours
from parties
left join posts
    on
        parties.as_of_date = posts.as_of_date
        and parties.party = posts.party
left join responses
    on
        parties.as_of_date = responses.as_of_date
        and parties.party = responses.party
