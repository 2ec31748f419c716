{{ config(materialized='view') }}

{#-
    What the models see of a video when they forecast: the gain by the retention rule for each horizon, and the inputs
    of the log-linear model, which corrects that rule. A view: few of its rows are needed again.
-#}

with

bases as (

    select * from {{ ref('int_forecast_bases') }}

),

{{ forecast_features('bases', ref('int_retention')) }}

select * from featured
