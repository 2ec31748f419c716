{# What competitor models share: names of the totals, and when there are too few posts to say anything. #}

{# The two totals stand beside the accounts, under these names. #}
{% macro total_of(role) -%}
    case when {{ role }} = 'own' then 'YOU' else 'ALL COMPETITORS' end
{%- endmacro %}

{# A value, or null where it rests on too few. #}
{% macro if_enough(value, n) -%}
    case when {{ n }} >= {{ var('competitor_minimum_posts') }} then {{ value }} end
{%- endmacro %}

{# CTE `rates`: what an install pays and where a template stops, for each date of the CTE `batch`; of a relation. #}
{% macro rates_of_the_day(revenue_rates) -%}
rates as (

    select
        batch.as_of_date,
        {{ value_at_max('revenue_rates.us_eu3_rate', 'revenue_rates.valid_from') }} as us_eu3_rate,
        {{ value_at_max('revenue_rates.row_rate', 'revenue_rates.valid_from') }} as row_rate,
        {{ value_at_max('revenue_rates.cap', 'revenue_rates.valid_from') }} as cap
    from batch
    inner join {{ revenue_rates }} as revenue_rates
        on batch.as_of_date >= revenue_rates.valid_from
    group by batch.as_of_date

)
{%- endmacro %}

{# Dollars per 1,000 views under the stated assumption, at a quantile of installs per view. #}
{% macro revenue_per_1000_views(quantile) -%}
    (
        {{ var('competitor_installs_per_1000_views_' ~ quantile) }}
        * (
            {{ var('competitor_us_eu3_share') }} * cast(rates.us_eu3_rate as double)
            + (1 - {{ var('competitor_us_eu3_share') }}) * cast(rates.row_rate as double)
        )
    )
{%- endmacro %}
