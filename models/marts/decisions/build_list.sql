{#-
    What to build, in order: the only place where that is decided. Everything that tells people what to do reads it.
-#}

{%- set mode = var('decision_mode') %}
{%- set horizon = var('decision_horizon_hours') | int %}

with

candidates as (

    select * from {{ ref('int_build_candidates') }}
    where place <= {{ var('build_list_rows') }}

),

{{ named_sounds(ref('sounds_daily'), ref('int_as_of')) }},

yours as (

    select * from {{ ref('int_party_trends') }}
    where party = 'YOU'

),

markets as (

    select * from {{ ref('markets') }}

),

described as (

    select
        candidates.*,
        ln((candidates.gain_48h_p90 + 1) / (candidates.gain_48h_p10 + 1)) as log_range,
        {{ local_time('candidates.publish_by', 'markets.timezone') }} as publish_by_local,
        extract(hour from {{ local_time('candidates.cutoff_at', 'markets.timezone') }}) as local_hour,
        markets.timezone,
        named_sounds.sound_name,
        named_sounds.artist,
        yours.trend_key is not null as previously_built,
        yours.best_url as previously_built_url
    from candidates
    inner join markets on candidates.market = markets.market
    left join named_sounds
        on
            candidates.as_of_date = named_sounds.as_of_date
            and candidates.music_id = named_sounds.sound_id
    left join yours
        on
            candidates.as_of_date = yours.as_of_date
            and candidates.trend_key = yours.trend_key

)

select
    as_of_date,
    place,
    video_id,
    market_label,
    case
        when not fits_into_day then '⚪ NEXT'
        when action_window = '🔴 ACT NOW' then '🔴 BUILD_IMMEDIATELY'
        else '🟠 BUILD_TODAY'
    end as build_priority,
    variants,
    publish_by,
    round(gain_48h_p10) as gain_48h_p10,
    round(gain_48h_p50) as gain_48h_p50,
    round(gain_48h_p90) as gain_48h_p90,
    -- By how far apart the ends of the range are, and by the readings behind them.
    case
        when log_range <= ln(4) and reading_count >= 3 then 'HIGH'
        when log_range <= ln(12) and reading_count >= 2 then 'MEDIUM'
        else 'LOW'
    end as confidence,
    {% if mode == 'measured' -%}
    -- Not the gain, which stands beside it everywhere.
    {{ short_number('coalesce(live_views_per_hour, views_per_hour)') }}
    || case when live_views_per_hour is null then ' views/h over its life, ' else ' views/h now, ' end
    || case
        when age_hours is null or (age_is_lower_bound and age_hours < 1) then 'age unknown, '
        else
            case when age_is_lower_bound then '≥ ' else '' end
            || cast(cast(round(age_hours) as bigint) as string) || ' h old, '
    end
    || 'window ' || cast(cast(round(window_left_hours) as bigint) as string) || ' h'
    {%- else -%}
    'momentum ' || {{ short_number('momentum_score') }} || ', velocity '
    || coalesce({{ short_number('velocity') }} || ' a day', 'not known') || ', age '
    || cast(round(age_hours) as bigint) || ' h'
    {%- endif %}
    -- A mark, no merit: the order is that of the gain.
    || coalesce(', ⭐ followed (' || followed_by || ')', '') as because,
    would_change_if,
    trend_key,
    {{ trend_name('trend_key', 'sound_name', 'artist', 'caption', 'author_handle', 'video_id') }} as trend_name,
    {{ trend_url('trend_key', 'video_url') }} as trend_url,
    'https://www.capcut.com/template-detail/' || template_id as template_url,
    'https://www.tiktok.com/music/sound-' || music_id as sound_url,
    video_url,
    seasonal_event,
    previously_built,
    previously_built_url,
    case
        when status = '📉 COOLING' or trajectory = '↘️ DECLINING'
            then
                'slows down (' || status || ', ' || coalesce(trajectory, 'trajectory not known') || '), but +'
                || {{ short_number('gain_48h_p10') }} || ' views at least are still to come in 9 of 10 cases'
    end as despite,
    '{{ mode }}' as decision_mode,
    market,
    timezone,
    publish_by_local,
    case
        when local_hour between {{ var('prime_from_hour') }} and {{ var('prime_to_hour') }} then '🟢 PRIME'
        else 'OFF_PEAK'
    end as time_zone_label,
    cast(hours_so_far as double) as hours_so_far,
    caption,
    author_handle,
    ai_category,
    status,
    action_window,
    trajectory,
    classic_action_window,
    stop_reason,
    window_left_hours,
    age_hours,
    age_is_lower_bound,
    momentum_score,
    velocity,
    shares_per_hour,
    opportunity_score,
    gain_24h_p10,
    gain_24h_p50,
    gain_24h_p90,
    reading_count,
    made_at,
    cutoff_at,
    followed_by,
    cover_url
from described
