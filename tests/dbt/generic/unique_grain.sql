{#
  Fails on rows that share the columns that name the model's grain. `batch_only` looks at the dates just built,
  `polls_only` at those whose polls were, `landed_by` (a column of load ids) at what the last landing brought.
#}
{% test unique_grain(model, columns, batch_only=false, polls_only=false, landed_by=none) %}
    select {{ columns | join(', ') }}, count(*) as row_count
    from {{ model }}
    {% if batch_only %}where {{ of_batch(ref('int_as_of')) }}{% endif %}
    {% if polls_only %}
    where as_of_date in (select polls.as_of_date from {{ ref('int_polls') }} as polls where polls.is_in_batch)
    {% endif %}
    {% if landed_by %}where {{ of_last_landing(landed_by, source('raw', 'loads')) }}{% endif %}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}
