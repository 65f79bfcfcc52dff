-- The hot tables: how many of their rows are dead, and when they were last vacuumed; and what fell into the default partitions. Reads only.
-- params: $1 schema text
-- returns: a row a table: name, live, dead, bytes, vacuumed_ms ago (null: never)
select relname::text as name, n_live_tup as live, n_dead_tup as dead, pg_total_relation_size(relid) as bytes,
  extract(epoch from clock_timestamp() - greatest(last_vacuum, last_autovacuum))::float8 * 1000 as vacuumed_ms
from pg_catalog.pg_stat_user_tables
where schemaname = $1 and relname in ('job', 'waiting', 'checkpoint', 'lease', 'history_default')
order by relname
