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
{% set rules = rules_fingerprint(patterns ~ weights ~ var('ai_probability_threshold')) %}
{% set same_rules = has_same_rules(this, rules) %}

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
        lower({{ joined_list('effects', ' · ') }}) as effect_names,
        coalesce(caption, '') || ' #' || {{ joined_list('hashtags', ' #') }} as raw_text,
        lower(coalesce(caption, '') || ' #' || {{ joined_list('hashtags', ' #') }}) as lower_text
    from sightings
    where place = 1

),

screened as (

    select
        *,
        -- A few cheap passes for most captions; the dear patterns run on what is left.
        case
            when ai_label is not null or template_id in ({{ text_literals(lists.get('template', [])) }}) then true
            when effect_names <> '' and {{ matches_pattern('effect_names', patterns['effect']) }} then true
            when {{ matches_pattern('lower_text', ai_candidate_pattern(lists)) }} then true
            when {{ matches_pattern('raw_text', '[𝐀-𝟋Ａ-ｚ]|[a-z]{2}IA(?:$|[^A-Za-z])') }} then true
            when {{ matches_pattern('lower_text', '#[^ #]*(?:ai|ia)|#ki') }}
                then
                    {{ matches_pattern('lower_text', patterns['compound']) }}
                    or {{ matches_pattern('lower_text', patterns['infix']) }}
            else false
        end as is_candidate
    from texts

),

cleaned as (

    -- Handles and links name others; "j'ai", names and words that merely look like ai are no evidence.
    select
        video_id,
        load_id,
        ai_label,
        template_id,
        effect_names,
        lower_text,
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

placed as (

    select
        *,
        -- In these languages the small word ai is a verb, an article or "who".
        {{ matches_pattern('clean_text', patterns['romance']) }}
        or {{ matches_pattern('clean_text', patterns['vietnamese']) }} as is_ai_ambiguous,
        {{ matches_pattern('clean_text', patterns['ia_language']) }} as is_ia_language,
        {{ matches_pattern('clean_text', patterns['de_language']) }} as is_german,
        {{ matches_pattern('clean_text', patterns['other_sora']) }} as is_other_sora
    from prepared

),

found as (

    select
        video_id,
        load_id,
        ai_label,
        lower_text,
        clean_text,
        {{ first_match('effect_names', patterns['effect']) }} as effect,
        case when template_id in ({{ text_literals(lists.get('template', [])) }}) then template_id end as template,
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
            case when not is_other_sora then {{ first_match('clean_text', patterns['generator_tag']) }} end
        ) as generator,
        {{ first_match('clean_text', patterns['product_near']) }} as product_near,
        case
            when {{ matches_pattern('clean_text', patterns['photo']) }}
                then {{ first_match('clean_text', patterns['motion']) }}
        end as photo_motion,
        coalesce(
            {{ first_match('clean_text', patterns['tag']) }},
            case when is_german then {{ first_match('clean_text', patterns['ki_tag']) }} end
        ) as tag,
        case
            when {{ matches_pattern('clean_text', patterns['context']) }} and not is_other_sora
                then {{ first_match('clean_text', patterns['generator_in_context']) }}
        end as generator_in_context,
        coalesce(
            {{ first_match('clean_text', patterns['compound_unknown']) }},
            {{ first_match('cased_text', patterns['glued_cased']) }}
        ) as compound_unknown,
        coalesce(
            {{ first_match('cased_text', patterns['token_cased']) }},
            case when not is_ai_ambiguous then {{ first_match('clean_text', patterns['token']) }} end,
            {{ first_match('cased_text', patterns['ia_cased']) }},
            case when is_ia_language then {{ first_match('clean_text', patterns['ia_article']) }} end,
            case when is_german then {{ first_match('clean_text', patterns['ki_phrase']) }} end,
            case when is_german then {{ first_match('cased_text', patterns['ki_cased']) }} end
        ) as token,
        {{ first_match('clean_text', patterns['word']) }} as word,
        case
            when {{ matches_pattern('clean_text', patterns['template_context']) }}
                then {{ first_match('clean_text', patterns['dancing_thing']) }}
        end as dancing_template
    from placed

),

counted as (

    -- #ai is a hashtag and holds the word: one mention, not two kinds.
    select
        *,
        {{ ai_kinds_found(['tag', 'token', 'word']) }} as kinds_found,
        {{ ai_strongest_weight(weights) }} as strongest
    from found

),

opposed as (

    -- Only what has evidence for AI can lose it.
    select
        *,
        {% for kind in ai_counter_kinds() -%}
        {{ first_match('lower_text', patterns[kind]) }} as {{ kind }},
        {% endfor -%}
        {{ first_match('clean_text', patterns['negation']) }} as negation
    from counted
    where kinds_found > 0

),

labelled as (

    select
        video_id,
        {{ weights.get('base', 0) + weights.get('label', 0) }} as log_odds,
        'label by ' || ai_label as ai_evidence
    from cleaned
    where ai_label is not null

),

scored as (

    select
        video_id,
        {{ weights.get('base', 0) }} + strongest
        + {{ weights.get('further', 0) }} * (kinds_found - 1)
        + {{ ai_counter_weight(weights) }} as log_odds,
        {{ ai_evidence_text() }} as ai_evidence
    from opposed
    where ai_label is null

    union all

    select
        video_id,
        log_odds,
        ai_evidence
    from labelled

),

judged as (

    select
        video_id,
        1 / (1 + exp(-log_odds)) as ai_probability,
        ai_evidence
    from scored

)

select
    screened.video_id,
    case
        when judged.ai_probability >= {{ var('ai_probability_threshold') }} then 'AI'
        else 'NON-AI'
    end as ai_category,
    coalesce(judged.ai_probability, 1 / (1 + exp(-({{ weights.get('base', 0) }})))) as ai_probability,
    judged.ai_evidence,
    screened.load_id,
    '{{ rules }}' as rules
from screened
left join judged
    on screened.video_id = judged.video_id
