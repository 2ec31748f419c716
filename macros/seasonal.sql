{# Seasonal calendar: the rows of alerts around an event, its keywords, and the market's own date. #}

{# Days before an event at which a major one is announced beyond its lead; days after it that it stays in the list. #}
{% macro seasonal_major_leads() -%}{{ return([42, 21]) }}{%- endmacro %}
{% macro seasonal_days_after() -%}2{%- endmacro %}

{# Keywords per event of the seed, {key: [term, ...]}; empty while dbt parses. #}
{% macro seasonal_keywords(events_relation) -%}
    {%- set keywords = {} -%}
    {%- if execute -%}
        {%- for row in rows_of_seed(events_relation, 'key, lower(keywords)') if row[1] -%}
            {%- set terms = [] -%}
            {%- for term in row[1].split('|') if term | trim -%}{%- do terms.append(term | trim) -%}{%- endfor -%}
            {%- if terms -%}{%- do keywords.update({row[0]: terms}) -%}{%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(keywords) }}
{%- endmacro %}

{# Keywords as one pattern. A digit before it is no boundary: 14th of july is not 4th of july. #}
{% macro keyword_pattern(terms) -%}
(?:^|[^{{ word_letters() }}0-9]){{ any_term(terms) }}(?:$|[^{{ word_letters() }}])
{%- endmacro %}
