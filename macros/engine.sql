{#
  Functions that differ between engines: models and other macros call these, and know no engine. Each is written once per
  engine, in engine_duckdb.sql and engine_spark.sql, under the name `<engine>__<function>`; what stands here is what they
  promise. Patterns are of the common ground of RE2 (DuckDB) and java.util.regex (Spark): no look-around, no \b, no
  back-reference; `[` inside of a class is written `\[`.
  `ingest/items.py` renders these files too, without dbt: they use nothing of dbt but `adapter.dispatch`.
#}

{# ---------- times #}

{# Hours from one timestamp to another, fractional. #}
{% macro hours_between(start_at, end_at) -%}
    {{ adapter.dispatch('hours_between', 'tiktok_trends')(start_at, end_at) }}
{%- endmacro %}

{# Whole days from one date to another. #}
{% macro days_between(start_on, end_on) -%}
    {{ adapter.dispatch('days_between', 'tiktok_trends')(start_on, end_on) }}
{%- endmacro %}

{# A number of seconds or minutes (bigint) as what is added to a timestamp. #}
{% macro seconds_long(seconds) -%}
    {{ adapter.dispatch('seconds_long', 'tiktok_trends')(seconds) }}
{%- endmacro %}

{% macro minutes_long(minutes) -%}
    {{ adapter.dispatch('minutes_long', 'tiktok_trends')(minutes) }}
{%- endmacro %}

{# Seconds since 1970 (number) to a UTC timestamp. #}
{% macro epoch_to_timestamp(seconds) -%}
    {{ micros_to_timestamp('cast(' ~ seconds ~ ' as bigint) * 1000000') }}
{%- endmacro %}

{# Microseconds since 1970 (bigint) to a UTC timestamp. #}
{% macro micros_to_timestamp(micros) -%}
    {{ adapter.dispatch('micros_to_timestamp', 'tiktok_trends')(micros) }}
{%- endmacro %}

{#
  ISO text with or without an offset to a UTC timestamp, null where it is no time between 1990 and 2100. Without an
  offset it is UTC: whatever the session's time zone, for a cast to a time with zone would ask that one.
#}
{% macro iso_to_timestamp(value) -%}
    {%- set offset = '[ T][0-9:.,]+ *([+-])([0-9]{2}):?([0-9]{2})?$' -%}
    {%- set as_written = clock_time(value) -%}
    case
        when {{ matches(value, '^[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}') }}
            and {{ as_written }} between timestamp '1990-01-01' and timestamp '2100-01-01'
            then {{ as_written }}
                - {% set minutes -%}
                cast(
                    case when {{ group_of_match(value, offset, 1) }} = '-' then -1 else 1 end
                    * (
                        60 * coalesce(try_cast({{ group_of_match(value, offset, 2) }} as integer), 0)
                        + coalesce(try_cast({{ group_of_match(value, offset, 3) }} as integer), 0)
                    ) as bigint
                )
                {%- endset %}
                {{- minutes_long(minutes) }}
    end
{%- endmacro %}

{# The clock's time in ISO text, whatever its offset; null where there is none. #}
{% macro clock_time(value) -%}
    {{ adapter.dispatch('clock_time', 'tiktok_trends')(value) }}
{%- endmacro %}

{# Wall-clock time of a UTC timestamp in a time zone given by a column. #}
{% macro local_time(utc_timestamp, timezone) -%}
    {{ adapter.dispatch('local_time', 'tiktok_trends')(utc_timestamp, timezone) }}
{%- endmacro %}

{# The local date, and the hour of the day (0-23), of a UTC timestamp in such a time zone. #}
{% macro local_date(utc_timestamp, timezone) -%}
    cast({{ local_time(utc_timestamp, timezone) }} as date)
{%- endmacro %}

{% macro local_hour(utc_timestamp, timezone) -%}
    cast(extract(hour from {{ local_time(utc_timestamp, timezone) }}) as integer)
{%- endmacro %}

{# Day of the week, Monday 1 to Sunday 7. #}
{% macro iso_weekday(value) -%}
    {{ adapter.dispatch('iso_weekday', 'tiktok_trends')(value) }}
{%- endmacro %}

{# ---------- texts #}

{# Whether a pattern is found anywhere in a text, or fits the whole of it. #}
{% macro matches(value, pattern) -%}
    {{ adapter.dispatch('matches', 'tiktok_trends')(value, pattern) }}
{%- endmacro %}

{% macro matches_whole(value, pattern) -%}
    {{ adapter.dispatch('matches_whole', 'tiktok_trends')(value, pattern) }}
{%- endmacro %}

{# A group of a pattern's first match, 0 for all of it; the empty text where it is not found. #}
{% macro group_of_match(value, pattern, group=0) -%}
    {{ adapter.dispatch('group_of_match', 'tiktok_trends')(value, pattern, group) }}
{%- endmacro %}

{# The same group of all matches, as a list. #}
{% macro groups_of_matches(value, pattern, group=0) -%}
    {{ adapter.dispatch('groups_of_matches', 'tiktok_trends')(value, pattern, group) }}
{%- endmacro %}

{# The text with all matches of a pattern replaced, or only the first; \1 stands for the first group. #}
{% macro replaced(value, pattern, replacement, first_only=false) -%}
    {{ adapter.dispatch('replaced', 'tiktok_trends')(value, pattern, replacement, first_only) }}
{%- endmacro %}

{#
  First capture of a pattern, which must not match empty text; null where the pattern does not match. Not a `nullif`:
  an expression that stands twice is computed for all rows, also where a `coalesce` never comes to it.
#}
{% macro regex_capture(value, pattern) -%}
    case when {{ matches(value, pattern) }} then {{ group_of_match(value, pattern, 1) }} end
{%- endmacro %}

{# Text without any of these signs around it, or on one side. #}
{% macro stripped(value, signs) -%}
    {{ adapter.dispatch('stripped', 'tiktok_trends')(value, signs) }}
{%- endmacro %}

{% macro stripped_left(value, signs) -%}
    {{ adapter.dispatch('stripped_left', 'tiktok_trends')(value, signs) }}
{%- endmacro %}

{% macro stripped_right(value, signs) -%}
    {{ adapter.dispatch('stripped_right', 'tiktok_trends')(value, signs) }}
{%- endmacro %}

{# Whether a text begins with another. #}
{% macro begins_with(value, start) -%}
    {{ adapter.dispatch('begins_with', 'tiktok_trends')(value, start) }}
{%- endmacro %}

{# What a map of texts to numbers says of a text; null where it is not in it. #}
{% macro looked_up(value, numbers) -%}
    {{ adapter.dispatch('looked_up', 'tiktok_trends')(value, numbers) }}
{%- endmacro %}

{# A handle as people type it, in small letters: without blanks and @, also out of a link to the profile. #}
{% macro bare_handle(value) -%}
    lower({{ replaced(replaced('trim(' ~ value ~ ')', '^.*/@|^@+', '', true), '[/?#].*$|^@+', '', true) }})
{%- endmacro %}

{# ---------- JSON #}

{# A struct of the given shape out of a JSON text; keys that are missing or do not fit are null. #}
{% macro json_to_struct(payload, structure) -%}
    {{ adapter.dispatch('json_to_struct', 'tiktok_trends')(payload, structure) }}
{%- endmacro %}

{# A list of JSON values out of a JSON text. #}
{% macro json_entries(payload) -%}
    {{ adapter.dispatch('json_entries', 'tiktok_trends')(payload) }}
{%- endmacro %}

{# Of such an entry: what stands under a key, as text; the entry itself where it is a text. #}
{% macro json_key_of_entry(entry, key) -%}
    {{ adapter.dispatch('json_key_of_entry', 'tiktok_trends')(entry, key) }}
{%- endmacro %}

{% macro json_text_of_entry(entry) -%}
    {{ adapter.dispatch('json_text_of_entry', 'tiktok_trends')(entry) }}
{%- endmacro %}

{# What stands under a key of a JSON text where that is a text, no object or number. #}
{% macro json_text_at(payload, key) -%}
    {{ adapter.dispatch('json_text_at', 'tiktok_trends')(payload, key) }}
{%- endmacro %}

{# A JSON text in its quotation marks as what it says. #}
{% macro json_unquoted(value) -%}
    {{ adapter.dispatch('json_unquoted', 'tiktok_trends')(value) }}
{%- endmacro %}

{# Whether a text is JSON. #}
{% macro is_json(value) -%}
    {{ adapter.dispatch('is_json', 'tiktok_trends')(value) }}
{%- endmacro %}

{# ---------- lists #}

{# A list of these expressions, a list of texts without any, and numbers from 0 to below a count. #}
{% macro list_of(entries) -%}
    {{ adapter.dispatch('list_of', 'tiktok_trends')(entries) }}
{%- endmacro %}

{% macro no_texts() -%}
    {{ adapter.dispatch('no_texts', 'tiktok_trends')() }}
{%- endmacro %}

{% macro whole_numbers(count) -%}
    {{ adapter.dispatch('whole_numbers', 'tiktok_trends')(count) }}
{%- endmacro %}

{# A list with an expression of each entry, which it calls by a name. #}
{% macro mapped(values, entry, expression) -%}
    {{ adapter.dispatch('mapped', 'tiktok_trends')(values, entry, expression) }}
{%- endmacro %}

{# The entries of a list that a condition holds for. #}
{% macro kept_entries(values, entry, condition) -%}
    {{ adapter.dispatch('kept_entries', 'tiktok_trends')(values, entry, condition) }}
{%- endmacro %}

{# Lists of texts behind each other; a list that is null adds nothing. #}
{% macro lists_together(lists) -%}
    {{ adapter.dispatch('lists_together', 'tiktok_trends')(lists) }}
{%- endmacro %}

{# The same of the lists in a list. #}
{% macro flattened(lists) -%}
    {{ adapter.dispatch('flattened', 'tiktok_trends')(lists) }}
{%- endmacro %}

{# Distinct entries of a list in order. #}
{% macro sorted_distinct(values) -%}
    {{ adapter.dispatch('sorted_distinct', 'tiktok_trends')(values) }}
{%- endmacro %}

{# Lower-case, non-empty, distinct entries of a list of text without the signs around them, in alphabetical order; never null. #}
{% macro clean_list(values, signs=' ') -%}
    {%- set bare = mapped(values, 'entry', 'lower(' ~ stripped('entry', signs) ~ ')') -%}
    coalesce(
        {{ sorted_distinct(kept_entries(bare, 'entry', "entry <> ''")) }},
        {{ no_texts() }}
    )
{%- endmacro %}

{# The n-th entry of a list, from 1. #}
{% macro nth_of(values, n) -%}
    {{ adapter.dispatch('nth_of', 'tiktok_trends')(values, n) }}
{%- endmacro %}

{# Entries of a list as one text. #}
{% macro entries_as_text(values, separator) -%}
    {{ adapter.dispatch('entries_as_text', 'tiktok_trends')(values, separator) }}
{%- endmacro %}

{# Entries of a list joined to one text; no list gives the empty text. #}
{% macro joined_list(values, separator) -%}
    coalesce({{ entries_as_text(values, separator) }}, '')
{%- endmacro %}

{# One row per entry of a list. #}
{% macro explode_list(values) -%}
    {{ adapter.dispatch('explode_list', 'tiktok_trends')(values) }}
{%- endmacro %}

{# ---------- groups #}

{# A quantile by linear interpolation, null over no rows. #}
{% macro quantile(value, share) -%}
    {{ adapter.dispatch('quantile', 'tiktok_trends')(value, share) }}
{%- endmacro %}

{# Values of a group as a list, in the order of a column. #}
{% macro list_in_order(value, order_column) -%}
    {{ adapter.dispatch('list_in_order', 'tiktok_trends')(value, order_column) }}
{%- endmacro %}

{# Sum of the products of two lists of doubles, entry by entry; they are of one length and have no null. #}
{% macro dot_product(values, others) -%}
    {{ adapter.dispatch('dot_product', 'tiktok_trends')(values, others) }}
{%- endmacro %}

{# Distinct values of a group as a list, in no order. #}
{% macro distinct_values(value) -%}
    {{ adapter.dispatch('distinct_values', 'tiktok_trends')(value) }}
{%- endmacro %}

{# Distinct values of a group in one text, in order; null where there is none. #}
{% macro joined_distinct(value) -%}
    {{ adapter.dispatch('joined_distinct', 'tiktok_trends')(value) }}
{%- endmacro %}

{# Texts of a group in one, in the order of a column. #}
{% macro joined_in_order(value, separator, order_column) -%}
    {{ adapter.dispatch('joined_in_order', 'tiktok_trends')(value, separator, order_column) }}
{%- endmacro %}

{# The n-th highest or lowest value of a group, null where there are fewer. #}
{% macro nth_highest(value, n) -%}
    {{ adapter.dispatch('nth_highest', 'tiktok_trends')(value, n) }}
{%- endmacro %}

{% macro nth_lowest(value, n) -%}
    {{ adapter.dispatch('nth_lowest', 'tiktok_trends')(value, n) }}
{%- endmacro %}

{# The value of a group's row with the greatest keys, the first key first; rows without a value are passed over. #}
{% macro value_at_greatest(value, keys) -%}
    {{ adapter.dispatch('value_at_greatest', 'tiktok_trends')(value, keys) }}
{%- endmacro %}

{# The same with one key that is never null, of the rows that a condition holds for; and of the least. #}
{% macro value_at_max(value, key, condition=none) -%}
    {{ adapter.dispatch('value_at_max', 'tiktok_trends')(value, key, condition) }}
{%- endmacro %}

{% macro value_at_min(value, key, condition=none) -%}
    {{ adapter.dispatch('value_at_min', 'tiktok_trends')(value, key, condition) }}
{%- endmacro %}

{# In a window: the last value that is not null. #}
{% macro last_known(value) -%}
    {{ adapter.dispatch('last_known', 'tiktok_trends')(value) }}
{%- endmacro %}

{# ---------- numbers #}

{#
  A double with so many digits behind the point (one or more), halves away from zero and -0.0 as it is. A plain `round`
  differs between engines where the double next to a half is not the half, which a text or a step shows.
#}
{% macro rounded(value, digits) -%}
    {{ adapter.dispatch('rounded', 'tiktok_trends')(value, digits) }}
{%- endmacro %}

{# A double with one digit behind the point as text, 12345678.9 and not 1.23456789E7. #}
{% macro in_tenths(value) -%}
    {{ adapter.dispatch('in_tenths', 'tiktok_trends')(value) }}
{%- endmacro %}

{# Quotient of two whole numbers, without the rest. #}
{% macro whole_quotient(dividend, divisor) -%}
    {{ adapter.dispatch('whole_quotient', 'tiktok_trends')(dividend, divisor) }}
{%- endmacro %}

{# A type for whole numbers of up to 38 digits. #}
{% macro large_whole_type() -%}
    {{ adapter.dispatch('large_whole_type', 'tiktok_trends')() }}
{%- endmacro %}

{# Whole number 0 .. buckets - 1 that depends on the text alone: the same in every run and on every engine. #}
{% macro stable_bucket(value, buckets) -%}
    {{ adapter.dispatch('stable_bucket', 'tiktok_trends')(value, buckets) }}
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
