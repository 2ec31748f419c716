{#
  Fails on dates of the batch on which a mart has not the rows that `parent` asks for: `rows` of them for each row of
  the parent under `condition` (where it is called `parent`), or without `rows` at least one where there is such a row.
#}
{% test complete(model, parent, condition='true', rows=none) %}
    with

    batch as (

        select as_of_date from {{ ref('int_as_of') }}

    ),

    asked as (

        select
            parent.as_of_date,
            count(*) as row_count
        from {{ parent }} as parent
        where
            parent.as_of_date in (select batch.as_of_date from batch)
            and ({{ condition }})
        group by parent.as_of_date

    ),

    found as (

        select
            as_of_date,
            count(*) as row_count
        from {{ model }}
        where as_of_date in (select batch.as_of_date from batch)
        group by as_of_date

    )

    select
        batch.as_of_date,
        '{{ model.identifier }} has ' || coalesce(found.row_count, 0) || ' rows, '
        {%- if rows is none %}
        || coalesce(asked.row_count, 0) || ' rows of {{ parent.identifier }} ask for some' as message
        {%- else %}
        || {{ rows }} * coalesce(asked.row_count, 0) || ' are to be made of {{ parent.identifier }}' as message
        {%- endif %}
    from batch
    left join asked
        on batch.as_of_date = asked.as_of_date
    left join found
        on batch.as_of_date = found.as_of_date
    where
        {%- if rows is none %}
        asked.row_count > 0
        and found.row_count is null
        {%- else %}
        coalesce(found.row_count, 0) <> {{ rows }} * coalesce(asked.row_count, 0)
        {%- endif %}
{% endtest %}
