-- Who keeps dead rows from being removed: open transactions, prepared ones, replication slots; the oldest first. Reads only.
-- returns: kind, who (pid, gid or slot), detail (user, application and state), xids: how many transactions ago, ms: since when (null: unknown)
select kind, who, detail, xids, ms
from (
  select 'session' as kind, pid::text as who, concat_ws(', ', usename, nullif(application_name, ''), state) as detail,
    age(coalesce(backend_xmin, backend_xid)) as xids, extract(epoch from clock_timestamp() - xact_start)::float8 * 1000 as ms
  from pg_catalog.pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
    and (backend_xmin is not null or backend_xid is not null)
  union all
  select 'prepared transaction', gid, owner, age(transaction), extract(epoch from clock_timestamp() - prepared)::float8 * 1000
  from pg_catalog.pg_prepared_xacts where database = current_database()
  union all
  select 'replication slot', slot_name, case when active then 'in use' else 'not in use' end, age(xmin), null
  from pg_catalog.pg_replication_slots where xmin is not null
) as holders
order by ms desc nulls first, xids desc
limit 5
