{#
  The as-of batch: the dates a run builds, in ref('int_as_of') as (as_of_date, cutoff_at).
  The variable `as_of_dates` lists them (ISO text); a plain `dbt build` takes the latest date that has a cut-off, and
  `dbt build --full-refresh` all of them.
#}

{# The dates that the command names (ISO text, in order), one or a list; empty where it names none. #}
{% macro as_of_dates() -%}
    {%- set given = var('as_of_dates', []) -%}
    {%- set dates = [given] if given is string or given is not iterable else given -%}
    {{ return(dates | map('string') | sort) }}
{%- endmacro %}

{# Dates (ISO text) as the inside of an SQL list. #}
{% macro date_literals(dates) -%}
    {%- for date in dates -%}date '{{ date }}'{{ ', ' if not loop.last }}{%- endfor -%}
{%- endmacro %}

{#
  A relation that the model being built names itself: what an incremental strategy reads beside the model's rows. Built
  from a macro's own ref, it would be a dependency that nobody sees.
#}
{% macro named_by_model(arg_dict, name) -%}
    {%- set node = arg_dict.get('node', model) -%}
    {%- for key in node['depends_on']['nodes'] if key.split('.')[-1] == name -%}
        {%- set parent = graph.nodes[key] -%}
        {{ return(api.Relation.create(
            database=parent['database'], schema=parent['schema'], identifier=parent['alias']
        )) }}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(
        node['name'] ~ " names no ref('" ~ name ~ "'), which says what its incremental strategy replaces"
    ) }}
{%- endmacro %}

{# Incremental strategy `as_of`: a run replaces exactly the partitions of its batch, also those that came out empty. #}
{% macro get_incremental_as_of_sql(arg_dict) -%}
    {%- set batch = named_by_model(arg_dict, 'int_as_of') -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ arg_dict['target_relation'] }}
    where as_of_date in (select batch.as_of_date from {{ batch }} as batch);

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
    {%- if arg_dict['target_relation'].database == 'trends' -%}
    ;

    {{ note_mart_rows(arg_dict['target_relation'], batch, window_start(batch, 0)) }}
    {%- endif -%}
{%- endmacro %}

{# Incremental strategy `poll_dates`: a run replaces the dates whose polls it reads, in ref('int_polls'). #}
{% macro get_incremental_poll_dates_sql(arg_dict) -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ arg_dict['target_relation'] }}
    where as_of_date in (
        select polls.as_of_date from {{ named_by_model(arg_dict, 'int_polls') }} as polls where polls.is_in_batch
    );

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
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

{#
  Called by dbt for a lasting model whose columns are other ones than those of its relation. Neither half of a relation
  with a new column nor rows without it are right, whatever `on_schema_change` says.
#}
{% macro duckdb__process_schema_changes(on_schema_change, source_relation, target_relation) -%}
    {%- set changes = check_for_schema_changes(source_relation, target_relation) -%}
    {%- if changes['schema_changed'] -%}
        {%- set new = changes['source_not_in_target'] | map(attribute='name') | join(', ') or 'none' -%}
        {%- set gone = changes['target_not_in_source'] | map(attribute='name') | join(', ') or 'none' -%}
        {%- set types = changes['new_target_types'] | map(attribute='column_name') | join(', ') or 'none' -%}
        {{ exceptions.raise_compiler_error(
            target_relation.identifier ~ ' in this home is of another version of the project (new columns: ' ~ new
            ~ '; gone: ' ~ gone ~ '; of other types: ' ~ types ~ '). Nothing was changed in it.'
            ~ ' Make all dates again: trends rebuild.'
        ) }}
    {%- endif -%}
    {{ return(changes['source_columns']) }}
{%- endmacro %}

{#
  First date a trailing window of the batch (a relation with `as_of_date`) may look at: a literal where the batch is
  known, so that scans are pruned. A full refresh makes all dates again: it begins with the first.
#}
{% macro window_start(batch, days) -%}
    {%- set dates = as_of_dates() -%}
    {%- if dates -%}
        (date '{{ dates | min }}' - {{ days }})
    {%- elif flags.FULL_REFRESH -%}
        (date '1970-01-01')
    {%- else -%}
        (select min(batch.as_of_date) - {{ days }} from {{ batch }} as batch)
    {%- endif -%}
{%- endmacro %}

{# Condition on rows of the dates just built; the bound beside it spares whoever has a view between the rest of a table. #}
{% macro of_batch(batch) -%}
    as_of_date >= {{ window_start(batch, 0) }}
    and as_of_date in (select batch.as_of_date from {{ batch }} as batch)
{%- endmacro %}

{#
  The first date that the polls of a batch read: an interval begins at most `poll_memory_hours` before its reading, the
  one before it as long before that, and whether a count was an old one shows within a day. Of less than that, the rows
  of a date would depend on the dates that it is built with.
#}
{% macro poll_window_start(batch) -%}
    {{ window_start(batch, ((2 * (var('poll_memory_hours') | int) / 24) | round(0, 'ceil') | int) + 1) }}
{%- endmacro %}

{#
  Condition on a column of load ids: rows that came or changed with the last of the loads (the raw table) that brought
  items. For what was checked when it came: a check of all rows takes longer with each day of history.
#}
{% macro of_last_landing(column, loads) -%}
    {{ column }} >= (
        select coalesce(min(loads.load_id), 0)
        from {{ loads }} as loads
        where
            loads.item_count > 0
            and loads.kind <> 'panel'
            and loads.landed_at = (
                select max(last.landed_at) from {{ loads }} as last
                where last.item_count > 0 and last.kind <> 'panel'
            )
    )
{%- endmacro %}
