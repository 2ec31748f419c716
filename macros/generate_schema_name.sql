{# Schemas are named by layer (`marts`), not by developer (`main_marts`): one build file belongs to one pipeline. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
