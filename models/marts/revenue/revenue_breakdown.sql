{#- Revenue by what was known when a template was built. -#}

{%- set dimensions = {
    'all': ['ALL'],
    'trigger_level': ['URGENT', 'HIGH', 'WATCH', 'NONE'],
    'market': ['BOTH', 'US ONLY', 'UK ONLY', 'OTHER'],
    'ai_category': ['AI', 'NON-AI', 'OTHER'],
} %}

-- The incremental strategy reads the batch.
-- depends_on: {{ ref('int_as_of') }}
with

reads as (

    select * from {{ ref('int_revenue_reads') }}

),

revenue_rows as (

    select
        *,
        'ALL' as everything
    from {{ ref('int_revenue_rows') }}
    where is_counted

),

kinds as (

    {% for dimension, names in dimensions.items() -%}
    {%- set outer_last = loop.last -%}
    {%- for name in names -%}
    select
        '{{ dimension }}' as dimension,
        '{{ name }}' as value,
        {{ loop.index }} as display_order
    {% if not (outer_last and loop.last) %}union all
    {% endif -%}
    {%- endfor -%}
    {%- endfor %}

),

valued as (

    {% for dimension in dimensions -%}
    select
        as_of_date,
        '{{ dimension }}' as dimension,
        {{ 'everything' if dimension == 'all' else dimension }} as value,
        sheet_row,
        received,
        is_hit,
        is_at_cap,
        coalesce(trend_description, url) as template_name
    from revenue_rows
    {% if not loop.last %}union all

    {% endif -%}
    {%- endfor %}

),

ranked as (

    select
        *,
        row_number() over (
            partition by as_of_date, dimension, value
            order by received desc nulls last, sheet_row desc
        ) as place
    from valued

),

summed as (

    select
        as_of_date,
        dimension,
        value,
        count(*) as templates,
        coalesce(sum(received), 0) as total_revenue,
        count(*) filter (where is_hit) as hits,
        count(*) filter (where is_at_cap) as at_cap,
        max(case when place = 1 and is_hit then template_name end) as best_template,
        max(case when place = 1 and is_hit then received end) as best_revenue
    from ranked
    group by as_of_date, dimension, value

)

select
    reads.as_of_date,
    kinds.dimension,
    kinds.value,
    cast(kinds.display_order as integer) as display_order,
    coalesce(summed.templates, 0) as templates,
    coalesce(cast(summed.total_revenue as double), 0) as total_revenue,
    cast(summed.total_revenue as double) / nullif(summed.templates, 0) as average_revenue,
    coalesce(summed.hits, 0) as hits,
    cast(summed.hits as double) / nullif(summed.templates, 0) as hit_rate,
    coalesce(summed.at_cap, 0) as templates_at_cap,
    cast(summed.at_cap as double) / nullif(summed.templates, 0) as cap_rate,
    summed.best_template,
    cast(summed.best_revenue as double) as best_revenue
from reads
cross join kinds
left join summed
    on
        reads.as_of_date = summed.as_of_date
        and kinds.dimension = summed.dimension
        and kinds.value = summed.value
