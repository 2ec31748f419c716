{#
  What dbt asks of Spark for this project: how the SQL of a model, test or seed becomes a statement, and the project's
  incremental strategies on plain Parquet tables, partitioned by as-of date.
#}

{#
  The models' SQL as Spark reads it. A number with a point is a double, as the quotients are that DuckDB makes of it: left
  alone it is a decimal, and so is what comes of it. Names in quotation marks get Spark's, for dbt-spark takes ANSI off,
  without which they would be texts. A backslash in a text stands for itself.
#}
{% macro spark_sql(sql) -%}
    {%- set parts = [] -%}
    {%- for part in modules.re.findall("'(?:[^']|'')*'|--[^\n]*|\"[^\"]*\"|[^'\"-]+|-", sql) -%}
        {%- if part.startswith("'") -%}
            {%- do parts.append(part | replace('\\', '\\\\')) -%}
        {%- elif part.startswith('"') -%}
            {%- do parts.append('`' ~ part[1:-1] ~ '`') -%}
        {%- elif not part.startswith('--') -%}
            {%- do parts.append(modules.re.sub('(?<![A-Za-z0-9_.])([0-9]+[.][0-9]+(?:[eE][+-]?[0-9]+)?)(?![A-Za-z0-9_.])', '\\1D', part)) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(parts | join) }}
{%- endmacro %}

{# A type of the contracts and seeds as Spark calls it. #}
{% macro spark_type(name) -%}
    {%- set name = name | lower -%}
    {%- if name.endswith('[]') -%}{{ return('array<' ~ spark_type(name[:-2]) ~ '>') }}{%- endif -%}
    {{ return({'varchar': 'string', 'text': 'string', 'timestamp': 'timestamp_ntz', 'hugeint': 'decimal(38, 0)'}.get(name, name)) }}
{%- endmacro %}

{% macro spark__create_table_as(temporary, relation, compiled_code, language='sql') -%}
    {%- if language == 'python' -%}
        {#- engine/on_spark/python_models.py runs it, and writes what it gives. On a line of its own: what is before it would indent it. -#}
        {{ '\n' ~ compiled_code ~ '\nRELATION = "' ~ relation ~ '"\n' }}
    {%- elif temporary -%}
        {{ create_temporary_view(relation, spark_sql(compiled_code)) }}
    {%- else -%}
        create table {{ relation }}
        {{ file_format_clause() }}
        {{ partition_cols(label='partitioned by') }}
        as
        {{ get_select_subquery(spark_sql(compiled_code)) if config.get('contract').enforced else spark_sql(compiled_code) }}
    {%- endif -%}
{%- endmacro %}

{% macro spark__create_view_as(relation, sql) -%}
    create or replace view {{ relation }} as
    {{ spark_sql(sql) }}
{%- endmacro %}

{% macro spark__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) -%}
    {{ default__get_test_sql(spark_sql(main_sql), fail_calc, warn_if, error_if, limit) }}
{%- endmacro %}

{# A contract holds by what is written: each of its columns, by name, as its type. A column that is missing is an error. #}
{% macro spark__get_assert_columns_equivalent(sql) -%}{%- endmacro %}

{% macro spark__get_select_subquery(sql) -%}
    select
        {% for column in model['columns'].values() -%}
        cast({{ adapter.quote(column['name']) }} as {{ spark_type(column['data_type']) }}) as {{ adapter.quote(column['name']) }}
        {{- ', ' if not loop.last }}
        {%- endfor %}
    from (
        {{ sql }}
    ) as model_subq
{%- endmacro %}

{# Rows of a seed in literals: dbt-spark would not quote an apostrophe. #}
{% macro spark__create_csv_table(model, agate_table) -%}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- set sql -%}
    create table {{ this.render() }} (
        {%- for name in agate_table.column_names -%}
        {{ adapter.quote(name) }} {{ spark_type(types.get(name, adapter.convert_type(agate_table, loop.index0))) }}
        {{- ', ' if not loop.last }}
        {%- endfor -%}
    )
    {{ file_format_clause() }}
    {%- endset -%}
    {%- call statement('_') -%}{{ sql }}{%- endcall -%}
    {{ return(sql) }}
{%- endmacro %}

{% macro spark__load_csv_rows(model, agate_table) -%}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- for chunk in agate_table.rows | batch(1000) -%}
        {%- call statement('_') -%}
        insert into {{ this.render() }} values
        {% for row in chunk -%}
        (
            {%- for name in agate_table.column_names -%}
            {%- set value = row[loop.index0] -%}
            cast({{ 'null' if value is none else "'" ~ (value | string | replace('\\', '\\\\') | replace("'", "''")) ~ "'" }} as
            {{ spark_type(types.get(name, adapter.convert_type(agate_table, loop.index0))) }}){{ ', ' if not loop.last }}
            {%- endfor -%}
        ){{ ', ' if not loop.last }}
        {% endfor -%}
        {%- endcall -%}
    {%- endfor -%}
    {{ return('') }}
{%- endmacro %}

{# ---------- incremental models #}

{% macro dbt_spark_validate_get_incremental_strategy(raw_strategy, file_format) -%}
    {{ return(raw_strategy) }}
{%- endmacro %}

{% macro spark__partition_cols(label, required=false) -%}
    {%- if config.get('incremental_strategy') in ('as_of', 'poll_dates') and config.get('materialized') == 'incremental' -%}
    {{ label }} (as_of_date)
    {%- endif -%}
{%- endmacro %}

{# Dates (ISO text) that a strategy replaces. #}
{% macro spark_replaced_dates(strategy) -%}
    {%- if strategy == 'as_of' -%}
        {%- set dates = 'select distinct as_of_date from ' ~ named_by_model({}, 'int_as_of') -%}
    {%- else -%}
        {%- set dates = 'select distinct as_of_date from ' ~ named_by_model({}, 'int_polls') ~ ' where is_in_batch' -%}
    {%- endif -%}
    {{ return(run_query('select cast(as_of_date as string) as as_of_date from (' ~ dates ~ ') as dates').columns[0].values()) }}
{%- endmacro %}

{#
  Of `as_of` and `poll_dates` the batch's partitions are dropped, as some may come out empty, and those with rows written:
  after a kill in between these dates are missing until the next build makes them again. Of `replace_keys` the rows are
  computed once, into a table of their own, and read for what they replace and for what they add.
#}
{% macro dbt_spark_get_incremental_sql(strategy, source, target, existing, unique_key, incremental_predicates) -%}
    {%- set columns = adapter.get_columns_in_relation(target) | map(attribute='quoted') | join(', ') -%}
    {%- if strategy == 'append' -%}
        insert into table {{ target }} ({{ columns }}) select {{ columns }} from {{ source }}
    {%- elif strategy in ('as_of', 'poll_dates') -%}
        {%- for day in spark_replaced_dates(strategy) -%}
            {%- do run_query('alter table ' ~ target ~ " drop if exists partition (as_of_date = date '" ~ day ~ "')") -%}
        {%- endfor -%}
        insert overwrite table {{ target }} partition (as_of_date) select {{ columns }} from {{ source }}
    {%- elif strategy == 'replace_keys' -%}
        {%- set computed = target.incorporate(path={'identifier': target.identifier ~ '__computed'}) -%}
        {%- set next = target.incorporate(path={'identifier': target.identifier ~ '__next'}) -%}
        {%- for relation in (computed, next) -%}{%- do run_query('drop table if exists ' ~ relation) -%}{%- endfor -%}
        {%- do run_query('create table ' ~ computed ~ ' as select ' ~ columns ~ ' from ' ~ source) -%}
        {%- do run_query(
            'create table ' ~ next ~ ' as select ' ~ columns ~ ' from ' ~ target ~ ' as stored left anti join ' ~ computed
            ~ ' as computed using (' ~ unique_key | join(', ') ~ ') union all select ' ~ columns ~ ' from ' ~ computed
        ) -%}
        {%- do run_query('drop table ' ~ computed) -%}
        {%- do run_query('drop table ' ~ target) -%}
        alter table {{ next }} rename to {{ target }}
    {%- else -%}
        {{ exceptions.raise_compiler_error('No SQL for the incremental strategy ' ~ strategy ~ ' on Spark') }}
    {%- endif -%}
{%- endmacro %}

{# ---------- around a run: what guards the two files of a DuckDB home #}

{# engine/on_spark/by_hand.py does it, when the command has ended. #}
{% macro spark__count_as_changed() -%}{%- endmacro %}
{% macro spark__ensure_mart_rows() -%}{%- endmacro %}
{% macro spark__note_created_marts(results) -%}{%- endmacro %}
