-- The build list became one list over all markets, with a time to publish by and the gain that is left until then.
alter table told.build_list add column if not exists publish_by timestamp;
alter table told.build_list add column if not exists gain_48h_p10 double;
alter table told.build_list add column if not exists gain_48h_p50 double;
alter table told.build_list add column if not exists gain_48h_p90 double;
alter table told.build_list add column if not exists confidence varchar;
alter table told.build_list add column if not exists decision_mode varchar;
comment on table told.build_list is 'What was told to be built. One row per telling and place in its list; until November 2026 per market too.';
