{# Fails on dates whose trailing days held bursts enough to be heard (`alert_score_minimum`), and no message told of any. #}
{% test alerts_hear_bursts(model) %}
    select
        as_of_date,
        bursts || ' bursts in ' || polled_days || ' polled days and no alert: ' || missed_not_watched || ' not watched, '
        || missed_below_z || ' below z, ' || missed_budget || ' over budget, ' || missed_cooldown || ' in cooldown, '
        || missed_no_new_reading || ' without a new reading' as message
    from {{ model }}
    where
        market = 'ALL'
        and bursts >= {{ var('alert_score_minimum') }}
        and found = 0
        and as_of_date in (select polls.as_of_date from {{ ref('int_polls') }} as polls where polls.is_in_batch)
{% endtest %}
