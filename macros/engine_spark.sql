{#
  The functions of engine.sql on Spark 4.3 or newer. The session needs the settings of profiles.yml, and the text goes
  through `spark_sql` (engine_spark_dbt.sql), which knows what quotation marks and points in numbers mean here.
#}

{# ---------- times #}

{% macro spark__hours_between(start_at, end_at) -%}
    (timestampdiff(microsecond, {{ start_at }}, {{ end_at }}) / 1000000.0 / 3600.0)
{%- endmacro %}

{% macro spark__days_between(start_on, end_on) -%}
    datediff({{ end_on }}, {{ start_on }})
{%- endmacro %}

{% macro spark__seconds_long(seconds) -%}
    make_dt_interval(0, 0, 0, {{ seconds }})
{%- endmacro %}

{% macro spark__minutes_long(minutes) -%}
    make_dt_interval(0, 0, cast({{ minutes }} as int), 0)
{%- endmacro %}

{% macro spark__micros_to_timestamp(micros) -%}
    cast(timestamp_micros({{ micros }}) as timestamp_ntz)
{%- endmacro %}

{# Slashes between year, month and day are a date to DuckDB alone. #}
{% macro spark__clock_time(value) -%}
    try_cast(translate(left({{ value }}, 10), '/', '-') || substring({{ value }}, 11) as timestamp_ntz)
{%- endmacro %}

{% macro spark__local_time(utc_timestamp, timezone) -%}
    cast(from_utc_timestamp({{ utc_timestamp }}, {{ timezone }}) as timestamp_ntz)
{%- endmacro %}

{% macro spark__iso_weekday(value) -%}
    (weekday({{ value }}) + 1)
{%- endmacro %}

{# ---------- texts #}

{% macro spark__matches(value, pattern) -%}
    regexp_like({{ value }}, '{{ pattern }}')
{%- endmacro %}

{% macro spark__matches_whole(value, pattern) -%}
    regexp_like({{ value }}, '^(?:{{ pattern }})\z')
{%- endmacro %}

{% macro spark__group_of_match(value, pattern, group) -%}
    regexp_extract({{ value }}, '{{ pattern }}', {{ group }})
{%- endmacro %}

{% macro spark__groups_of_matches(value, pattern, group) -%}
    regexp_extract_all({{ value }}, '{{ pattern }}', {{ group }})
{%- endmacro %}

{% macro spark__replaced(value, pattern, replacement, first_only) -%}
    {%- if first_only -%}
    regexp_replace({{ value }}, '^([\s\S]*?)(?:{{ pattern }})', '$1{{ replacement | replace('\\1', '$2') }}')
    {%- else -%}
    regexp_replace({{ value }}, '{{ pattern }}', '{{ replacement | replace('\\', '$') }}')
    {%- endif -%}
{%- endmacro %}

{% macro spark__stripped(value, signs) -%}
    trim(both '{{ signs }}' from {{ value }})
{%- endmacro %}

{% macro spark__stripped_left(value, signs) -%}
    trim(leading '{{ signs }}' from {{ value }})
{%- endmacro %}

{% macro spark__stripped_right(value, signs) -%}
    trim(trailing '{{ signs }}' from {{ value }})
{%- endmacro %}

{% macro spark__begins_with(value, start) -%}
    startswith({{ value }}, '{{ start }}')
{%- endmacro %}

{% macro spark__looked_up(value, numbers) -%}
    element_at(map(
    {%- for word, number in numbers.items() -%}
    '{{ word }}', cast({{ number }} as double){{ ', ' if not loop.last }}
    {%- endfor -%}
    ), {{ value }})
{%- endmacro %}

{# ---------- JSON #}

{# The shape that DuckDB takes, as a type of Spark. #}
{% macro spark_type_of(structure) -%}
    {%- if structure is string -%}
    string
    {%- elif structure is mapping -%}
    struct<{% for key, value in structure.items() %}`{{ key }}`: {{ spark_type_of(value) }}{{ ', ' if not loop.last }}{% endfor %}>
    {%- else -%}
    array<{{ spark_type_of(structure[0]) }}>
    {%- endif -%}
{%- endmacro %}

{% macro spark__json_to_struct(payload, structure) -%}
    from_json({{ payload }}, '{{ spark_type_of(fromjson(structure)) }}')
{%- endmacro %}

{% macro spark__json_entries(payload) -%}
    from_json({{ payload }}, 'array<variant>')
{%- endmacro %}

{% macro spark__json_key_of_entry(entry, key) -%}
    try_variant_get({{ entry }}, '$["{{ key }}"]', 'string')
{%- endmacro %}

{% macro spark__json_text_of_entry(entry) -%}
    case when schema_of_variant({{ entry }}) = 'STRING' then cast({{ entry }} as string) end
{%- endmacro %}

{% macro spark__json_text_at(payload, key) -%}
    {{ spark__json_text_of_entry("try_variant_get(try_parse_json(" ~ payload ~ "), '$[\"" ~ key ~ "\"]', 'variant')") }}
{%- endmacro %}

{% macro spark__json_unquoted(value) -%}
    try_variant_get(try_parse_json({{ value }}), '$', 'string')
{%- endmacro %}

{% macro spark__is_json(value) -%}
    (try_parse_json({{ value }}) is not null)
{%- endmacro %}

{# ---------- lists #}

{% macro spark__list_of(entries) -%}
    array({{ entries | join(', ') }})
{%- endmacro %}

{% macro spark__no_texts() -%}
    cast(array() as array<string>)
{%- endmacro %}

{% macro spark__whole_numbers(count) -%}
    sequence(0, {{ count }} - 1)
{%- endmacro %}

{% macro spark__mapped(values, entry, expression) -%}
    transform({{ values }}, {{ entry }} -> {{ expression }})
{%- endmacro %}

{% macro spark__kept_entries(values, entry, condition) -%}
    filter({{ values }}, {{ entry }} -> {{ condition }})
{%- endmacro %}

{% macro spark__lists_together(lists) -%}
    concat({% for values in lists %}coalesce({{ values }}, {{ no_texts() }}){{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}

{% macro spark__flattened(lists) -%}
    flatten(filter({{ lists }}, given -> given is not null))
{%- endmacro %}

{% macro spark__sorted_distinct(values) -%}
    array_sort(array_distinct({{ values }}))
{%- endmacro %}

{% macro spark__nth_of(values, n) -%}
    try_element_at({{ values }}, cast({{ n }} as int))
{%- endmacro %}

{% macro spark__entries_as_text(values, separator) -%}
    array_join({{ values }}, '{{ separator }}')
{%- endmacro %}

{% macro spark__explode_list(values) -%}
    explode({{ values }})
{%- endmacro %}

{# ---------- groups #}

{% macro spark__quantile(value, share) -%}
    percentile({{ value }}, {{ share }})
{%- endmacro %}

{% macro spark__list_in_order(value, order_column) -%}
    transform(
        array_sort(collect_list(named_struct('place', {{ order_column }}, 'value', {{ value }}))), pair -> pair.value
    )
{%- endmacro %}

{% macro spark__dot_product(values, others) -%}
    aggregate(zip_with({{ values }}, {{ others }}, (x, y) -> x * y), cast(0 as double), (total, x) -> total + x)
{%- endmacro %}

{% macro spark__distinct_values(value) -%}
    collect_set({{ value }})
{%- endmacro %}

{% macro spark__joined_distinct(value) -%}
    nullif(array_join(array_sort(collect_set({{ value }})), ', '), '')
{%- endmacro %}

{% macro spark__joined_in_order(value, separator, order_column) -%}
    listagg({{ value }}, '{{ separator }}') within group (order by {{ order_column }})
{%- endmacro %}

{% macro spark__nth_highest(value, n) -%}
    try_element_at(sort_array(collect_list({{ value }}), false), {{ n }})
{%- endmacro %}

{% macro spark__nth_lowest(value, n) -%}
    try_element_at(sort_array(collect_list({{ value }}), true), {{ n }})
{%- endmacro %}

{% macro spark__value_at_greatest(value, keys) -%}
    max_by({{ value }}, struct({{ keys | join(', ') }})) filter (where {{ value }} is not null)
{%- endmacro %}

{% macro spark__value_at_max(value, key, condition) -%}
    max_by({{ value }}, {{ key }}) filter (where {{ value }} is not null{% if condition %} and {{ condition }}{% endif %})
{%- endmacro %}

{% macro spark__value_at_min(value, key, condition) -%}
    min_by({{ value }}, {{ key }}) filter (where {{ value }} is not null{% if condition %} and {{ condition }}{% endif %})
{%- endmacro %}

{% macro spark__last_known(value) -%}
    last_value({{ value }}, true)
{%- endmacro %}

{# ---------- numbers #}

{# Spark's `round` goes by the decimal that a double is printed as, and knows no -0.0. #}
{% macro spark__rounded(value, digits) -%}
    {%- set shift = '1' ~ '0' * digits ~ '.0' -%}
    case
        when {{ value }} < 0 then -(round(-({{ value }}) * {{ shift }}) / {{ shift }})
        else round(({{ value }}) * {{ shift }}) / {{ shift }}
    end
{%- endmacro %}

{% macro spark__in_tenths(value) -%}
    case
        when {{ value }} < 0 and {{ value }} > -0.05 then '-0.0'
        else cast(cast({{ spark__rounded(value, 1) }} as decimal(38, 1)) as string)
    end
{%- endmacro %}

{% macro spark__whole_quotient(dividend, divisor) -%}
    {{ dividend }} div {{ divisor }}
{%- endmacro %}

{% macro spark__large_whole_type() -%}
    decimal(38, 0)
{%- endmacro %}

{# The lower half of the hash, its bytes from the last to the first, as DuckDB reads it. #}
{% macro spark__stable_bucket(value, buckets) -%}
    cast(cast(conv(concat(
        {%- for at in range(31, 16, -2) %}substr(md5({{ value }}), {{ at }}, 2){{ ', ' if not loop.last }}{% endfor -%}
    ), 16, 10) as decimal(20, 0)) % {{ buckets }} as integer)
{%- endmacro %}
