{#
  Rows of each daily mart and date, noted beside the marts when they are written: so that a mart that lost its rows can
  be told from one that came out empty (warehouse/completeness.py).
#}

{% macro mart_rows_relation() -%}
    {{ return(api.Relation.create(database='trends', schema='meta', identifier='mart_rows')) }}
{%- endmacro %}

{# For a dbt that runs in a shell, on whatever home: the pipeline makes the same table. #}
{% macro ensure_mart_rows() -%}
    {{ adapter.dispatch('ensure_mart_rows', 'tiktok_trends')() }}
{%- endmacro %}

{% macro duckdb__ensure_mart_rows() -%}
    create schema if not exists trends.meta;
    create table if not exists {{ mart_rows_relation() }} (
        mart varchar not null, as_of_date date not null, row_count bigint not null
    )
{%- endmacro %}

{#
  Notes the rows of a mart for each date of a batch, also where there are none: part of the statements that write the
  mart, and of their transaction. The rows are counted in the mart itself: those that were to be written are counted by
  whoever runs the statements.
#}
{% macro note_mart_rows(mart, batch, first_date='', missing_only=false) -%}
    {%- if not missing_only -%}
    delete from {{ mart_rows_relation() }}
    where mart = '{{ mart.identifier }}' and as_of_date in (select batch.as_of_date from {{ batch }} as batch);

    {% endif -%}
    insert into {{ mart_rows_relation() }} (mart, as_of_date, row_count)
    select '{{ mart.identifier }}', batch.as_of_date, count(written.as_of_date)
    from {{ batch }} as batch
    left join (
        select written_rows.as_of_date from {{ mart }} as written_rows
        {%- if first_date %} where written_rows.as_of_date >= {{ first_date }}{% endif %}
    ) as written on batch.as_of_date = written.as_of_date
    {%- if missing_only %}
    where batch.as_of_date not in (
        select noted.as_of_date from {{ mart_rows_relation() }} as noted where noted.mart = '{{ mart.identifier }}'
    )
    {%- endif %}
    group by batch.as_of_date
{%- endmacro %}

{#
  At the end of a dbt run: marts that dbt made as a new table, which no incremental strategy wrote. Dates that such a
  table lost (--full-refresh builds those of the batch only) keep their notes, by which the loss is found.
#}
{% macro note_created_marts(results) -%}
    {{ adapter.dispatch('note_created_marts', 'tiktok_trends')(results) }}
{%- endmacro %}

{% macro duckdb__note_created_marts(results) -%}
    {%- if execute -%}
    {%- set found = namespace(batch=none, statements=[]) -%}
    {%- for result in results if result.node.name == 'int_as_of' -%}
        {%- set found.batch = api.Relation.create(
            database=result.node.database, schema=result.node.schema, identifier=result.node.alias
        ) -%}
    {%- endfor -%}
    {%- set batch = found.batch or api.Relation.create(
        database=target.database, schema='intermediate', identifier='int_as_of'
    ) -%}
    {%- for result in results if result.status == 'success' and result.node.resource_type == 'model'
        and result.node.config.materialized == 'incremental' and result.node.config.incremental_strategy == 'as_of'
        and result.node.database == 'trends' -%}
        {%- set mart = api.Relation.create(
            database=result.node.database, schema=result.node.schema, identifier=result.node.alias
        ) -%}
        {%- do found.statements.append(note_mart_rows(mart, batch, missing_only=not flags.FULL_REFRESH)) -%}
    {%- endfor -%}
    {{ found.statements | join(';\n\n') }}
    {%- endif -%}
{%- endmacro %}
