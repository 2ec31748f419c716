-- The panel: a sample of each date's forecasts that is read again by URL, so that what became of videos that left the
-- feeds is known. What was chosen, and how likely, is a fact: scores are weighted by it, and a later version may draw
-- its strata otherwise.
create table if not exists meta.panel_choices (
    as_of_date date not null,
    market varchar not null,
    video_id varchar not null,
    horizon_hours integer not null,
    video_url varchar not null,
    stratum varchar not null,
    probability double not null,
    read_from timestamp not null,
    read_until timestamp not null,
    chosen_at timestamp not null,
    primary key (as_of_date, market, video_id, horizon_hours)
);
comment on table meta.panel_choices is
    'What the panel of a date is to read again: one row per date, market, video and horizon. Kept once, never changed.';
comment on column meta.panel_choices.probability is 'Chance of a video of its stratum to be chosen on that date.';

create table if not exists raw.tiktok_panel (
    load_id bigint not null,
    item_index bigint not null,
    source varchar not null,
    market varchar not null,
    kind varchar not null,
    run_id varchar,
    dataset_id varchar,
    observed_at timestamp not null,
    landed_at timestamp not null,
    item_hash varchar not null,
    payload json not null using compression zstd
);
comment on table raw.tiktok_panel is
    'Items of videos that were read again by URL, as they came, with their envelope. No feed: outcomes alone read it.';
