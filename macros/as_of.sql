{#
  The as-of batch: the dates a run builds, in ref('int_as_of') as (as_of_date, cutoff_at).
  The variable `as_of_dates` lists them (ISO text); a plain `dbt build` takes the latest date that has a cut-off.
#}

{# Dates (ISO text) as the inside of an SQL list. #}
{% macro date_literals(dates) -%}
    {%- for date in dates -%}date '{{ date }}'{{ ', ' if not loop.last }}{%- endfor -%}
{%- endmacro %}

{# Incremental strategy `as_of`: a run replaces exactly the partitions of its batch, also those that came out empty. #}
{% macro get_incremental_as_of_sql(arg_dict) -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ arg_dict['target_relation'] }}
    where as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch);

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
    {%- if arg_dict['target_relation'].database == 'trends' -%}
    ;

    {{ note_mart_rows(arg_dict['target_relation'], ref('int_as_of'), window_start(0)) }}
    {%- endif -%}
{%- endmacro %}

{# Incremental strategy `replace_keys`: all rows of the keys that the run recomputed give way to the new ones. #}
{% macro get_incremental_replace_keys_sql(arg_dict) -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set keys = arg_dict['unique_key'] -%}
    delete from {{ arg_dict['target_relation'] }} as stored
    where exists (
        select 1 from {{ arg_dict['temp_relation'] }} as computed
        where {% for key in keys %}computed.{{ key }} = stored.{{ key }}{% if not loop.last %} and {% endif %}{% endfor %}
    );

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{%- endmacro %}

{# First date a trailing window of the batch may look at: a literal where the batch is known, so that scans are pruned. #}
{% macro window_start(days) -%}
    {%- set dates = var('as_of_dates', []) -%}
    {%- if dates -%}
        (date '{{ dates | min }}' - {{ days }})
    {%- else -%}
        (select min(batch.as_of_date) - {{ days }} from {{ ref('int_as_of') }} as batch)
    {%- endif -%}
{%- endmacro %}

{# Incremental strategy `poll_dates`: a run replaces the dates whose polls it reads, in ref('int_polls'). #}
{% macro get_incremental_poll_dates_sql(arg_dict) -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ arg_dict['target_relation'] }}
    where as_of_date in (select polls.as_of_date from {{ ref('int_polls') }} as polls where polls.is_in_batch);

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{%- endmacro %}

{#
  Condition on a column of load ids: rows that came or changed with the last landing that brought items. For what was
  checked when it came: a check of all rows takes longer with each day of history.
#}
{% macro of_last_landing(column) -%}
    {{ column }} >= (
        select coalesce(min(loads.load_id), 0)
        from {{ source('raw', 'loads') }} as loads
        where
            loads.item_count > 0
            and loads.landed_at = (
                select max(last.landed_at) from {{ source('raw', 'loads') }} as last
                where last.item_count > 0
            )
    )
{%- endmacro %}
