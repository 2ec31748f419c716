{#- The linter cannot place the condition that the incremental run adds.
-- sqlfluff:exclude_rules:LT02
-#}
{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key=['video_id']
) }}

{#-
    What stays of a video: who made it and what it carries, as its earliest sighting over all markets says. A later
    edit of the caption changes nothing, so a date sees the same however much later data is there.
-#}

with

staged as (

    select * from {{ ref('stg_tiktok__videos') }}
    {% if is_incremental() %}
    where load_id > (select coalesce(max(last_load_id), 0) from {{ this }})
    {% endif %}

),

sightings as (

    select
        staged.*,
        row_number() over (
            partition by staged.video_id
            order by staged.observed_at, staged.market, staged.load_id
        ) as place
    from staged

)

select
    sightings.video_id,
    sightings.observed_at as first_seen_at,
    sightings.observed_date as first_seen_date,
    sightings.market as first_market,
    coalesce(sightings.posted_at, sightings.observed_at) as posted_at,
    sightings.posted_at is null as age_is_lower_bound,
    sightings.author_handle,
    sightings.template_id,
    sightings.music_id,
    sightings.is_music_original,
    sightings.effects,
    sightings.hashtags,
    {{ carried_trend_keys(
        'sightings.template_id', 'sightings.music_id', 'sightings.effects', 'sightings.hashtags'
    ) }} as carried_keys,
    sightings.load_id as last_load_id
from sightings
{% if is_incremental() %}
left join {{ this }} as known
    on sightings.video_id = known.video_id
{% endif %}
where
    sightings.place = 1
    {% if is_incremental() %}
    and (
        known.video_id is null
        or sightings.observed_at < known.first_seen_at
        or (sightings.observed_at = known.first_seen_at and sightings.market < known.first_market)
    )
    {% endif %}
