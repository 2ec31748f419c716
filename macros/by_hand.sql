{#
  What a `dbt build` or `dbt run` by hand is asked before it changes anything (on-run-start). Marts and what else lasts
  hold all dates, the per-day tables between them the dates of one batch: a selection that takes the one without the
  other would lose dates without a word. `trends` chooses what it builds itself.
#}
{% macro keep_history() -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'seed') and var('called_by', '') != 'trends' -%}
        {%- set batch = 'model.' ~ project_name ~ '.int_as_of' -%}
        {%- if flags.WHICH != 'seed' and batch in graph.nodes -%}
            {%- do refuse_empty_build(batch) -%}
            {%- do refuse_missing_parents() -%}
            {%- do refuse_unknown_dates(batch) -%}
            {%- do refuse_lost_dates(batch) -%}
        {%- endif -%}
        {%- do adapter.dispatch('count_as_changed', 'tiktok_trends')() -%}
    {%- endif -%}
{%- endmacro %}

{# Ends the command with one reason and its remedy. #}
{% macro refuse(reason, remedy) -%}
    {{ exceptions.raise_compiler_error(reason ~ ' Nothing was changed. ' ~ remedy) }}
{%- endmacro %}

{# The relation of a node as the database has it; none where it was never built. #}
{% macro stored_relation(node) -%}
    {{ return(adapter.get_relation(
        database=node['database'], schema=node['schema'], identifier=node['alias'] or node['identifier']
    )) }}
{%- endmacro %}

{# As-of dates (ISO text) in a relation, in order; of the table of polls those that it was built for. #}
{% macro dates_in(relation) -%}
    {%- set dates = [] -%}
    {%- if relation is not none -%}
        {%- set names = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
        {%- set of_batch = ' where is_in_batch' if 'is_in_batch' in names else '' -%}
        {%- if 'as_of_date' in names -%}
            {%- set found = run_query(
                'select distinct cast(as_of_date as string) as day from ' ~ relation ~ of_batch ~ ' order by 1'
            ) -%}
            {%- for row in found.rows -%}{%- do dates.append(row[0]) -%}{%- endfor -%}
        {%- endif -%}
    {%- endif -%}
    {{ return(dates) }}
{%- endmacro %}

{# Those of the dates that are not among the others. #}
{% macro dates_without(dates, others) -%}
    {%- set rest = [] -%}
    {%- for day in dates if day not in others -%}{%- do rest.append(day) -%}{%- endfor -%}
    {{ return(rest) }}
{%- endmacro %}

{# Dates as a person reads them: all of a few, else how many there are from when to when. #}
{% macro told_dates(dates) -%}
    {%- if dates | length <= 3 -%}
        {{ return(dates | join(', ')) }}
    {%- else -%}
        {{ return((dates | length) ~ ' dates from ' ~ (dates | min) ~ ' to ' ~ (dates | max)) }}
    {%- endif -%}
{%- endmacro %}

{# Dates with a stored cut-off. #}
{% macro dates_with_cutoff() -%}
    {%- for source in graph.sources.values() if source['schema'] == 'meta' and source['name'] == 'cutoffs' -%}
        {{ return(dates_in(stored_relation(source))) }}
    {%- endfor -%}
    {{ return([]) }}
{%- endmacro %}

{# Dates of the batch that this command builds. #}
{% macro planned_dates(batch) -%}
    {%- if batch not in selected_resources -%}
        {{ return(dates_in(stored_relation(graph.nodes[batch]))) }}
    {%- elif as_of_dates() -%}
        {{ return(as_of_dates()) }}
    {%- elif flags.FULL_REFRESH -%}
        {{ return(dates_with_cutoff()) }}
    {%- else -%}
        {{ return(dates_with_cutoff()[-1:]) }}
    {%- endif -%}
{%- endmacro %}

{# Ids of the models that are found or hang on them, through others too. #}
{% macro models_below(found) -%}
    {%- set next = [] -%}
    {%- for key, node in graph.nodes.items() if node['resource_type'] == 'model' and key not in found -%}
        {%- if node['depends_on']['nodes'] | select('in', found) | list -%}{%- do next.append(key) -%}{%- endif -%}
    {%- endfor -%}
    {{ return(models_below(found + next) if next else found) }}
{%- endmacro %}

{# Per-day relations that a lasting model reads, through others of them too, and that this command leaves as they are. #}
{% macro days_left_alone(key, of_batch) -%}
    {%- set seen = [key] -%}
    {%- for place in seen -%}
        {%- for parent in graph.nodes[place]['depends_on']['nodes'] -%}
            {%- if parent in of_batch and parent not in seen and not is_lasting(parent) -%}
                {%- do seen.append(parent) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(seen[1:] | reject('in', selected_resources) | list) }}
{%- endmacro %}

{% macro is_lasting(key) -%}
    {{ return(graph.nodes[key]['config']['materialized'] == 'incremental') }}
{%- endmacro %}

{# `--empty` builds every table without rows. #}
{% macro refuse_empty_build(batch) -%}
    {%- if flags.EMPTY and dates_in(stored_relation(graph.nodes[batch])) -%}
        {%- do refuse(
            '--empty would take the rows of tables that the next build stands on.',
            'Give it a home of its own: TRENDS_HOME=DIR.'
        ) -%}
    {%- endif -%}
{%- endmacro %}

{# A part can be built on what is there only. #}
{% macro refuse_missing_parents() -%}
    {%- for key in selected_resources if key in graph.nodes and graph.nodes[key]['resource_type'] == 'model' -%}
        {%- for parent in graph.nodes[key]['depends_on']['nodes'] -%}
            {%- if parent in graph.nodes and parent not in selected_resources -%}
                {%- if stored_relation(graph.nodes[parent]) is none -%}
                    {%- do refuse(
                        graph.nodes[key]['name'] ~ ' reads ' ~ graph.nodes[parent]['name']
                        ~ ', which was never built in this home.',
                        'Build it too: --select +' ~ graph.nodes[key]['name'] ~ ', or everything: trends run.'
                    ) -%}
                {%- endif -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}

{# The dates that somebody names must have a cut-off, and everything that reads the batch must get to know them. #}
{% macro refuse_unknown_dates(batch) -%}
    {%- set given = as_of_dates() -%}
    {%- set unknown = dates_without(given, dates_with_cutoff()) -%}
    {%- if unknown -%}
        {%- do refuse(
            'No cut-off is stored for ' ~ told_dates(unknown) ~ '.',
            'A date gets one with its first run: trends run --date ' ~ unknown[0] ~ '.'
        ) -%}
    {%- endif -%}
    {%- if given and batch not in selected_resources and given != planned_dates(batch) -%}
        {%- do refuse(
            'as_of_dates names ' ~ told_dates(given) ~ ', but the tables between hold '
            ~ told_dates(planned_dates(batch)) ~ '.',
            'Build these too: put a + before the model in --select.'
        ) -%}
    {%- endif -%}
{%- endmacro %}

{# No lasting model may come out with fewer dates than it holds. #}
{% macro refuse_lost_dates(batch) -%}
    {%- set of_batch = models_below([batch]) -%}
    {%- set planned = planned_dates(batch) -%}
    {%- set polls = batch | replace('int_as_of', 'int_polls') -%}
    {%- set known = {} -%}
    {%- for key in selected_resources if key in of_batch and is_lasting(key) -%}
        {%- set node = graph.nodes[key] -%}
        {%- set held = dates_in(stored_relation(node)) -%}
        {%- set left_alone = days_left_alone(key, of_batch) -%}
        {%- for parent in left_alone if parent not in known -%}
            {%- do known.update({parent: dates_in(stored_relation(graph.nodes[parent]))}) -%}
        {%- endfor -%}
        {%- set follows_polls = node['config']['incremental_strategy'] != 'as_of' -%}
        {%- if not follows_polls -%}
            {%- set made = planned -%}
        {%- elif polls in left_alone -%}
            {%- set made = known[polls] -%}
        {%- elif flags.FULL_REFRESH and not as_of_dates() -%}
            {#- Every date that has feeds. -#}
            {%- set made = held -%}
        {%- else -%}
            {%- set made = planned -%}
        {%- endif -%}
        {%- set lost = dates_without(held, made) if flags.FULL_REFRESH else [] -%}
        {%- set replaced = held if flags.FULL_REFRESH else dates_without(held, dates_without(held, made)) -%}
        {%- set plus = ('--full-refresh ' if flags.FULL_REFRESH else '') ~ '--select +' ~ node['name'] -%}
        {%- set remedy = 'Build what it reads too: ' ~ plus ~ ', or all of it again: trends rebuild.' -%}
        {%- if lost -%}
            {%- do refuse(
                node['name'] ~ ' would lose ' ~ told_dates(lost) ~ ': this full refresh makes '
                ~ (told_dates(made) or 'none') ~ '.',
                remedy if not as_of_dates() else 'Leave out --full-refresh, or as_of_dates.'
            ) -%}
        {%- endif -%}
        {%- for parent in left_alone if 'as_of_date' in graph.nodes[parent]['columns'] -%}
            {#- A table without any row had none for its dates: one of other dates would hold these. -#}
            {%- set gone = dates_without(replaced, known[parent]) if known[parent] else [] -%}
            {%- set other = dates_without(known[parent], made) -%}
            {%- if gone or other -%}
                {%- do refuse(
                    node['name'] ~ ' would '
                    ~ ('lose ' ~ told_dates(gone) if gone else 'get rows of ' ~ told_dates(other) ~ ' again')
                    ~ ': ' ~ graph.nodes[parent]['name'] ~ ' holds ' ~ told_dates(known[parent]) ~ '.',
                    remedy
                ) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}

{# Rows of a query on a seed, which is there before any model; dbt's own commands that build nothing may come too early. #}
{% macro rows_of_seed(seed, columns) -%}
    {%- if adapter.get_relation(database=seed.database, schema=seed.schema, identifier=seed.identifier) is none -%}
        {{ exceptions.raise_compiler_error(
            seed.identifier ~ ' was never built in this home: run `trends run` first, or `dbt seed` for the seeds alone'
        ) }}
    {%- endif -%}
    {{ return(run_query('select ' ~ columns ~ ' from ' ~ seed ~ ' order by all').rows) }}
{%- endmacro %}

{#
  A home that is built by hand from other files or with other values of variables than its last whole build counts as
  one of another version from then on: the next run makes again what it publishes.
#}
{% macro duckdb__count_as_changed() -%}
    {%- set further = invocation_args_dict.get('vars', {}).keys() | reject('in', ['as_of_dates', 'trends_home']) | list -%}
    {%- set recorded = adapter.get_relation(database=target.database, schema='meta', identifier='compiled_models') -%}
    {%- if recorded is not none -%}
        {#- In a transaction of its own, whatever state the look-ups before it left the connection in. -#}
        {%- call statement('count_as_changed', auto_begin=True) -%}
            delete from {{ recorded }}
            {% if not further %}where fingerprint is distinct from getvariable('project_fingerprint'){% endif %}
        {%- endcall -%}
        {%- do adapter.commit() -%}
    {%- endif -%}
{%- endmacro %}
