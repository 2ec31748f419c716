{#-
    Section 9: you against each competitor, trend by trend: who was first, whose best post had more views at 48 hours,
    who skipped. A trend counts where one of the two posted on it within the week.
-#}

-- The incremental strategy reads the batch.
-- depends_on: {{ ref('int_as_of') }}
with

parties as (

    select * from {{ ref('int_parties') }}
    where role = 'competitor'

),

trends as (

    select * from {{ ref('int_party_trends') }}

),

yours as (

    select * from trends
    where party = 'YOU'

),

theirs as (

    select * from trends
    where role = 'competitor'

),

met as (

    select
        parties.as_of_date,
        parties.party,
        parties.is_total,
        met_trends.trend_key
    from parties
    inner join (
        select
            as_of_date,
            party,
            trend_key
        from trends
        where posts_7d > 0
    ) as met_trends
        on
            parties.as_of_date = met_trends.as_of_date
            and met_trends.party in (parties.party, 'YOU')
    group by parties.as_of_date, parties.party, parties.is_total, met_trends.trend_key

),

compared as (

    select
        met.as_of_date,
        met.party,
        met.is_total,
        met.trend_key,
        coalesce(yours.trend_key_type, theirs.trend_key_type) as trend_key_type,
        coalesce(theirs.first_market, yours.first_market) as market,
        coalesce(yours.posts, 0) as your_posts,
        coalesce(theirs.posts, 0) as their_posts,
        yours.first_posted_at as your_first_post_at,
        theirs.first_posted_at as their_first_post_at,
        {{ hours_between('yours.first_posted_at', 'theirs.first_posted_at') }} as hours_ahead,
        yours.best_views_48h as your_views_48h,
        theirs.best_views_48h as their_views_48h
    from met
    left join yours
        on
            met.as_of_date = yours.as_of_date
            and met.trend_key = yours.trend_key
    left join theirs
        on
            met.as_of_date = theirs.as_of_date
            and met.party = theirs.party
            and met.trend_key = theirs.trend_key

),

judged as (

    select
        *,
        case when your_posts = 0 then 'YOU' when their_posts = 0 then 'THEM' end as skipped_by,
        case when hours_ahead > 0 then 'YOU' when hours_ahead < 0 then 'THEM' when hours_ahead = 0 then 'TIE' end
            as first_by,
        case
            when your_views_48h > their_views_48h then 'YOU'
            when your_views_48h < their_views_48h then 'THEM'
            when your_views_48h = their_views_48h then 'TIE'
        end as larger_by
    from compared

)

select
    as_of_date,
    party as account,
    is_total,
    trend_key,
    trend_key_type,
    market,
    your_posts,
    their_posts,
    your_first_post_at,
    their_first_post_at,
    hours_ahead,
    first_by,
    your_views_48h,
    their_views_48h,
    larger_by,
    skipped_by,
    case
        when skipped_by = 'YOU' then 'SKIPPED BY YOU'
        when skipped_by = 'THEM' then 'SKIPPED BY THEM'
        when larger_by is null and first_by = 'YOU' then 'FIRST'
        when larger_by is null then 'SECOND'
        when first_by = 'YOU' and larger_by = 'YOU' then 'WIN'
        when first_by = 'THEM' and larger_by = 'THEM' then 'LOSS'
        else 'SPLIT'
    end as outcome
from judged
