{#
  Sums over rows of template_revenue, the same in every grain: dollars, installs, hits, templates at the cap. Installs of
  rows that earned nothing count too.
#}
{% macro revenue_sums() -%}
    count(*) as posts,
    round(coalesce(sum(received), 0), 4) as received,
    round(coalesce(sum(estimated), 0), 4) as estimated,
    round(coalesce(sum(outstanding), 0), 4) as outstanding,
    cast(coalesce(sum(total_installs), 0) as bigint) as installs,
    round(sum(received) / nullif(sum(total_installs), 0), 9) as revenue_per_install,
    count(*) filter (where is_hit) as hits,
    count(*) filter (where is_at_cap) as at_cap
{%- endmacro %}

{# Rows of templates that count, of the batch; of two relations. #}
{% macro counted_revenue(templates, batch) -%}
    select * from {{ templates }}
    where is_counted and {{ of_batch(batch) }}
{%- endmacro %}

{#
  Dollars that a template has earned: payment comes late, so what is estimated (by the user, else by the rates) counts too,
  up to the cap. Nothing where nothing is known.
#}
{% macro earned(estimated_by_rate) -%}
    greatest(received, {{ at_most('coalesce(estimated, ' ~ estimated_by_rate ~ ')', 'cap') }})
{%- endmacro %}
