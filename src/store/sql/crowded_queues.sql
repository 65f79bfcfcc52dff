-- In which of these queues a job that were ready now would find no free slot: one is ready already (whoever has a free slot would have taken
-- it), or all other workers that serve the queue are full. Who is alone goes at once: nobody knows whether another one comes.
-- params: $1 queues text[], $2 worker int (who asks: it leaves, its own slots do not count)
-- returns: a row a queue: queue
-- index: job_ready, one probe a queue: its first ready job; worker_alive; what others run by the ledger and job_pkey, as in running_jobs.sql, up to the
--        first that has room. In a fleet of more than 20, one that is replaced is a small part of it: nobody counts. Reads only; being wrong for a
--        moment, either way, costs a moment.
with others as materialized (
  select w.key, w.slots, w.queues from :schema.worker w
  where w.alive and w.claiming and w.key <> $2 and w.queues && $1::text[]
  limit 21
)
select q.queue
from unnest($1::text[]) as q(queue)
-- The order is the index's: without it, an empty queue would be looked for among all rows.
where exists (select from (select from :schema.job j where j.queue = q.queue and j.state = 0 order by j.lane, j.priority, j.position limit 1) as ready)
or (
  exists (select from others o where q.queue = any(o.queues))
  and (select count(*) from others) <= 20
  and not exists (
    select from others o
    where q.queue = any(o.queues) and o.slots > (
      select count(*)
      from (select l.ids, l.runs from :schema.ledger l where l.worker = o.key offset 0) l
      cross join lateral unnest(l.ids, l.runs) as k(id, run)
      cross join lateral (select j.run, j.state, j.worker from :schema.job j where j.id = k.id limit 1) as j
      where j.run = k.run and j.state > 0 and j.worker = o.key
    )
  )
)
