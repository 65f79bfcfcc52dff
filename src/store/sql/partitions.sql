-- The day partitions of a table that is partitioned by days: what there is, and what there should be.
-- params: $1 schema text, $2 table text, $3 days ahead int, $4 keep ms float8
-- returns: name, from, to (UTC days as text), present, expired (all of it is older than is kept)
with present as (
  select c.relname::text as name, to_date(right(c.relname, 8), 'YYYYMMDD') as day
  from pg_catalog.pg_inherits i
  join pg_catalog.pg_class c on c.oid = i.inhrelid
  join pg_catalog.pg_class p on p.oid = i.inhparent
  join pg_catalog.pg_namespace n on n.oid = p.relnamespace
  where n.nspname = $1 and p.relname = $2 and c.relname ~ '_[0-9]{8}$'
), today as (
  select (clock_timestamp() at time zone 'utc')::date as day, (clock_timestamp() - $4::float8 * interval '1 ms') at time zone 'utc' as oldest
), wanted as (
  select $2 || to_char(d, '_YYYYMMDD') as name, d::date as day
  from today, generate_series(today.day::timestamp, today.day + $3::int, interval '1 day') as d
)
select name, b.day::text as "from", (b.day + 1)::text as "to", p.name is not null as present, b.day + 1 <= today.oldest as expired
from (select name, day from wanted union select name, day from present) as b
left join present p using (name)
cross join today
order by b.day
