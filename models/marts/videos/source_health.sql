{#- One row per date, market and kind that is configured, also where nothing came: silence is a finding. -#}

{#- What a landing noted, in the words of this version and of earlier ones. -#}
{%- set rejected_for = regex_capture('rejection', 'items (?:rejected|quarantined): (.*)$') %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

markets as (

    select * from {{ ref('markets') }}

),

loads as (

    select
        *,
        cast(observed_at as date) as observed_date
    from {{ source('raw', 'loads') }}

),

presence as (

    select * from {{ ref('int_feed_presence') }}

),

expected as (

    select
        batch.as_of_date,
        batch.cutoff_at,
        markets.market,
        markets.display_order,
        kinds.kind
    from batch
    cross join markets
    cross join (values ('videos'), ('music')) as kinds (kind)

),

fed as (

    select
        expected.as_of_date,
        expected.cutoff_at,
        expected.market,
        expected.kind,
        min(expected.display_order) as market_order,
        {{ joined_distinct('loads.run_id') }} as run_ids,
        {{ joined_distinct('loads.dataset_id') }} as dataset_ids,
        {{ value_at_max('loads.source', 'loads.observed_at') }} as source,
        count(*) filter (where loads.status in ('landed', 'repeat', 'empty')) as feeds,
        count(*) filter (where loads.status = 'repeat') as repeated_feeds,
        count(*) filter (where loads.status = 'unreadable') as unreadable_files,
        {{ value_at_max('loads.reason', 'loads.load_id', "loads.status = 'missing'") }} as failure,
        {{ value_at_max('loads.reason', 'loads.load_id', "loads.status = 'unreadable'") }} as unreadable_reason,
        {{ value_at_max(
            'loads.reason', 'loads.load_id', "loads.quarantined_count > 0 and loads.status <> 'unreadable'"
        ) }} as rejection,
        coalesce(sum(loads.quarantined_count) filter (where loads.status <> 'unreadable'), 0) as rejected_items,
        coalesce(sum(loads.item_count), 0) as items,
        coalesce(sum(loads.quarantined_count), 0) as quarantined_items,
        max(loads.observed_at) filter (where loads.status in ('landed', 'repeat')) as last_observed_at
    from expected
    left join loads
        on
            expected.market = loads.market
            and expected.kind = loads.kind
            and expected.as_of_date = loads.observed_date
            and expected.cutoff_at >= loads.observed_at
    group by expected.as_of_date, expected.cutoff_at, expected.market, expected.kind

),

seen as (

    select
        as_of_date,
        market,
        'videos' as kind,
        count(*) as distinct_videos
    from presence
    group by as_of_date, market

),

fresh as (

    select
        as_of_date,
        market,
        'videos' as kind,
        count(*) filter (where not is_stale) as fresh_readings
    from {{ ref('int_videos_as_of') }}
    group by as_of_date, market

),

judged as (

    select
        fed.*,
        coalesce(seen.distinct_videos, 0) as distinct_videos,
        coalesce(fresh.fresh_readings, 0) as fresh_readings,
        fed.items = 0 as is_missing,
        fed.items > 0 and (
            fed.feeds = fed.repeated_feeds
            or (fed.kind = 'videos' and coalesce(fresh.fresh_readings, 0) = 0)
        ) as is_stale
    from fed
    left join seen
        on
            fed.as_of_date = seen.as_of_date
            and fed.market = seen.market
            and fed.kind = seen.kind
    left join fresh
        on
            fed.as_of_date = fresh.as_of_date
            and fed.market = fresh.market
            and fed.kind = fresh.kind

)

select
    as_of_date,
    market,
    kind,
    source,
    feeds,
    repeated_feeds,
    unreadable_files,
    cast(items as bigint) as items,
    cast(quarantined_items as bigint) as quarantined_items,
    distinct_videos,
    fresh_readings,
    last_observed_at,
    {{ hours_between('last_observed_at', 'cutoff_at') }} as age_hours,
    is_missing,
    is_stale,
    market_order,
    run_ids,
    dataset_ids,
    case
        when is_missing and failure is not null then failure
        -- What came and could not be used is no silence.
        when is_missing and rejected_items > 0
            then
                cast(rejected_items as bigint) || ' of ' || cast(rejected_items as bigint) || ' items rejected: '
                || coalesce({{ rejected_for }}, rejection, 'see raw.quarantine')
        when is_missing and unreadable_files > 0 then 'the feed could not be read: ' || unreadable_reason
        when is_missing and kind = 'music' then 'no music feed: sounds are taken from the video feeds'
        when is_missing then 'no feed this day: the market is missing'
        when is_stale then 'every feed repeats data that was known before: nothing new was observed'
        when unreadable_files > 0 then unreadable_files || ' files could not be read'
        when rejected_items > 0 and rejection is not null
            then
                cast(rejected_items as bigint) || ' of ' || cast(items + rejected_items as bigint)
                || ' items rejected: '
                || coalesce({{ rejected_for }}, rejection)
        when quarantined_items > 0 then quarantined_items || ' items are in quarantine'
        else 'ok'
    end as message
from judged
