{#
  Matching of word lists against captions. A list is a seed: lower-case terms, where a blank stands for an optional
  blank, hyphen or underscore (`made with ai` also finds #madewithai), an apostrophe for any or none, and `*` for
  any further letters. Terms match at word boundaries: a letter of the Latin or Cyrillic script on either side is no
  boundary; a digit, a sign, or a letter of a script that writes without blanks is one (AI動画).
  Patterns use the common ground of RE2 (DuckDB) and java.util.regex (Spark): no look-around, no \b, no back-reference.
#}

{# Letters that continue a word, as the inside of a character class. #}
{% macro word_letters() -%}
a-zß-öø-ɏḀ-ỿѐ-ӿа-я𝐀-𝟋Ａ-ｚ
{%- endmacro %}

{#
  The terms as alternatives, `(?:a|b)`, without boundaries; no term matches nothing. Full stop, plus, question mark and
  round brackets stand for themselves, other signs of patterns for any one character: no term can break a pattern.
  All terms are rewritten in one go, because one by one takes seconds.
#}
{% macro any_term(terms) -%}
{%- if not terms -%}(?:a^){%- else -%}
{%- set apostrophes = "['’´`]?" -%}
(?:{{ terms | join('\n')
    | replace('|', '§') | replace('[', '§') | replace(']', '§') | replace('{', '§') | replace('}', '§')
    | replace('^', '§') | replace('$', '§') | replace('\\', '§')
    | replace('.', '[.]') | replace('+', '[+]') | replace('?', '[?]') | replace('(', '[(]') | replace(')', '[)]')
    | replace('’', "'") | replace("'", apostrophes) | replace(' ', '[ _-]{0,3}')
    | replace('*', '[' ~ word_letters() ~ ']*') | replace('§', '.') | replace('\n', '|') }})
{%- endif -%}
{%- endmacro %}

{# A pattern between word boundaries, captured as the first group. #}
{% macro whole_word(pattern) -%}
(?:^|[^{{ word_letters() }}])({{ pattern }})(?:$|[^{{ word_letters() }}])
{%- endmacro %}

{# A pattern as an SQL text literal. #}
{% macro pattern_literal(pattern) -%}
'{{ pattern | replace("'", "''") }}'
{%- endmacro %}

{# Texts as an SQL list; without any, one that equals nothing. #}
{% macro text_literals(values) -%}
{%- set literals = [] -%}
{%- for value in values -%}{%- do literals.append(pattern_literal(value)) -%}{%- endfor -%}
{{ literals | join(', ') if literals else 'null' }}
{%- endmacro %}

{# Fingerprint of word lists and weights: rows that other rules judged are judged anew. #}
{% macro rules_fingerprint(rules) -%}
    {{ return(local_md5(rules | string) if execute else '') }}
{%- endmacro %}

{# Whether all rows of an incremental model come from these rules, so that only new loads need a look. #}
{% macro has_same_rules(relation, fingerprint) -%}
    {%- if execute and is_incremental() -%}
        {%- set rows = run_query('select count(*) from ' ~ relation ~ " where rules <> '" ~ fingerprint ~ "'").rows -%}
        {{ return(rows[0][0] == 0) }}
    {%- else -%}
        {{ return(false) }}
    {%- endif -%}
{%- endmacro %}

{# Whether a pattern, in which nothing is escaped for SQL yet, is found anywhere in a text. #}
{% macro matches_pattern(value, pattern) -%}
    {{ matches(value, pattern | replace("'", "''")) }}
{%- endmacro %}

{# First group of the first match, null where there is none. #}
{% macro first_match(value, pattern) -%}
    nullif({{ group_of_match(value, pattern | replace("'", "''"), 1) }}, '')
{%- endmacro %}

{# The text with every match replaced. #}
{% macro replace_matches(value, pattern, replacement) -%}
    {{ replaced(value, pattern | replace("'", "''"), replacement | replace("'", "''")) }}
{%- endmacro %}
