-- What people were told, kept with the version that told it and never computed again. Scores of it are a track record;
-- what today's models say of a past day is a replay.
create schema if not exists told;

create table if not exists told.tellings (
    telling_id bigint primary key,
    kind varchar not null,
    as_of_date date not null,
    poll_at timestamp,
    cutoff_at timestamp not null,
    told_at timestamp not null,
    run_id varchar not null,
    version varchar not null,
    fingerprint varchar not null,
    is_live boolean not null,
    is_simulated boolean not null
);
comment on table told.tellings is 'One row per time that people were told something: a day by its files, a poll by its alerts.';
comment on column told.tellings.kind is 'daily | poll';
comment on column told.tellings.cutoff_at is 'What was told knows readings observed up to this moment (UTC).';
comment on column told.tellings.version is 'Release and commit that told it; `earlier` for what was told before tellings were kept.';
comment on column told.tellings.fingerprint is 'Of the dbt project that computed it.';
comment on column told.tellings.is_live is 'Told within 24 hours of its cut-off: a forecast of what nobody could know. A past date run later is none.';

create table if not exists told.forecasts (
    telling_id bigint not null,
    as_of_date date not null,
    market varchar not null,
    video_id varchar not null,
    horizon_hours integer not null,
    made_at timestamp not null,
    target_at timestamp not null,
    model varchar,
    base_plays bigint,
    p10 double,
    p50 double,
    p90 double,
    is_cold_start boolean,
    is_stale boolean
);
comment on table told.forecasts is 'Forecasts as they were told. One row per telling, market, video and horizon; gains in views.';

create table if not exists told.decisions (
    telling_id bigint not null,
    as_of_date date not null,
    market varchar not null,
    video_id varchar not null,
    decision_mode varchar,
    action_window varchar,
    trajectory varchar,
    recommended_variants integer,
    stop_building boolean,
    stop_reason varchar,
    status varchar,
    urgency varchar,
    confidence varchar,
    score double,
    opportunity_score double,
    momentum_score double,
    age_hours double,
    trend_key varchar
);
comment on table told.decisions is 'What was said of each video of a day. One row per telling, market and video.';

create table if not exists told.build_list (
    telling_id bigint not null,
    as_of_date date not null,
    place integer not null,
    market varchar not null,
    video_id varchar not null,
    market_label varchar,
    build_priority varchar,
    recommended_variants integer,
    gain_24h_p10 double,
    gain_24h_p50 double,
    gain_24h_p90 double,
    window_left_hours double,
    trend_key varchar
);
comment on table told.build_list is 'What was told to be built. One row per telling, market and place in its list.';

create table if not exists told.alerts (
    telling_id bigint not null,
    as_of_date date not null,
    poll_at timestamp not null,
    alerted_at timestamp not null,
    market varchar not null,
    video_id varchar not null,
    tier varchar,
    is_message boolean,
    z double,
    gain_views bigint,
    expected_gain_views double,
    hours double
);
comment on table told.alerts is 'Alerts as they were told. One row per telling, video and reading that fired it.';
