-- Ended jobs of one span of ids, newest first. A caller widens the span until it has enough: without one, the newest of ten million
-- would be found by sorting ten million. For people: reads only.
-- params: $1 from uuid, $2 before uuid (null: no upper end), $3 states smallint[] (null: all), $4 task text (null: all), $5 queue text (null: all),
--         $6 most int
-- returns: as list_live.sql, with ended_at, and reason: the error's message
-- index: history_id (BRIN) in every partition
with newest as (
  select h.id, h.state, h.queue, h.task, h.version, h.priority, h.run, h.failures, h.interruptions, h.losses, h.crashes, h.created_at, h.started_at,
    h.ended_at, h.error, h.worker, h.items, h.total
  from :schema.history h
  where h.id >= $1::uuid and ($2::uuid is null or h.id < $2) and ($3::smallint[] is null or h.state = any($3))
    and ($4::text is null or h.task = $4) and ($5::text is null or h.queue = $5)
  order by h.id desc
  limit $6
)
select n.id, n.state, n.queue, n.task, n.version, n.priority, n.run, n.failures, n.interruptions, n.losses, n.crashes, n.created_at, n.started_at, n.ended_at,
  n.error ->> 'message' as reason, w.name as worker, n.items, n.total
from newest n
left join :schema.worker w on w.key = n.worker
order by n.id desc
