{#
  Fails on videos that are called new although a feed of any market had shown them before, or whose decision another
  market tells otherwise.
#}
{% test new_has_no_past(model, readings) %}
    with

    told as (

        select
            as_of_date,
            market,
            video_id,
            observed_at,
            status,
            action_window,
            classic_action_window,
            min(status) over video as lowest_status,
            min(action_window) over video as lowest_window,
            min(classic_action_window) over video as lowest_classic
        from {{ model }}
        where {{ of_batch(ref('int_as_of')) }}
        window video as (partition by as_of_date, video_id)

    )

    select
        told.as_of_date,
        told.market,
        told.video_id
    from told
    where
        told.status <> told.lowest_status
        or told.action_window <> told.lowest_window
        or told.classic_action_window <> told.lowest_classic
        or (
            told.status = '🆕 NEW'
            and exists (
                select 1
                from {{ readings }} as earlier
                where
                    earlier.video_id = told.video_id
                    and earlier.observed_at < told.observed_at - interval {{ (var('minimum_gap_hours') * 60) | int }} minute
                    and earlier.reading_date > told.as_of_date - {{ var('history_days') }}
                    and earlier.reading_date >= {{ window_start(ref('int_as_of'), var('history_days')) }}
            )
        )
{% endtest %}
