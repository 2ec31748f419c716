{#
  AI category: whether a video is made with generative AI (or an AI effect or template), from the evidence of its
  caption, hashtags, effects, template and label. The words are seeds (ai_terms, ai_weights); here is how they combine:
  evidence for it starts with the strongest kind found, each further kind adds a little, and what says that the video
  is not AI, or merely about AI, takes its weight off. The sum is the log-odds of the probability.
#}

{# The seed ai_terms as {kind: [term, ...]}; empty while dbt parses. #}
{% macro ai_word_lists(terms_relation) -%}
    {%- set lists = {} -%}
    {%- if execute -%}
        {%- for row in rows_of_seed(terms_relation, 'kind, term') -%}
            {%- do lists.setdefault(row[0], []).append(row[1]) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(lists) }}
{%- endmacro %}

{# The seed ai_weights as {evidence: weight}; empty while dbt parses. #}
{% macro ai_weights(weights_relation) -%}
    {%- set weights = {} -%}
    {%- if execute -%}
        {%- for row in rows_of_seed(weights_relation, 'evidence, weight') -%}
            {%- do weights.update({row[0]: row[1] | float}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(weights) }}
{%- endmacro %}

{# Terms glued into hashtags: without stars and blanks, only those long enough not to end an ordinary word. #}
{% macro ai_stems(terms, minimum_letters) -%}
    {%- set stems = [] -%}
    {%- for term in terms -%}
        {%- set stem = term | replace('*', '') | replace(' ', '') -%}
        {%- if stem | length >= minimum_letters and stem not in stems -%}{%- do stems.append(stem) -%}{%- endif -%}
    {%- endfor -%}
    {{ return('(?:' ~ (stems | join('|') if stems else 'a^') ~ ')') }}
{%- endmacro %}

{#
  All patterns of the evidence, {name: pattern}, each with one group that holds what fired. They read the caption in
  lower case (`clean_text`), unless their name ends in `_cased`.
#}
{% macro ai_patterns(lists) -%}
    {%- set letters = word_letters() -%}
    {%- set gap = '[ _.,:;&+/"“”()-]' -%}
    {%- set ai = '(?:ai|a[.]i[.]?|эйай)' -%}
    {%- set noun = any_term(lists.get('noun', [])) -%}
    {%- set thing = any_term(lists.get('noun', []) + lists.get('subject', [])) -%}
    {%- set noun_stem = ai_stems(lists.get('noun', []), 3) -%}
    {%- set thing_stem = ai_stems(lists.get('noun', []) + lists.get('subject', []), 3) -%}
    {%- set long_noun_stem = ai_stems(lists.get('noun', []), 5) -%}
    {%- set long_thing_stem = ai_stems(lists.get('noun', []) + lists.get('subject', []), 4) -%}
    {%- set in_word = '[' ~ letters ~ '0-9_]' -%}
    {%- set patterns = {
        'phrase': whole_word(any_term(lists.get('phrase', []))),
        'product': whole_word(
            ai ~ '(?:' ~ gap ~ '{0,3}|' ~ gap ~ '{1,3}[' ~ letters ~ '0-9’\']+[ -]{1,2})' ~ thing
            ~ '|' ~ thing ~ '[ _-]{1,3}' ~ ai
        ),
        'product_near': whole_word(
            ai ~ '(?:' ~ gap ~ '{1,3}[' ~ letters ~ '0-9’\']+){2,3}' ~ gap ~ '{1,3}' ~ noun
        ),
        'compound': '#+(ai_?' ~ thing_stem ~ in_word ~ '*|' ~ in_word ~ '*' ~ long_thing_stem ~ 's?_?ai[0-9]*'
            ~ '|ia_?' ~ noun_stem ~ in_word ~ '*|' ~ in_word ~ '*' ~ long_noun_stem ~ 's?_?ia[0-9]*'
            ~ '|ki_?' ~ long_noun_stem ~ in_word ~ '*)(?:$|[^' ~ letters ~ '])',
        'infix': '#+(' ~ in_word ~ '+ai_?' ~ long_noun_stem ~ in_word ~ '*)(?:$|[^' ~ letters ~ '])',
        'infix_other': '#' ~ in_word ~ '*(th|dub|mumb|shangh|samur|chenn|hyund|haw|bons|sin|brun|k|j|b|vers)ai',
        'compound_unknown': '#+(ai[bcfhjpquwx][' ~ letters ~ ']{4,})',
        'glued_cased': '(?:^|[^A-Za-z])(AI[A-Z]?[a-z]{3,}[A-Za-z]*|A[iI][A-Z][a-z]{2,}[A-Za-z]*'
            ~ '|[A-Za-z]*[a-z]{2,}(?:AI|IA))(?:$|[^A-Za-z])',
        'generator': whole_word(
            any_term(lists.get('generator', []))
            ~ '(?:[ _.-]{0,2}(?:v?[0-9][0-9.]*|ai|art|app|pro|video|videos|edit|prompt|trend|effect|tutorial))*'
        ),
        'generator_tag': '#(' ~ any_term(lists.get('generator_tag', [])) ~ '[0-9]*)(?:$|[^' ~ letters ~ '])',
        'generator_in_context': whole_word(any_term(lists.get('generator_in_context', []))),
        'context': whole_word(any_term(lists.get('context', []))),
        'other_sora': whole_word(any_term(lists.get('other_sora', []))),
        'tag': '#+[ _]?(ai|a[.]i|ia)[0-9_]*(?:$|[^' ~ letters ~ '])',
        'token_cased': '(?:^|[^A-Za-zÀ-ɏ])(A[.]?I)(?:$|[^A-Za-zÀ-ɏ])',
        'token': '(?:^|[^\'’´`' ~ letters ~ '])(ai|a[.]i)(?:$|[^' ~ letters ~ '])',
        'ia_cased': '(?:^|[^A-Za-zÀ-ɏ, ]|[^,] )(IA)(?:$|[^A-Za-zÀ-ɏ])',
        'ia_article': whole_word(any_term(lists.get('ia_article', []))),
        'ki_cased': '(?:^|[^A-Za-zÀ-ɏ])(KI|Ki)(?:$|[^A-Za-zÀ-ɏ])',
        'ki_tag': '#(ki)(?:$|[^' ~ letters ~ '])',
        'ki_phrase': whole_word(any_term(lists.get('ki_phrase', []))),
        'word': whole_word(any_term(lists.get('word', []))),
        'photo': whole_word(any_term(lists.get('photo', []))),
        'motion': whole_word(any_term(lists.get('motion', []))),
        'dancing_thing': whole_word(any_term(lists.get('dancing_thing', []))),
        'template_context': whole_word(any_term(lists.get('template_context', []))),
        'effect': whole_word(any_term(lists.get('effect', []))),
        'negation': whole_word(any_term(lists.get('negation', []))),
        'romance': '(?s)(?:^|[^' ~ letters ~ '])' ~ any_term(lists.get('romance', []))
            ~ '[^' ~ letters ~ '](?:.*[^' ~ letters ~ '])?'
            ~ any_term(lists.get('romance', [])) ~ '(?:$|[^' ~ letters ~ '])',
        'vietnamese': '[ơưđạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]',
        'ia_language': whole_word(any_term(lists.get('ia_language', []))),
        'de_language': whole_word(any_term(lists.get('de_language', []))),
    } -%}
    {%- for kind in ai_counter_kinds() -%}
        {%- do patterns.update({kind: whole_word(any_term(lists.get(kind, [])))}) -%}
    {%- endfor -%}
    {{ return(patterns) }}
{%- endmacro %}

{# Kinds of words that speak against: about AI rather than made with it, or another AI altogether. #}
{% macro ai_counter_kinds() -%}
    {{ return([
        'about_news', 'about_debate', 'about_work', 'about_robot', 'about_tech', 'about_learning', 'about_discourse',
        'about_weak', 'other_ai'
    ]) }}
{%- endmacro %}

{# Kinds of evidence for AI, strongest first. #}
{% macro ai_evidence_kinds() -%}
    {{ return([
        'effect', 'template', 'phrase', 'product', 'compound', 'generator', 'product_near', 'photo_motion', 'tag',
        'generator_in_context', 'compound_unknown', 'token', 'word', 'dancing_template'
    ]) }}
{%- endmacro %}

{# Cheap first look: with compounds looked for beside it, false only where no evidence can fire. #}
{% macro ai_candidate_pattern(lists) -%}
    {%- set letters = word_letters() -%}
    {%- set out = '(?:^|[^' ~ letters ~ '])' -%}
    {%- set terms = lists.get('generator', []) + lists.get('generator_tag', []) + lists.get('generator_in_context', [])
        + lists.get('word', []) + lists.get('dancing_thing', []) + lists.get('photo', []) -%}
    {%- set phrases = [] -%}
    {%- for term in lists.get('phrase', []) -%}
        {#- Most phrases hold the word ai or ia, which is looked for anyway. -#}
        {%- if ' ai' not in ' ' ~ term and ' ia' not in term and "'ia" not in term -%}
            {%- do phrases.append(term) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(
        out ~ '(?:ai|a[.]i|ia|ki)(?:$|[^' ~ letters ~ '])|' ~ out ~ 'ai[a-z_]{3}'
        ~ '|[' ~ letters ~ ']ai(?:$|[^' ~ letters ~ '])'
        ~ '|' ~ out ~ any_term(terms + phrases)
    ) }}
{%- endmacro %}

{# Letters of decorative alphabets (𝗔𝗜) that spell ai, as their plain letters. #}
{% macro plain_ai_letters(value) -%}
    translate(
        {{ value }},
        '𝐀𝐚𝐈𝐢𝐴𝑎𝐼𝑖𝑨𝒂𝑰𝒊𝒜𝒶𝒾𝓐𝓪𝓘𝓲𝔄𝔞𝔦𝔸𝕒𝕀𝕚𝕬𝖆𝕴𝖎𝖠𝖺𝖨𝗂𝗔𝗮𝗜𝗶𝘈𝘢𝘐𝘪𝘼𝙖𝙄𝙞𝙰𝚊𝙸𝚒ＡａＩｉ',
        'AaIiAaIiAaIiAaiAaIiAaiAaIiAaIiAaIiAaIiAaIiAaIiAaIiAaIi'
    )
{%- endmacro %}

{# How many kinds of evidence were found; the kinds of `mention` count as one. #}
{% macro ai_kinds_found(mention) -%}
    {%- for kind in ai_evidence_kinds() if kind not in mention -%}
    case when {{ kind }} is not null then 1 else 0 end
        + {% endfor -%}
    case when coalesce({{ mention | join(', ') }}) is not null then 1 else 0 end
{%- endmacro %}

{# Weight of the strongest kind of evidence found, 0 where none was. #}
{% macro ai_strongest_weight(weights) -%}
    greatest(
            {% for kind in ai_evidence_kinds() -%}
            case when {{ kind }} is not null then {{ weights.get(kind, 0) }} else 0 end{{ ',' if not loop.last }}
            {% endfor -%}
        )
{%- endmacro %}

{# Sum of the weights of what speaks against. #}
{% macro ai_counter_weight(weights) -%}
    {%- for kind in ['negation'] + ai_counter_kinds() -%}
    case when {{ kind }} is not null then {{ weights.get(kind, 0) }} else 0 end{{ '\n        + ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# What fired, in words: each kind with what it found, then what speaks against it. Null where nothing fired. #}
{% macro ai_evidence_text() -%}
    {%- set labels = {
        'effect': 'effect', 'template': 'template', 'phrase': 'phrase', 'product': 'AI product', 'compound': 'hashtag',
        'generator': 'generator', 'product_near': 'AI product', 'photo_motion': 'one photo set in motion:',
        'tag': 'hashtag', 'generator_in_context': 'generator', 'compound_unknown': 'compound', 'token': 'token',
        'word': 'word', 'dancing_template': 'dance template', 'negation': 'against: says so',
        'about_news': 'against: news',
        'about_debate': 'against: debate', 'about_work': 'against: work', 'about_robot': 'against: robots',
        'about_tech': 'against: AI tools', 'about_learning': 'against: learning',
        'about_discourse': 'against: about AI',
        'about_weak': 'against: technology', 'other_ai': 'against: another AI',
    } -%}
    nullif(concat_ws(
        '; ',
        {% for kind in ai_evidence_kinds() + ['negation'] + ai_counter_kinds() -%}
        '{{ labels[kind] }} "' || trim({{ kind }}) || '"'{% if not loop.last %},{% endif %}
        {% endfor %}
    ), '')
{%- endmacro %}
