{#
  Fails on rows for which one of the named statements is false (null counts as true: say `is not null` if meant).
  `batch_only` and `landed_by` as in unique_grain.
#}
{% test holds(model, statements, batch_only=false, landed_by=none) %}
    {% for name, statement in statements.items() %}
    select '{{ name | replace("'", "''") }}' as broken_statement, count(*) as row_count
    from {{ model }}
    where not ({{ statement }})
    {% if batch_only %}and {{ of_batch(ref('int_as_of')) }}{% endif %}
    {% if landed_by %}and {{ of_last_landing(landed_by, source('raw', 'loads')) }}{% endif %}
    having count(*) > 0
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
{% endtest %}
