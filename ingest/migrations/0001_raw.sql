-- What came in, the moments dates were decided as of, and what was done outside.
create schema if not exists raw;
create schema if not exists meta;

create table if not exists raw.loads (
    load_id bigint primary key,
    source varchar not null,
    market varchar,
    kind varchar,
    file varchar not null,
    file_bytes bigint,
    file_modified_at timestamp,
    run_id varchar,
    dataset_id varchar,
    observed_at timestamp,
    landed_at timestamp not null,
    content_hash varchar,
    item_count bigint not null,
    quarantined_count bigint not null,
    status varchar not null,
    repeats_load_id bigint,
    reason varchar
);
comment on table raw.loads is 'One row per feed file that was offered: what it was, what became of it, and why.';
comment on column raw.loads.status is
    'landed | repeat (same items as repeats_load_id, kept as a further feed) | empty | unreadable | missing';

create table if not exists raw.tiktok_videos (
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
comment on table raw.tiktok_videos is 'Video items as they came, one row per item of a feed, with their envelope.';

create table if not exists raw.tiktok_music (
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
comment on table raw.tiktok_music is 'Items of music feeds as they came, one row per item, with their envelope.';

create table if not exists raw.quarantine (
    load_id bigint not null,
    item_index bigint,
    source varchar not null,
    market varchar,
    kind varchar,
    file varchar not null,
    observed_at timestamp,
    landed_at timestamp not null,
    reason varchar not null,
    payload varchar
);
comment on table raw.quarantine is 'What could not be read: an item, or (item_index is null) a whole file, and why.';

create table if not exists raw.seasonal_dates (
    calendar_id bigint not null,
    calendar_hash varchar not null,
    landed_at timestamp not null,
    event_key varchar not null,
    rule varchar not null,
    event_date date not null,
    resolved_by varchar not null,
    is_approximate boolean not null
);
comment on table raw.seasonal_dates is
    'Dates of the seasonal events as resolved from the seed: one whole calendar per edit, the highest id holds.';

create table if not exists raw.revenue_reads (
    read_id bigint primary key,
    attempted_at timestamp not null,
    source varchar not null,
    observed_at timestamp,
    is_simulated boolean not null,
    locale varchar not null,
    time_zone varchar not null,
    content_hash varchar not null,
    row_count bigint not null,
    quarantined_count bigint not null,
    rows_read_id bigint not null,
    failure varchar not null,
    notes varchar not null
);
comment on table raw.revenue_reads is
    'One row per attempt to read revenue: which source answered, why no better one did, which reading holds its rows.';

create table if not exists raw.revenue_rows (
    read_id bigint not null,
    sheet_row integer not null,
    url varchar,
    video_id varchar,
    account varchar,
    template_link varchar,
    received decimal(18, 4),
    estimated decimal(18, 4),
    us_eu3_installs bigint,
    row_installs bigint,
    trend_description varchar,
    momentum_at_detection double,
    trigger_level varchar,
    action_window varchar,
    market varchar,
    ai_category varchar,
    age_at_detection_hours double,
    first_seen_on date,
    notes varchar,
    tutorial_link varchar,
    entered varchar not null
);
-- Homes of the first day have no such column.
alter table raw.revenue_rows add column if not exists tutorial_link varchar;
comment on table raw.revenue_rows is
    'Readable rows of the revenue sheet, typed by the sheet''s locale, and (entered) every cell as it was displayed.';

create table if not exists raw.revenue_quarantine (
    read_id bigint not null,
    sheet_row integer not null,
    problem varchar not null,
    entered varchar not null
);
comment on table raw.revenue_quarantine is 'Rows of the revenue sheet with an unreadable amount or date, and why.';

create table if not exists meta.cutoffs (
    as_of_date date primary key,
    cutoff_at timestamp not null,
    origin varchar not null
);
comment on table meta.cutoffs is
    'The stored moment up to which a date sees raw rows. origin: live | day_end | override.';

create table if not exists meta.revenue_cutoffs (
    as_of_date date primary key,
    cutoff_at timestamp not null
);
comment on table meta.revenue_cutoffs is
    'Dates whose revenue was built again after the sheet had changed, and the moment up to which they see it.';

create table if not exists meta.receipts (
    idempotency_key varchar primary key,
    effect varchar not null,
    target varchar not null,
    remote_id varchar,
    digest varchar,
    detail json not null,
    as_of_date date,
    created_at timestamp not null
);
comment on table meta.receipts is
    'One row per outward effect (file, row, message, paid run): what was done, where, and what came back.';
