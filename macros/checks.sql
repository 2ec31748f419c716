{# What a check of a date does: `block`, `warn` or `off`, as the variable of its name says. #}
{% macro check_mode(name) -%}
    {#- YAML reads a bare off as false. -#}
    {%- set mode = 'off' if var(name) is sameas false else var(name) -%}
    {%- if mode not in ('block', 'warn', 'off') -%}
        {{ exceptions.raise_compiler_error("dbt_project.yml, vars: " ~ name ~ " is " ~ mode ~ ": say block, warn or off") }}
    {%- endif -%}
    {{ return(mode) }}
{%- endmacro %}
