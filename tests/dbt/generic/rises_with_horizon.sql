{# Fails on forecasts that a longer horizon or another market tells lower: plays never fall, and are one number. #}
{% test rises_with_horizon(model) %}
    with

    stepped as (

        select
            *,
            {%- for name in ['p10', 'p50', 'p90'] %}
            lag({{ name }}) over horizons as shorter_{{ name }},
            min({{ name }}) over markets as lowest_{{ name }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ model }}
        where {{ of_batch(ref('int_as_of')) }}
        window
            horizons as (partition by as_of_date, market, video_id order by horizon_hours),
            markets as (partition by as_of_date, video_id, horizon_hours)

    )

    select
        as_of_date,
        market,
        video_id,
        horizon_hours
    from stepped
    where
        {% for name in ['p10', 'p50', 'p90'] -%}
        {{ name }} < shorter_{{ name }} or {{ name }} > lowest_{{ name }}{{ ' or ' if not loop.last }}
        {%- endfor %}
{% endtest %}
