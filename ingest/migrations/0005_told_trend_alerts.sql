-- Alerts about trends, kept as those about videos are.
create table if not exists told.trend_alerts (
    telling_id bigint not null,
    as_of_date date not null,
    poll_at timestamp not null,
    alerted_at timestamp not null,
    market varchar not null,
    trend_key varchar not null,
    burst_of varchar,
    is_message boolean,
    new_creators bigint,
    expected_creators double,
    rising_creators bigint,
    gain_views bigint,
    expected_gain_views double,
    is_ahead boolean
);
comment on table told.trend_alerts is 'Trend alerts as they were told. One row per telling, market and trend.';
