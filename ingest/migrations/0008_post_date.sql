-- The day of a post, where the user's sheet has a column for it.
alter table raw.revenue_rows add column if not exists post_date date;
