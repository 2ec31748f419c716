{# Functions that differ between engines. Models call these, so that another engine needs this one file. #}

{# Hours from one timestamp to another, fractional. #}
{% macro hours_between(start_at, end_at) -%}
    (epoch({{ end_at }} - {{ start_at }}) / 3600.0)
{%- endmacro %}

{# A struct of the given shape out of a JSON text; keys that are missing or do not fit are null. #}
{% macro json_to_struct(payload, structure) -%}
    json_transform({{ payload }}, '{{ structure }}')
{%- endmacro %}

{# Seconds since 1970 (number) to a UTC timestamp. #}
{% macro epoch_to_timestamp(seconds) -%}
    make_timestamp(cast({{ seconds }} as bigint) * 1000000)
{%- endmacro %}

{#
  ISO text with or without an offset to a UTC timestamp, null where it is no time between 1990 and 2100. Without an
  offset it is UTC: whatever the session's time zone, for a cast to a time with zone would ask that one.
#}
{% macro iso_to_timestamp(value) -%}
    {%- set offset = "'[ T][0-9:.,]+ *([+-])([0-9]{2}):?([0-9]{2})?$'" -%}
    case
        when regexp_matches({{ value }}, '^[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}')
            and try_cast({{ value }} as timestamp) between timestamp '1990-01-01' and timestamp '2100-01-01'
            then try_cast({{ value }} as timestamp)
                - to_minutes(cast(
                    case when regexp_extract({{ value }}, {{ offset }}, 1) = '-' then -1 else 1 end
                    * (
                        60 * coalesce(try_cast(regexp_extract({{ value }}, {{ offset }}, 2) as integer), 0)
                        + coalesce(try_cast(regexp_extract({{ value }}, {{ offset }}, 3) as integer), 0)
                    ) as bigint
                ))
    end
{%- endmacro %}

{#
  First capture of a pattern, which must not match empty text; null where the pattern does not match. Not a `nullif`:
  an expression that stands twice is computed for all rows, also where a `coalesce` never comes to it.
#}
{% macro regex_capture(value, pattern) -%}
    case when regexp_matches({{ value }}, '{{ pattern }}') then regexp_extract({{ value }}, '{{ pattern }}', 1) end
{%- endmacro %}

{# Lower-case, non-empty, distinct entries of a list of text without the signs around them, in alphabetical order; never null. #}
{% macro clean_list(values, signs=' ') -%}
    coalesce(
        list_sort(list_distinct(list_filter(
            list_transform({{ values }}, lambda entry: lower(trim(entry, '{{ signs }}'))), lambda entry: entry <> ''
        ))),
        cast([] as varchar[])
    )
{%- endmacro %}

{# Distinct values of a group in one text, in order; null where there is none. #}
{% macro joined_distinct(value) -%}
    string_agg(distinct {{ value }}, ', ' order by {{ value }})
{%- endmacro %}

{# Wall-clock time of a UTC timestamp in a time zone given by a column. #}
{% macro local_time(utc_timestamp, timezone) -%}
    (({{ utc_timestamp }} at time zone 'UTC') at time zone {{ timezone }})
{%- endmacro %}

{# Day of the week, Monday 1 to Sunday 7. #}
{% macro iso_weekday(value) -%}
    cast(extract(isodow from {{ value }}) as integer)
{%- endmacro %}

{# A handle as people type it, in small letters: without blanks and @, also out of a link to the profile. #}
{% macro bare_handle(value) -%}
    lower(regexp_replace(regexp_replace(trim({{ value }}), '^.*/@|^@+', ''), '[/?#].*$|^@+', ''))
{%- endmacro %}

{# The n-th highest or lowest value of a group, null where there are fewer. #}
{% macro nth_highest(value, n) -%}
    max({{ value }}, {{ n }})[{{ n }}]
{%- endmacro %}

{% macro nth_lowest(value, n) -%}
    min({{ value }}, {{ n }})[{{ n }}]
{%- endmacro %}

{# The value of a group's row with the greatest keys, the first key first; rows without a value are passed over. #}
{% macro value_at_greatest(value, keys) -%}
    max_by({{ value }}, row({{ keys | join(', ') }}))
{%- endmacro %}

{# The n-th entry of a list, from 1. #}
{% macro nth_of(values, n) -%}
    {{ values }}[{{ n }}]
{%- endmacro %}

{#
  A value no lower or no higher than a bound; of nothing, nothing. `greatest` and `least` pass over nulls on some engines:
  the lesser of an unknown sum and the cap would be the cap.
#}
{% macro at_least(value, bound) -%}
    case when ({{ value }}) is not null then greatest({{ value }}, {{ bound }}) end
{%- endmacro %}

{% macro at_most(value, bound) -%}
    case when ({{ value }}) is not null then least({{ value }}, {{ bound }}) end
{%- endmacro %}
