{# The functions of engine.sql on DuckDB. #}

{# ---------- times #}

{% macro duckdb__hours_between(start_at, end_at) -%}
    (epoch({{ end_at }} - {{ start_at }}) / 3600.0)
{%- endmacro %}

{% macro duckdb__days_between(start_on, end_on) -%}
    {{ end_on }} - {{ start_on }}
{%- endmacro %}

{% macro duckdb__seconds_long(seconds) -%}
    to_seconds({{ seconds }})
{%- endmacro %}

{% macro duckdb__minutes_long(minutes) -%}
    to_minutes({{ minutes }})
{%- endmacro %}

{% macro duckdb__micros_to_timestamp(micros) -%}
    make_timestamp({{ micros }})
{%- endmacro %}

{% macro duckdb__clock_time(value) -%}
    try_cast({{ value }} as timestamp)
{%- endmacro %}

{% macro duckdb__local_time(utc_timestamp, timezone) -%}
    (({{ utc_timestamp }} at time zone 'UTC') at time zone {{ timezone }})
{%- endmacro %}

{% macro duckdb__iso_weekday(value) -%}
    cast(extract(isodow from {{ value }}) as integer)
{%- endmacro %}

{# ---------- texts #}

{% macro duckdb__matches(value, pattern) -%}
    regexp_matches({{ value }}, '{{ pattern }}')
{%- endmacro %}

{% macro duckdb__matches_whole(value, pattern) -%}
    regexp_full_match({{ value }}, '{{ pattern }}')
{%- endmacro %}

{% macro duckdb__group_of_match(value, pattern, group) -%}
    regexp_extract({{ value }}, '{{ pattern }}'{% if group %}, {{ group }}{% endif %})
{%- endmacro %}

{% macro duckdb__groups_of_matches(value, pattern, group) -%}
    regexp_extract_all({{ value }}, '{{ pattern }}'{% if group %}, {{ group }}{% endif %})
{%- endmacro %}

{% macro duckdb__replaced(value, pattern, replacement, first_only) -%}
    regexp_replace({{ value }}, '{{ pattern }}', '{{ replacement }}'{% if not first_only %}, 'g'{% endif %})
{%- endmacro %}

{% macro duckdb__stripped(value, signs) -%}
    trim({{ value }}, '{{ signs }}')
{%- endmacro %}

{% macro duckdb__stripped_left(value, signs) -%}
    ltrim({{ value }}, '{{ signs }}')
{%- endmacro %}

{% macro duckdb__stripped_right(value, signs) -%}
    rtrim({{ value }}, '{{ signs }}')
{%- endmacro %}

{% macro duckdb__begins_with(value, start) -%}
    starts_with({{ value }}, '{{ start }}')
{%- endmacro %}

{% macro duckdb__looked_up(value, numbers) -%}
    map {
    {%- for word, number in numbers.items() -%}
    '{{ word }}': {{ number }}{{ ', ' if not loop.last }}
    {%- endfor -%}
    }[{{ value }}]
{%- endmacro %}

{# ---------- JSON #}

{% macro duckdb__json_to_struct(payload, structure) -%}
    json_transform({{ payload }}, '{{ structure }}')
{%- endmacro %}

{% macro duckdb__json_entries(payload) -%}
    json_transform({{ payload }}, '["JSON"]')
{%- endmacro %}

{% macro duckdb__json_key_of_entry(entry, key) -%}
    {{ entry }} ->> '$.{{ key }}'
{%- endmacro %}

{% macro duckdb__json_text_of_entry(entry) -%}
    case when json_type({{ entry }}) = 'VARCHAR' then {{ entry }} ->> '$' end
{%- endmacro %}

{% macro duckdb__json_text_at(payload, key) -%}
    case
        when json_type({{ payload }}, '$."{{ key }}"') = 'VARCHAR' then {{ payload }} ->> '$."{{ key }}"'
    end
{%- endmacro %}

{% macro duckdb__json_unquoted(value) -%}
    try_cast({{ value }} as json) ->> '$'
{%- endmacro %}

{% macro duckdb__is_json(value) -%}
    json_valid({{ value }})
{%- endmacro %}

{# ---------- lists #}

{% macro duckdb__list_of(entries) -%}
    [{{ entries | join(', ') }}]
{%- endmacro %}

{% macro duckdb__no_texts() -%}
    cast([] as varchar[])
{%- endmacro %}

{% macro duckdb__whole_numbers(count) -%}
    range({{ count }})
{%- endmacro %}

{% macro duckdb__mapped(values, entry, expression) -%}
    list_transform({{ values }}, lambda {{ entry }}: {{ expression }})
{%- endmacro %}

{% macro duckdb__kept_entries(values, entry, condition) -%}
    list_filter({{ values }}, lambda {{ entry }}: {{ condition }})
{%- endmacro %}

{% macro duckdb__lists_together(lists) -%}
    list_concat({{ lists | join(', ') }})
{%- endmacro %}

{% macro duckdb__flattened(lists) -%}
    flatten({{ lists }})
{%- endmacro %}

{% macro duckdb__sorted_distinct(values) -%}
    list_sort(list_distinct({{ values }}))
{%- endmacro %}

{% macro duckdb__nth_of(values, n) -%}
    {{ values }}[{{ n }}]
{%- endmacro %}

{% macro duckdb__entries_as_text(values, separator) -%}
    array_to_string({{ values }}, '{{ separator }}')
{%- endmacro %}

{% macro duckdb__explode_list(values) -%}
    unnest({{ values }})
{%- endmacro %}

{# ---------- groups #}

{% macro duckdb__quantile(value, share) -%}
    quantile_cont({{ value }}, {{ share }})
{%- endmacro %}

{% macro duckdb__list_in_order(value, order_column) -%}
    list({{ value }} order by {{ order_column }})
{%- endmacro %}

{% macro duckdb__dot_product(values, others) -%}
    list_inner_product({{ values }}, {{ others }})
{%- endmacro %}

{% macro duckdb__distinct_values(value) -%}
    array_agg(distinct {{ value }})
{%- endmacro %}

{% macro duckdb__joined_distinct(value) -%}
    string_agg(distinct {{ value }}, ', ' order by {{ value }})
{%- endmacro %}

{% macro duckdb__joined_in_order(value, separator, order_column) -%}
    string_agg({{ value }}, '{{ separator }}' order by {{ order_column }})
{%- endmacro %}

{% macro duckdb__nth_highest(value, n) -%}
    max({{ value }}, {{ n }})[{{ n }}]
{%- endmacro %}

{% macro duckdb__nth_lowest(value, n) -%}
    min({{ value }}, {{ n }})[{{ n }}]
{%- endmacro %}

{% macro duckdb__value_at_greatest(value, keys) -%}
    max_by({{ value }}, row({{ keys | join(', ') }}))
{%- endmacro %}

{% macro duckdb__value_at_max(value, key, condition) -%}
    max_by({{ value }}, {{ key }}){% if condition %} filter (where {{ condition }}){% endif %}
{%- endmacro %}

{% macro duckdb__value_at_min(value, key, condition) -%}
    min_by({{ value }}, {{ key }}){% if condition %} filter (where {{ condition }}){% endif %}
{%- endmacro %}

{% macro duckdb__last_known(value) -%}
    last_value({{ value }} ignore nulls)
{%- endmacro %}

{# ---------- numbers #}

{# Not `round(value, digits)`, which up to DuckDB 1.5 is this, and from 2.0 on makes 1.4 of 1.45. #}
{% macro duckdb__rounded(value, digits) -%}
    {%- set shift = '1e' ~ digits -%}
    round(({{ value }}) * {{ shift }}) / {{ shift }}
{%- endmacro %}

{% macro duckdb__in_tenths(value) -%}
    cast({{ duckdb__rounded(value, 1) }} as varchar)
{%- endmacro %}

{% macro duckdb__whole_quotient(dividend, divisor) -%}
    {{ dividend }} // {{ divisor }}
{%- endmacro %}

{% macro duckdb__large_whole_type() -%}
    hugeint
{%- endmacro %}

{% macro duckdb__stable_bucket(value, buckets) -%}
    cast(md5_number_lower({{ value }}) % {{ buckets }} as integer)
{%- endmacro %}
