-- Saves the progress of a run as the last write of a transaction that holds the effects of its items: they commit together.
-- params: $1 id uuid, $2 run int, $3 items bigint, $4 total bigint (null: unknown), $5 cursor json (as text), $6 items a second real (null: unknown), $7 nonce text
-- returns: one row: action, reason, until of what people asked of this job meanwhile (nulls: nothing)
-- fence: id, run, state > 0; a stale one raises HF001, so that nothing in the transaction can commit. HF002 when the transaction is not
--        the one the engine opened (the nonce was set local to it): the handler must have ended it.
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
select r.action, r.reason, r.until,
  case when current_setting('holdfast.nonce', true) is distinct from $7
    then :schema.refuse('HF002', 'the transaction of job ' || $1::uuid || ' was ended by its handler')
  when not exists (select from saved)
    then :schema.refuse('HF001', 'the job ' || $1::uuid || ' has moved on: run ' || $2::int || ' may not save its progress') end
from (select) as one left join saved on true left join :schema.request r on r.id = saved.id
