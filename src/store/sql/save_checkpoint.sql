-- Saves the progress of a run. The cursor never goes backwards: fewer items than are saved already is refused. More than are saved, with a
-- cursor: the run moved its job on.
-- params: $1 id uuid, $2 run int, $3 items bigint, $4 total bigint (null: unknown), $5 cursor json (as text), $6 items a second real (null: unknown)
-- returns: one row if it was saved: action, reason of what people asked of this job meanwhile ('cancel', 'pause', or null)
-- fence: id, run, state > 0, held FOR SHARE while this is written
-- index: job_pkey, checkpoint_pkey, request_pkey
with held as (
  select id, run, interruptions from :schema.job where id = $1 and run = $2 and state > 0 for share
), saved as (
  insert into :schema.checkpoint as c (id, run, items, total, cursor, rate, moved, interruptions)
  select held.id, held.run, $3::bigint, $4, $5::text::json, $6, case when $3::bigint > 0 and $5::text <> 'null' then held.run else 0 end,
    held.interruptions
  from held
  on conflict (id) do update
  set run = excluded.run, items = excluded.items, total = coalesce(excluded.total, c.total), cursor = excluded.cursor, rate = excluded.rate,
    moved = case when excluded.moved > 0 and excluded.items > c.items then excluded.moved else c.moved end,
    interruptions = case when excluded.moved > 0 and excluded.items > c.items then excluded.interruptions else c.interruptions end,
    updated_at = clock_timestamp()
  where c.items <= excluded.items
  returning c.id
)
select r.action, r.reason, r.until from saved left join :schema.request r on r.id = saved.id
