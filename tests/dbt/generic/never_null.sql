{# Fails on rows in which one of the columns is null. One scan for all columns: a test per column costs a query each. #}
{% test never_null(model, columns, batch_only=false) %}
    select {{ columns | join(', ') }}
    from {{ model }}
    where ({% for column in columns %}{{ column }} is null{% if not loop.last %} or {% endif %}{% endfor %})
    {% if batch_only %}and {{ of_batch(ref('int_as_of')) }}{% endif %}
{% endtest %}
