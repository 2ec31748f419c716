{#
  What dbt does around the SQL of an incremental model, as text, for engine/compiler.py: one line of JSON
  per model, {unique_id: script}. A script reads the model's rows from the temporary table `computed`. It is made by
  the same strategy macros that dbt itself calls.
#}
{% macro print_incremental_scripts() -%}
    {%- for node in graph.nodes.values() if node.config.materialized == 'incremental' -%}
    {%- set target = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) -%}
    {%- set arguments = {
        'target_relation': target,
        'temp_relation': api.Relation.create(identifier='computed'),
        'unique_key': node.config.unique_key,
        'dest_columns': adapter.get_columns_in_relation(target),
        'incremental_predicates': none,
        'node': node,
    } -%}
    {%- set strategy = context['get_incremental_' ~ node.config.incremental_strategy ~ '_sql'] -%}
    {%- do print(tojson({node.unique_id: strategy(arguments)})) -%}
    {%- endfor -%}
{%- endmacro %}
