{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key=['video_id']
) }}

{#-
    Which events' keywords a video's caption and hashtags hold, whatever the date. Once per video, on first sight;
    anew for all of them after the keywords were edited.
-#}

{% set keywords = seasonal_keywords(ref('seasonal_events')) %}
{% set all_terms = [] %}
{% for terms in keywords.values() %}{% do all_terms.extend(terms) %}{% endfor %}
{% set rules = rules_fingerprint(keywords ~ keyword_pattern(all_terms)) %}
{% set same_rules = has_same_rules(this, rules) %}

with

staged as (

    select
        load_id,
        video_id,
        caption,
        hashtags
    from {{ ref('stg_tiktok__videos') }}
    {% if same_rules %}
    where load_id > (select coalesce(max(load_id), 0) from {{ this }})
    {% endif %}

),

sightings as (

    select
        staged.*,
        row_number() over (partition by staged.video_id order by staged.load_id) as place
    from staged
    {% if same_rules %}
    where not exists (select 1 from {{ this }} as known where known.video_id = staged.video_id)
    {% endif %}

),

texts as (

    select
        video_id,
        load_id,
        lower(coalesce(caption, '') || ' #' || {{ joined_list('hashtags', ' #') }}) as lower_text
    from sightings
    where place = 1

),

screened as (

    -- One pass for most captions; the events are told apart on what is left.
    select
        *,
        {{ matches_pattern('lower_text', keyword_pattern(all_terms)) }} as has_keyword
    from texts

)

select
    video_id,
    case
        when has_keyword
            then
                '|' || concat_ws(
                    '|'
                    {%- for key, terms in keywords.items() %},
                    case when {{ matches_pattern('lower_text', keyword_pattern(terms)) }} then '{{ key }}' end
                    {%- endfor %}
                ) || '|'
    end as event_keys,
    load_id,
    '{{ rules }}' as rules
from screened
