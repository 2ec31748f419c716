{% set mode = check_mode('check_feed_overlap') %}
{{
    config(
        enabled=mode != 'off',
        severity='error' if mode == 'block' else 'warn',
        meta={'description': 'Two markets were fed the same videos: the region setting of the scraper does nothing.', 'dagster': {'ref': {'name': 'feed_overlap'}}},
    )
}}

select
    overlap.as_of_date,
    overlap.market_a || ' and ' || overlap.market_b || ' share ' || cast(round(100 * overlap.jaccard) as integer)
    || ' % of their videos' as message
from {{ ref('feed_overlap') }} as overlap
inner join {{ ref('int_as_of') }} as batch
    on overlap.as_of_date = batch.as_of_date
where overlap.is_suspicious
