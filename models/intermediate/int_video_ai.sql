{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key=['video_id']
) }}

{#-
    Made with AI or not, once per video, from its caption on first sight: a later edit does not change it. A run
    classifies the videos of loads it has not seen; after an edit of the word lists it classifies all of them anew.
-#}

{% set lists = ai_word_lists(ref('ai_terms')) %}
{% set weights = ai_weights(ref('ai_weights')) %}
{% set patterns = ai_patterns(lists) %}
{% set rules = local_md5(patterns ~ weights ~ var('ai_probability_threshold', 0.5)) %}
{% set same_rules = false %}
{% if execute and is_incremental() %}
    {% set stored = run_query('select count(*) from ' ~ this ~ " where rules <> '" ~ rules ~ "'") %}
    {% set same_rules = stored.rows[0][0] == 0 %}
{% endif %}

with

staged as (

    select * from {{ ref('stg_tiktok__videos') }}
    {% if same_rules %}
    where load_id > (select coalesce(max(load_id), 0) from {{ this }})
    {% endif %}

),

sightings as (

    select
        staged.*,
        row_number() over (partition by staged.video_id order by staged.load_id) as place
    from staged
    {% if same_rules %}
    where not exists (select 1 from {{ this }} as known where known.video_id = staged.video_id)
    {% endif %}

),

texts as (

    select
        video_id,
        load_id,
        ai_label,
        template_id,
        {{ joined_list('effects', ' · ') }} as effect_names,
        coalesce(caption, '') || ' #' || {{ joined_list('hashtags', ' #') }} as raw_text
    from sightings
    where place = 1

),

screened as (

    select
        *,
        (
            {{ matches_pattern('lower(raw_text)', ai_candidate_pattern(lists)) }}
            or {{ matches_pattern('raw_text', '[𝐀-𝟋Ａ-ｚ]') }}
            or ai_label is not null
            or template_id is not null
            or effect_names <> ''
        ) as is_candidate
    from texts

),

cleaned as (

    -- Handles and links name others; "j'ai", names and words that merely look like ai are no evidence.
    select
        video_id,
        load_id,
        ai_label,
        template_id,
        lower(effect_names) as effect_names,
        lower(raw_text) as lower_text,
        {{ replace_matches(
            replace_matches(
                plain_ai_letters('raw_text'),
                "@[A-Za-z0-9_.]+|https?://[^ ]+|[JjNnTtMm]['’´`][Aa][Ii]", ' '
            ),
            '(?i)' ~ whole_word(any_term(lists.get('lookalike', []))), ' '
        ) }} as cased_text
    from screened
    where is_candidate

),

prepared as (

    select
        *,
        lower(cased_text) as clean_text
    from cleaned

),

found as (

    select
        video_id,
        load_id,
        ai_label,
        lower_text,
        clean_text,
        {{ first_match('effect_names', patterns['effect']) }} as effect,
        case
            when template_id in ({% for id in lists.get('template', []) + [''] %}'{{ id }}'{% if not loop.last %}, {% endif %}{% endfor %})
                then template_id
        end as template,
        {{ first_match('clean_text', patterns['phrase']) }} as phrase,
        {{ first_match('clean_text', patterns['product']) }} as product,
        coalesce(
            {{ first_match('clean_text', patterns['compound']) }},
            case
                when not {{ matches_pattern('clean_text', patterns['infix_other']) }}
                    then {{ first_match('clean_text', patterns['infix']) }}
            end
        ) as compound,
        coalesce(
            {{ first_match('clean_text', patterns['generator']) }},
            case
                when not {{ matches_pattern('clean_text', patterns['other_sora']) }}
                    then {{ first_match('clean_text', patterns['generator_tag']) }}
            end
        ) as generator,
        {{ first_match('clean_text', patterns['product_near']) }} as product_near,
        case
            when {{ matches_pattern('clean_text', patterns['photo']) }}
                then {{ first_match('clean_text', patterns['motion']) }}
        end as photo_motion,
        coalesce(
            {{ first_match('clean_text', patterns['tag']) }},
            case
                when {{ matches_pattern('clean_text', patterns['de_language']) }}
                    then {{ first_match('clean_text', patterns['ki_tag']) }}
            end
        ) as tag,
        case
            when
                {{ matches_pattern('clean_text', patterns['context']) }}
                and not {{ matches_pattern('clean_text', patterns['other_sora']) }}
                then {{ first_match('clean_text', patterns['generator_in_context']) }}
        end as generator_in_context,
        coalesce(
            {{ first_match('clean_text', patterns['compound_unknown']) }},
            {{ first_match('cased_text', patterns['glued_cased']) }}
        ) as compound_unknown,
        coalesce(
            {{ first_match('cased_text', patterns['token_cased']) }},
            case
                -- In these languages the small word ai is a verb, an article or "who".
                when not (
                    {{ matches_pattern('clean_text', patterns['romance']) }}
                    or {{ matches_pattern('clean_text', patterns['vietnamese']) }}
                )
                    then {{ first_match('clean_text', patterns['token']) }}
            end,
            {{ first_match('cased_text', patterns['ia_cased']) }},
            case
                when {{ matches_pattern('clean_text', patterns['ia_language']) }}
                    then {{ first_match('clean_text', patterns['ia_article']) }}
            end,
            case
                when {{ matches_pattern('clean_text', patterns['de_language']) }}
                    then coalesce(
                        {{ first_match('clean_text', patterns['ki_phrase']) }},
                        {{ first_match('cased_text', patterns['ki_cased']) }}
                    )
            end
        ) as token,
        {{ first_match('clean_text', patterns['word']) }} as word,
        case
            when {{ matches_pattern('clean_text', patterns['template_context']) }}
                then {{ first_match('clean_text', patterns['dancing_thing']) }}
        end as dancing_template
    from prepared

),

counted as (

    select
        *,
        {% for kind in ai_evidence_kinds() -%}
        case when {{ kind }} is not null then 1 else 0 end{% if not loop.last %} + {% endif %}
        {% endfor %} as kinds_found,
        greatest(
            {% for kind in ai_evidence_kinds() -%}
            case when {{ kind }} is not null then {{ weights.get(kind, 0) }} else 0 end{% if not loop.last %},{% endif %}
            {% endfor %}
        ) as strongest
    from found

),

opposed as (

    -- Only what has evidence for AI can lose it.
    select
        *,
        case when kinds_found > 0 then {{ first_match('clean_text', patterns['negation']) }} end as negation,
        {% for kind in ai_counter_kinds() -%}
        case when kinds_found > 0 then {{ first_match('lower_text', patterns[kind]) }} end as {{ kind }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from counted

),

scored as (

    select
        *,
        {{ weights.get('base', 0) }}
        + case when ai_label is not null then {{ weights.get('label', 0) }} else
            strongest
            + {{ weights.get('further', 0) }} * greatest(kinds_found - 1, 0)
            {% for kind in ['negation'] + ai_counter_kinds() -%}
            + case when {{ kind }} is not null then {{ weights.get(kind, 0) }} else 0 end
            {% endfor %}
        end as log_odds
    from opposed

),

judged as (

    select
        video_id,
        1 / (1 + exp(-log_odds)) as ai_probability,
        {{ ai_evidence_text() }} as ai_evidence
    from scored

)

select
    screened.video_id,
    case
        when judged.ai_probability >= {{ var('ai_probability_threshold', 0.5) }} then 'AI'
        else 'NON-AI'
    end as ai_category,
    coalesce(judged.ai_probability, 1 / (1 + exp(-({{ weights.get('base', 0) }})))) as ai_probability,
    judged.ai_evidence,
    screened.load_id,
    '{{ rules }}' as rules
from screened
left join judged
    on screened.video_id = judged.video_id
